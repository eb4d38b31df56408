"""What a conversion reads and what it leaves, file by file."""

import os

import muse_xml


def bytes_of(folder):
    """Return the content of every file in a folder by its name."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def link_recordings(folder, originals, num_files):
    """Fill a folder with links to three small recordings, and in every hundredth place to a file that is none."""
    for seed in range(3):
        (originals / str(seed)).write_bytes(muse_xml.muse_xml(muse_xml.random_leads(seed)))
    (originals / "3").write_bytes(b"no XML")
    for row in range(num_files):
        os.link(originals / str(3 if row % 100 == 3 else row % 3), folder / f"{row:04}.xml")
