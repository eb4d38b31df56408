"""`--skip-by payload`: every recording is converted once, under whatever name its file comes."""

import json
import os
import subprocess
import sys

import polars as pl
import pytest

import muse_xml
from hfrisk.convert import convert, verify
from hfrisk.errors import StoreError
from hfrisk.records import read_records
from store_files import bytes_of

SCRIPT = """
import sys
from hfrisk import _core
_core.convert([sys.argv[1]], sys.argv[2], num_threads=int(sys.argv[3]), skip_by="payload")
"""


@pytest.fixture
def folder(tmp_path):
    """Three recordings."""
    folder = tmp_path / "xml"
    folder.mkdir()
    for row in range(3):
        (folder / f"{row}.xml").write_bytes(recording(row))
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def recording(seed, **settings):
    return muse_xml.muse_xml(muse_xml.random_leads(seed), **settings)


def test_files_that_were_moved_or_renamed_are_skipped(folder, out):
    convert(folder, out)
    before = read_records(out)
    (folder / "deep").mkdir()
    (folder / "0.xml").rename(folder / "deep" / "0.xml")
    (folder / "1.xml").rename(folder / "other.xml")
    summary = convert(folder, out, skip_by="payload")
    assert (summary.num_files, summary.num_converted, summary.num_duplicates) == (3, 3, 2)
    assert read_records(out).equals(before)


def test_a_file_with_an_edited_header_is_skipped(folder, out):
    convert(folder, out)
    (folder / "edited.xml").write_bytes(recording(1, age="17", sex="MALE", statements=("Atrial fibrillation",)))
    assert convert(folder, out, skip_by="payload").num_duplicates == 1


def test_another_recording_under_a_known_name_is_converted(folder, out):
    convert(folder, out)
    (folder / "0.xml").write_bytes(recording(7))
    (folder / "deep").mkdir()
    (folder / "deep" / "1.xml").write_bytes(recording(8))
    summary = convert(folder, out, skip_by="payload")
    assert (summary.num_duplicates, summary.num_new_files, summary.num_converted) == (0, 2, 5)


def test_the_same_counts_at_another_gain_or_rate_are_another_recording(folder, out):
    convert(folder, out)
    (folder / "gain.xml").write_bytes(recording(0, gain=2.44))
    (folder / "rate.xml").write_bytes(recording(0, rate=250))
    assert convert(folder, out, skip_by="payload").num_duplicates == 0


def test_a_recording_whose_leads_differ_in_gain_is_never_taken_for_another(folder, out):
    convert(folder, out)
    gains = dict.fromkeys(muse_xml.STORED_LEADS, 4.88) | {"V6": 2.44}
    (folder / "gains.xml").write_bytes(recording(0, gain=gains))
    assert convert(folder, out, skip_by="payload").num_new_files == 1


def test_of_new_files_that_hold_the_same_the_first_of_the_plan_is_kept(folder, out):
    os.link(folder / "1.xml", folder / "0again.xml")
    os.link(folder / "1.xml", folder / "2again.xml")
    summary = convert(folder, out, skip_by="payload")
    assert (summary.num_converted, summary.num_duplicates) == (3, 2)
    assert read_records(out)["ecg_file"].to_list() == ["0.xml", "0again.xml", "2.xml"]


def test_the_plan_names_each_skipped_file_and_the_row_that_holds_the_same(folder, out):
    convert(folder, out)
    os.link(folder / "2.xml", folder / "again.xml")
    (folder / "new.xml").write_bytes(recording(9))
    os.link(folder / "new.xml", folder / "new2.xml")
    convert(folder, out, skip_by="payload")
    plan = pl.read_parquet(out / "plan.parquet").with_columns(pl.col("source").str.split("/").list.last())
    skipped = plan.filter(pl.col("row").is_null())
    assert dict(skipped.select("source", "same_as_row").iter_rows()) == {"again.xml": 2, "new2.xml": 512}
    assert plan.filter(pl.col("row").is_not_null())["same_as_row"].null_count() == 4


