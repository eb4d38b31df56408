"""How much memory a conversion takes, by the high-water mark of a child process."""

import subprocess
import sys
import zipfile

import pytest

import muse_xml
from hfrisk.convert import convert
from hfrisk.errors import StoreError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the mark is read from /proc")

CODE = """
import sys
from pathlib import Path
from hfrisk.convert import convert
convert(sys.argv[1], sys.argv[2], num_threads=int(sys.argv[3]), max_file_mb=float(sys.argv[4]), memory=int(sys.argv[5]) or None)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) / 1024)
"""


def peak_mb(source, out, *, threads=2, max_file_mb=64, memory=0):
    command = [sys.executable, "-c", CODE, *map(str, (source, out, threads, max_file_mb, memory))]
    return float(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """1,600 names for 16 recordings."""
    folder = tmp_path_factory.mktemp("names")
    for seed in range(16):
        (folder / f"{seed}.xml").write_bytes(muse_xml.muse_xml(muse_xml.random_leads(seed)))
        for copy in range(99):
            (folder / f"{seed}-{copy}.xml").hardlink_to(folder / f"{seed}.xml")
    return folder


def test_a_hundred_thousand_files_take_hardly_more_than_two_thousand(tmp_path):
    peaks = []
    for count in (2_000, 100_000):
        path = tmp_path / f"{count}.zip"
        with zipfile.ZipFile(path, "w") as file:
            for number in range(count):
                file.writestr(f"MUSE_20191105_101500_{number:06}.xml", b"<x/>")
        peaks.append(peak_mb(path, tmp_path / str(count)))
    assert peaks[1] < peaks[0] + 100
    assert peaks[1] < 400


@pytest.mark.parametrize("memory_mb", [200, 300])
def test_the_bound_is_kept_although_many_threads_are_asked_for(folder, tmp_path, memory_mb):
    assert peak_mb(folder, tmp_path / "out", threads=64, max_file_mb=4, memory=memory_mb << 20) <= memory_mb


def test_large_files_take_turns(tmp_path):
    folder = tmp_path / "large"
    folder.mkdir()
    (folder / "0.xml").write_bytes(b"<RestingECG>" + b" " * (60 << 20) + b"</RestingECG>")
    for number in range(1, 8):
        (folder / f"{number}.xml").hardlink_to(folder / "0.xml")
    for number in range(1, 600):
        (folder / f"small-{number}.xml").write_bytes(b"<x/>")
    for number in range(8):
        (folder / f"zz-{number}.xml").hardlink_to(folder / "0.xml")
    assert peak_mb(folder, tmp_path / "out", threads=2) < 120


def test_a_bound_that_is_too_small_is_refused_with_what_is_needed(folder, tmp_path):
    with pytest.raises(StoreError, match=r"50 MB of memory are too little: \d+ MB are needed") as caught:
        convert(folder, tmp_path / "out", memory=50 << 20)
    assert "--max-file-mb" in caught.value.hint


@pytest.mark.parametrize(("size", "code"), [("400MB", 1), ("0.4g", 1), ("1073741824", 0), ("lots", 2)])
def test_the_command_reads_sizes(tmp_path, size, code):
    source = tmp_path / "a.xml"
    source.write_bytes(muse_xml.muse_xml(muse_xml.random_leads()))
    command = [sys.executable, "-m", "hfrisk.convert", str(source), str(tmp_path / "out"), "--memory", size]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
