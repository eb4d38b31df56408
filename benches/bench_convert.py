"""A folder of XML to a store."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import zarr

import hfrisk
from baselines import convert_with_etree_and_zarr
from hfrisk.convert import convert
from rounds import evict, read_into_memory

NUM_FILES = 16_384
BASELINE = "xml.etree + zarr-python with its default compression"


@pytest.fixture(scope="module")
def many(corpus, tmp_path_factory):
    """A folder of 16 384 names for 512 files: 32 shards, so that what a run costs once weighs no more than it does in practice."""
    folder = tmp_path_factory.mktemp("many")
    for copy in range(32):
        for path in corpus:
            (folder / f"{copy}_{path.name}").hardlink_to(path)
    return folder


@pytest.mark.usefixtures("one_core")
def test_convert(many, corpus, compare, tmp_path):
    """Convert a folder of MUSE files of 145 KB to a store (one core, warm page cache)"""
    few, shard = sorted(many.iterdir())[:48], sorted(corpus)
    out, baseline = tmp_path / "store", tmp_path / "baseline.zarr"

    def ours(sources: Path | list[Path], codec: str) -> None:
        convert(sources, out, codec=codec, num_threads=1)

    def prepare() -> None:
        read_into_memory(corpus)
        shutil.rmtree(out, ignore_errors=True)
        shutil.rmtree(baseline, ignore_errors=True)

    contenders = {
        "hfrisk-convert, ecgpack": lambda: ours(many, "ecgpack"),
        "hfrisk-convert, zstd": lambda: ours(shard, "zstd"),
        "hfrisk-convert, none": lambda: ours(shard, "none"),
        BASELINE: lambda: convert_with_etree_and_zarr(few, baseline),
    }
    compare(
        contenders,
        items=dict(zip(contenders, (NUM_FILES, len(shard), len(shard), len(few)), strict=True)),
        unit="files",
        targets={BASELINE: 25},
        rounds=7,
        before=prepare,
    )
    prepare()
    ours(many, "ecgpack")
    contenders[BASELINE]()
    assert np.array_equal(hfrisk.open(out).read(range(len(few))), zarr.open_array(str(baseline), mode="r")[:])


def test_convert_with_two_threads(many, corpus, compare, tmp_path):
    """Convert 32 shards with two threads on two cores against one"""
    cores = os.sched_getaffinity(0)

    def run(threads: int, num_cores: int) -> None:
        os.sched_setaffinity(0, sorted(cores)[:num_cores])
        convert(many, tmp_path / "store", codec="ecgpack", num_threads=threads)
        os.sched_setaffinity(0, cores)

    def prepare() -> None:
        read_into_memory(corpus)
        shutil.rmtree(tmp_path / "store", ignore_errors=True)

    contenders = {
        "two threads, two cores": lambda: run(2, 2),
        "one thread, one core": lambda: run(1, 1),
        "one thread, and a second core for the system's part of writing": lambda: run(1, 2),
    }
    compare(
        contenders,
        items=NUM_FILES,
        unit="files",
        targets={"one thread, one core": 1.8},
        rounds=9,
        before=prepare,
    )
    assert len(hfrisk.open(tmp_path / "store")) == NUM_FILES


@pytest.mark.usefixtures("one_core")
def test_convert_from_an_archive(corpus, compare, tmp_path):
    """Convert zip archives of MUSE files, read in place (one core, warm page cache)"""
    archive, refused, out = tmp_path / "all.zip", tmp_path / "refused.zip", tmp_path / "store"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as whole, zipfile.ZipFile(refused, "w", zipfile.ZIP_DEFLATED) as other:
        for path in corpus:
            content = path.read_bytes()
            whole.writestr(path.name, content)
            other.writestr(path.name, content.replace(b"<RestingECG>", b"<OtherShape>", 1))
    # Eight shards each, so that the disk takes one while the next is converted, as it does all along a registry.
    folders = {}
    for source in (archive, refused):
        folders[source] = tmp_path / source.stem
        folders[source].mkdir()
        for copy in range(8):
            (folders[source] / f"{copy}.zip").hardlink_to(source)
    whole = archive.read_bytes()
    packed = []
    for info in zipfile.ZipFile(archive).infolist():
        name_bytes, extra_bytes = struct.unpack_from("<HH", whole, info.header_offset + 26)
        begin = info.header_offset + 30 + name_bytes + extra_bytes
        packed.append(whole[begin : begin + info.compress_size])

    def ours(source: Path) -> None:
        convert(source, out, num_threads=1)

    def prepare() -> None:
        read_into_memory([archive, refused])
        shutil.rmtree(out, ignore_errors=True)

    def inflate() -> None:
        for member in packed:
            zlib.decompress(member, -15)

    alone = "inflating and CRC-32 alone (every member is refused at its first tag)"
    with_zlib = "inflating alone with Python's zlib"
    contenders = {
        "hfrisk-convert, from the archives": lambda: ours(folders[archive]),
        alone: lambda: ours(folders[refused]),
        with_zlib: inflate,
    }
    items = dict(zip(contenders, (8 * len(corpus), 8 * len(corpus), len(corpus)), strict=True))
    # At most 1.3 times as long, which is 0.77 times as fast.
    compare(contenders, items=items, unit="files", targets={alone: 0.77, with_zlib: 0.77}, rounds=9, before=prepare)
    prepare()
    ours(archive)
    parsed = [hfrisk.parse(path).signal for path in corpus[:16]]
    assert np.array_equal(hfrisk.open(out).read(range(16)), np.stack(parsed))


def test_convert_from_the_disk(corpus, compare, tmp_path):
    """Convert MUSE files that are not in the page cache (two threads)"""
    out = tmp_path / "store"

    def start_anew() -> None:
        shutil.rmtree(out, ignore_errors=True)
        evict(corpus)

    contenders = {
        "hfrisk-convert, evicted before": lambda: convert(corpus, out, num_threads=2),
        "reading the files alone": lambda: read_into_memory(corpus),
    }
    compare(contenders, items=len(corpus), unit="files", rounds=7, before=start_anew)
    read_into_memory(corpus)


def test_stages(corpus, benchmark, tmp_path):
    """Where the time of a conversion goes, stage by stage (one core, warm page cache); the ratio is the stage's share"""
    cargo = shutil.which("cargo")
    if cargo is None:
        pytest.skip("cargo is needed to build the example that times the stages")
    example = [cargo, "run", "--quiet", "--release", "--package", "hfrisk-ecg", "--example", "convert_stages", "--"]

    def run() -> dict[str, float]:
        done = subprocess.run([*example, tmp_path, *corpus], cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)

    rounds = [run() for _ in range(3)]
    stages = {stage: sorted(found[stage] for found in rounds)[1] for stage in rounds[0]}
    benchmark.extra_info.update(
        title=test_stages.__doc__,
        unit="files",
        items=dict.fromkeys(["all stages", *stages], len(corpus)),
        medians={"all stages": sum(stages.values()), **stages},
        targets={},
    )
    benchmark.pedantic(run, rounds=1, warmup_rounds=0)
