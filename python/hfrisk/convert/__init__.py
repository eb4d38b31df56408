"""`hfrisk-convert`: hospital ECG XML to a store, and whether a store is sound; `parse` for a single file."""

from hfrisk._core import Recording, __version__, build_profile, instruction_sets, parse
from hfrisk.convert.api import Codec, Damage, Progress, SkipBy, Summary, Verification, convert, finish, verify
from hfrisk.convert.command import convert_command, main

__all__ = [
    "Codec",
    "Damage",
    "Progress",
    "Recording",
    "SkipBy",
    "Summary",
    "Verification",
    "__version__",
    "build_profile",
    "convert",
    "convert_command",
    "finish",
    "instruction_sets",
    "main",
    "parse",
    "verify",
]
