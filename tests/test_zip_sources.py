"""Archives read in place, against Python's own `zipfile`."""

import os
import struct
import subprocess
import sys
import zipfile

import numpy as np
import polars as pl
import pytest

import hfrisk
import muse_xml
from hfrisk import records
from hfrisk.convert import convert

NAMES = ["b/2.xml", "a/1.XML", "3.xml", "심전도/4.xml"]


@pytest.fixture
def recordings():
    """Four MUSE files by name, in the order in which archives hold them."""
    return {name: muse_xml.muse_xml(muse_xml.random_leads(seed)) for seed, name in enumerate(NAMES)}


@pytest.fixture
def archive(tmp_path, recordings):
    """An archive that deflates and stores in turn, with things in it that are no recording."""
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.mkdir("b")
        for number, (name, content) in enumerate(recordings.items()):
            file.writestr(name, content, zipfile.ZIP_STORED if number % 2 else zipfile.ZIP_DEFLATED)
        file.writestr("readme.txt", "no ECG")
        file.writestr("__MACOSX/b/._2.xml", "a Mac's own")
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def piped(folder, path):
    """Write an archive of a folder through a pipe, so that sizes and CRC-32 stand behind each member's data."""
    code = (
        "import sys, zipfile; from pathlib import Path\n"
        "with zipfile.ZipFile(sys.stdout.buffer, 'w', zipfile.ZIP_DEFLATED) as file:\n"
        "    for path in sorted(Path(sys.argv[1]).iterdir()): file.writestr(path.name, path.read_bytes())\n"
    )
    path.write_bytes(subprocess.run([sys.executable, "-c", code, folder], stdout=subprocess.PIPE, check=True).stdout)


def write(path, members, **keywords):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **keywords) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_an_archive_gives_the_signals_of_its_unpacked_files(archive, out, recordings):
    summary = convert(archive, out)
    assert (summary.num_converted, summary.num_rejected, summary.num_skipped) == (4, 0, 2)
    frame = records.read_records(out)
    assert frame["source"].to_list() == [f"{archive}/{name}" for name in NAMES]
    assert frame["ecg_file"].to_list() == [name.rpartition("/")[2] for name in NAMES]
    parsed = np.stack([hfrisk.parse(content).signal for content in recordings.values()])
    assert np.array_equal(hfrisk.open(out).read(range(4)), parsed)
    assert summary.num_bytes == sum(map(len, recordings.values()))


def test_the_plan_holds_what_zipfile_says_of_every_member(archive, out):
    convert(archive, out)
    plan = pl.read_parquet(out / "plan.parquet")
    with zipfile.ZipFile(archive) as file:
        infos = [file.getinfo(name) for name in NAMES]
    assert plan["source"].to_list() == [str(archive)] * 4
    assert plan["member"].to_list() == NAMES
    for column, attribute in {
        "num_bytes": "file_size",
        "packed_bytes": "compress_size",
        "crc32": "CRC",
        "offset": "header_offset",
    }.items():
        assert plan[column].to_list() == [getattr(info, attribute) for info in infos]
    assert pl.Series(plan["modified_ns"]).cast(pl.Datetime("ns"))[0].timetuple()[:6] == infos[0].date_time


def test_archives_folders_patterns_and_lists_mix(archive, recordings, out, tmp_path):
    write(tmp_path / "second.zip", {"x.xml": recordings["3.xml"]})
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "y.xml").write_bytes(recordings["3.xml"])
    write(folder / "inner.zip", {"z.xml": recordings["3.xml"]})
    listed = tmp_path / "list.txt"
    listed.write_text(f"{tmp_path / 'second.zip'}\n{folder / 'y.xml'}\n")
    convert([archive, folder, listed, tmp_path / "all.*"], out)
    names = pl.read_parquet(out / "plan.parquet").select(pl.col("source").str.split("/").list.last(), "member").rows()
    assert names == [*(("all.zip", name) for name in NAMES), ("inner.zip", "z.xml"), ("y.xml", None), ("second.zip", "x.xml")]


def test_the_bytes_do_not_depend_on_the_threads_and_a_stopped_run_continues(archive, tmp_path):
    def stop(_progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(archive, tmp_path / "one", num_threads=1, on_progress=stop)
    convert(archive, tmp_path / "one", num_threads=1)
    convert(archive, tmp_path / "two", num_threads=2)
    for path in (tmp_path / "one").rglob("*"):
        assert path.is_dir() or path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def test_more_members_than_sixteen_bits_count_are_all_listed(out, tmp_path):
    count = 70_000
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as file:
        for number in range(count):
            file.writestr(f"{number // 1000}/{number}.xml", b"")
    summary = convert(path, out)
    assert summary.rejections == {"empty_file": count}
    plan = pl.read_parquet(out / "plan.parquet")
    assert plan["member"].to_list() == [f"{number // 1000}/{number}.xml" for number in range(count)]


def test_zip64_sizes_and_offsets_are_read(recordings, out, tmp_path):
    path = tmp_path / "large.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("1.xml", "w", force_zip64=True) as member:
        member.write(recordings["3.xml"])
    whole = path.read_bytes()
    # The directory once more with the widths of a large archive: sizes and offset in the extra block, and both end records.
    at = whole.rindex(b"PK\x01\x02")
    entry = bytearray(whole[at : whole.rindex(b"PK\x05\x06")])
    packed, size = struct.unpack_from("<II", entry, 20)
    struct.pack_into("<II", entry, 20, 0xFFFFFFFF, 0xFFFFFFFF)
    struct.pack_into("<I", entry, 42, 0xFFFFFFFF)
    name_length, extra_length = struct.unpack_from("<HH", entry, 28)
    struct.pack_into("<H", entry, 30, 28)
    entry = entry[: len(entry) - extra_length] + struct.pack("<HHQQQ", 1, 24, size, packed, 0)
    assert len(entry) == 46 + name_length + 28
    end64 = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 1, 1, len(entry), at)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, at + len(entry), 1)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(whole[:at] + entry + end64 + locator + end)
    with zipfile.ZipFile(path) as file:
        assert file.read("1.xml") == recordings["3.xml"]
    assert convert(path, out).num_converted == 1
    assert records.read_rejected(out).is_empty()