def test_a_skipped_file_is_not_converted_by_a_later_run_of_the_other_kind(folder, out):
    os.link(folder / "1.xml", folder / "again.xml")
    convert(folder, out, skip_by="payload")
    before = bytes_of(out)
    summary = convert(folder, out)
    assert (summary.num_converted, summary.num_duplicates, summary.num_files_read) == (3, 1, 0)
    assert bytes_of(out) == before


def test_by_default_a_copy_is_converted(folder, out):
    convert(folder, out)
    os.link(folder / "1.xml", folder / "again.xml")
    summary = convert(folder, out)
    assert (summary.num_converted, summary.num_duplicates) == (4, 0)


def test_what_is_no_recording_is_rejected_and_never_a_duplicate(folder, out):
    (folder / "a.xml").touch()
    (folder / "b.xml").touch()
    leads = {name: counts[:3000] for name, counts in muse_xml.random_leads(5).items()}
    short = muse_xml.muse_xml(leads)
    (folder / "short.xml").write_bytes(short)
    (folder / "short2.xml").write_bytes(short)
    summary = convert(folder, out, skip_by="payload")
    assert summary.rejections == {"empty_file": 2, "short_record": 2}
    assert summary.num_duplicates == 0


def test_a_store_with_skipped_files_is_sound(folder, out):
    convert(folder, out)
    os.link(folder / "1.xml", folder / "again.xml")
    convert(folder, out, skip_by="payload")
    assert verify(out).damages == []


def test_neither_threads_nor_parts_nor_kills_change_a_byte(folder, tmp_path):
    first = tmp_path / "first"
    first.mkdir()
    os.link(folder / "0.xml", first / "0.xml")
    for number in range(1500):
        os.link(folder / f"{number % 3}.xml", folder / f"link{number:04}.xml")
    outs = [tmp_path / f"out{number}" for number in range(4)]
    for out in outs:
        convert(first, out)
    assert convert(folder, outs[0], num_threads=1, skip_by="payload").num_duplicates == 1501
    convert(folder, outs[1], num_threads=3, skip_by="payload")
    num_killed = 0
    while True:
        child = subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder), str(outs[2]), "2"])
        try:
            child.wait(timeout=0.01 * 1.3**num_killed)
        except subprocess.TimeoutExpired:
            child.kill()
            num_killed += 1
        if child.wait() == 0:
            break
    assert num_killed > 0
    for part in (2, 1):
        convert(folder, outs[3], part=(part, 2), skip_by="payload")
    convert(folder, outs[3], skip_by="payload")
    assert bytes_of(outs[0]) == bytes_of(outs[1]) == bytes_of(outs[2]) == bytes_of(outs[3])


def test_the_command_says_how_many_were_skipped(folder, out):
    os.link(folder / "1.xml", folder / "again.xml")
    command = [sys.executable, "-m", "hfrisk.convert", str(folder), str(out), "--skip-by", "payload", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "skipped: 1 whose recordings the store has from other files" in done.stderr
    assert json.loads(done.stdout)["num_duplicates"] == 1


def test_skipped_files_count_when_the_share_of_rejections_is_judged(folder, out):
    convert(folder, out)
    for number in range(20):
        os.link(folder / "1.xml", folder / f"again{number}.xml")
    (folder / "empty.xml").touch()
    command = [sys.executable, "-m", "hfrisk.convert", str(folder), str(out), "--skip-by", "payload", "--max-rejected"]
    assert subprocess.run([*command, "4.7"], capture_output=True, check=False).returncode == 3
    assert subprocess.run([*command, "4.8"], capture_output=True, check=False).returncode == 0


def test_the_bound_on_memory_counts_the_payloads(folder, out):
    convert(folder, out / "file", memory=100 << 20, max_file_mb=0.5)
    (folder / "list.txt").write_text("".join(f"{number}.xml\n" for number in range(100_000)))
    with pytest.raises(StoreError, match=r"100 MB of memory are too little: 1[0-9][0-9] MB are needed for 100003 files"):
        convert([folder, folder / "list.txt"], out / "payload", memory=100 << 20, max_file_mb=0.5, skip_by="payload")
