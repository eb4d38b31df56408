"""What is left in the page cache: by converting, which reads a source once, what was there before; by parsing, the file."""

import ctypes
import os
import sys
import zipfile

import pytest

import muse_xml
from hfrisk import parse
from hfrisk.convert import convert

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what its page cache holds")
CACHESTAT = 451  # the same number on every architecture; glibc has no name for it yet


def bytes_in_memory(path):
    """How much of a file the page cache holds."""
    with path.open("rb") as file:
        whole, found = (ctypes.c_uint64 * 2)(0, 0), (ctypes.c_uint64 * 5)()
        if ctypes.CDLL(None, use_errno=True).syscall(CACHESTAT, file.fileno(), whole, found, 0) != 0:
            pytest.skip("needs Linux 6.5")
        return found[0] * os.sysconf("SC_PAGESIZE")


def evict(path):
    with path.open("rb+") as file:
        os.fsync(file)
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if bytes_in_memory(path) > 0:
        pytest.skip("this file system lives in memory")


@pytest.fixture
def files(tmp_path):
    (tmp_path / "xml").mkdir()
    paths = [tmp_path / "xml" / f"{number}.xml" for number in range(12)]
    for number, path in enumerate(paths):
        path.write_bytes(muse_xml.muse_xml(muse_xml.random_leads(number)))
    return paths


@pytest.fixture
def archive(files, tmp_path):
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            archive.write(file, file.name)
    return path


def test_files_from_the_disk_leave_nothing_and_files_in_memory_stay(files, tmp_path):
    for path in files[::2]:
        evict(path)
    convert(files, tmp_path / "out", num_threads=1)
    for path in files[::2]:
        assert bytes_in_memory(path) == 0
    for path in files[1::2]:
        assert bytes_in_memory(path) >= path.stat().st_size


def test_an_archive_from_the_disk_leaves_only_its_directory(archive, files, tmp_path):
    evict(archive)
    summary = convert(archive, tmp_path / "out", num_threads=1)
    assert summary.num_converted == len(files)
    assert bytes_in_memory(archive) < archive.stat().st_size / 4


def test_an_archive_in_memory_stays(archive, tmp_path):
    archive.read_bytes()
    convert(archive, tmp_path / "out", num_threads=1)
    assert bytes_in_memory(archive) >= archive.stat().st_size


def test_a_parsed_file_from_the_disk_stays_for_the_next_time(files):
    evict(files[0])
    parse(files[0])
    assert bytes_in_memory(files[0]) >= files[0].stat().st_size