def test_a_korean_name_without_a_label_is_read(recordings, out, tmp_path):
    path = write(tmp_path / "a.zip", {"XXXXXX.xml": recordings["3.xml"]})
    path.write_bytes(path.read_bytes().replace(b"XXXXXX", "심전도".encode("cp949")))
    convert(path, out)
    assert records.read_records(out)["ecg_file"].to_list() == ["심전도.xml"]


def test_an_archive_behind_other_bytes_is_read(archive, out):
    archive.write_bytes(b"#!/bin/sh\nexit\n" * 10 + archive.read_bytes())
    summary = convert(archive, out)
    assert (summary.num_converted, summary.num_rejected) == (4, 0)


@pytest.fixture
def folder(tmp_path, recordings):
    """The recordings as 0.xml to 3.xml."""
    folder = tmp_path / "xml"
    folder.mkdir()
    for number, content in enumerate(recordings.values()):
        (folder / f"{number}.xml").write_bytes(content)
    return folder


def test_an_archive_written_to_a_pipe_is_read(folder, out, tmp_path):
    piped(folder, tmp_path / "a.zip")
    summary = convert(tmp_path / "a.zip", out)
    assert (summary.num_converted, summary.num_rejected) == (4, 0)


@pytest.mark.parametrize("through_pipe", [False, True])
def test_what_a_cut_archive_still_holds_is_converted_and_the_rest_rejected(folder, out, tmp_path, through_pipe):
    path = tmp_path / "cut.zip"
    if through_pipe:
        piped(folder, path)
    else:
        write(path, {file.name: file.read_bytes() for file in sorted(folder.iterdir())})
    with zipfile.ZipFile(path) as file:
        cut = file.infolist()[2].header_offset + 5000
    os.truncate(path, cut)
    summary = convert(path, out)
    assert records.read_records(out)["source"].to_list() == [f"{path}/0.xml", f"{path}/1.xml"]
    assert summary.rejections == {"damaged_archive": 1, "damaged_member": 1}
    rejected = records.read_rejected(out)
    assert rejected["source"].to_list() == [str(path), f"{path}/2.xml"]
    assert "directory cannot be read" in rejected["message"][0]


def test_an_archive_that_is_none_is_rejected_by_name(recordings, out, tmp_path):
    (tmp_path / "a.zip").write_bytes(b"")
    (tmp_path / "b.zip").write_bytes(recordings["3.xml"])
    write(tmp_path / "c.zip", {"1.xml": recordings["3.xml"]})
    summary = convert(tmp_path / "*.zip", out)
    assert (summary.num_converted, summary.rejections) == (1, {"damaged_archive": 2})


def test_a_damaged_directory_hides_no_member(archive, out):
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02", 1)] ^= 1
    archive.write_bytes(content)
    summary = convert(archive, out)
    assert (summary.num_converted, summary.rejections) == (4, {"damaged_archive": 1})


def test_a_flipped_bit_in_a_member_is_found(archive, out):
    with zipfile.ZipFile(archive) as file:
        stored = file.getinfo(NAMES[1])
    content = bytearray(archive.read_bytes())
    content[stored.header_offset + 30 + len(NAMES[1]) + 1000] ^= 4
    archive.write_bytes(content)
    summary = convert(archive, out)
    assert (summary.num_converted, summary.rejections) == (3, {"damaged_member": 1})
    assert "CRC-32" in records.read_rejected(out)["message"][0]


@pytest.mark.parametrize(("method", "name"), [(zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "lzma")])
def test_another_packing_method_is_rejected_by_name(recordings, out, tmp_path, method, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as file:
        file.writestr("1.xml", recordings["3.xml"])
    assert convert(tmp_path / "a.zip", out).rejections == {f"unsupported_compression:{name}": 1}


def test_an_encrypted_member_is_rejected_by_name(recordings, out, tmp_path):
    path = write(tmp_path / "a.zip", {"1.xml": recordings["3.xml"]})
    content = bytearray(path.read_bytes())
    for at in (6, content.rindex(b"PK\x01\x02") + 8):
        content[at] |= 1
    path.write_bytes(content)
    assert convert(path, out).rejections == {"encrypted": 1}


def test_a_member_that_states_more_than_the_limit_is_not_unpacked(out, tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb.xml", bytes(65 << 20))
    content = bytearray(path.read_bytes())
    assert convert(path, out).rejections == {"too_large": 1}
    # One that states less than it unpacks to is no way round the limit.
    for at in (22, content.rindex(b"PK\x01\x02") + 24):
        struct.pack_into("<I", content, at, 1000)
    (tmp_path / "liar.zip").write_bytes(content)
    assert convert(tmp_path / "liar.zip", tmp_path / "second").rejections == {"damaged_member": 1}


def test_an_archive_without_xml_is_no_source(tmp_path, out):
    path = write(tmp_path / "a.zip", {"readme.txt": b"nothing"})
    with pytest.raises(hfrisk.errors.StoreError, match="no ECG file found"):
        convert(path, out)
