"""A made-up hospital: people, ECGs, registry and OMOP database in the layout of a real one, the same for the same seed.

Nothing in it comes from a person. It is there to try every command on, and to test them: the illness shows in the ECGs as it does in
patients, in overlapping ways, and the files have the defects that real files have.
"""

from hfrisk.synthetic.hospital import make_hospital

__all__ = ["make_hospital"]
