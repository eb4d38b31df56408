"""What the CPU as a device does to the process."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
import torch
from hfrisk.model import choose_device

choose_device("cpu")
for _ in range(16):  # aligned blocks leave gaps at first
    torch.ones(16 << 20)  # 64 MB
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    torch.ones(16 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
MALLOC = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives back what is freed at once")


def faults(**environment: str) -> int:
    """Pages that the system had to clear for four tensors of 64 MB, each freed before the next."""
    clean = {name: value for name, value in os.environ.items() if name not in MALLOC}
    done = subprocess.run([sys.executable, "-c", FAULTS], check=True, capture_output=True, text=True, env=clean | environment)
    return int(done.stdout)


def test_what_a_layer_frees_is_what_the_next_one_gets():
    assert faults() < 1_000


def test_settings_of_the_environment_are_left_alone():
    assert faults(MALLOC_TRIM_THRESHOLD_="131072") > 10_000
