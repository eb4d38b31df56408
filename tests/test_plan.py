"""Making the plan: by several processes at once, and interrupted."""

import subprocess
import sys

import pytest

import hfrisk
import muse_xml
from hfrisk.convert import convert
from hfrisk.records import RECORDS_SCHEMA
from store_files import bytes_of

NUM_PARTS = 4
NUM_PLANNED = 1_500_000  # so many that writing them takes longer than the time between two calls of a listener


@pytest.fixture
def folder(tmp_path):
    """Two recordings."""
    folder = tmp_path / "xml"
    folder.mkdir()
    for row in range(2):
        (folder / f"{row}.xml").write_bytes(muse_xml.muse_xml(muse_xml.random_leads(row)))
    return folder


def interrupt(_progress):
    raise KeyboardInterrupt


@pytest.mark.parametrize("skip_by", ["file", "payload"])
def test_parts_that_race_make_one_plan(folder, tmp_path, skip_by):
    convert(folder, tmp_path / "whole", skip_by=skip_by)
    for attempt in range(2):
        out = tmp_path / str(attempt)
        command = [sys.executable, "-m", "hfrisk.convert", str(folder), str(out), "--skip-by", skip_by, "--quiet", "--part"]
        parts = [subprocess.Popen([*command, f"{part}/{NUM_PARTS}"]) for part in range(1, NUM_PARTS + 1)]
        assert [part.wait() for part in parts] == [0] * NUM_PARTS
        subprocess.run([sys.executable, "-m", "hfrisk.convert", "--finish", str(out), "--quiet"], check=True)
        assert bytes_of(out) == bytes_of(tmp_path / "whole")


def test_ctrl_c_is_heard_while_a_plan_is_written_and_leaves_none(tmp_path):
    (tmp_path / "list.txt").write_text("".join(f"{number}.xml\n" for number in range(NUM_PLANNED)))
    out, heard = tmp_path / "out", []

    def listener(progress):
        if (out / ".hfrisk.partial/plan.parquet").exists():
            heard.append(progress.num_files)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(tmp_path / "list.txt", out, on_progress=listener)
    assert heard == [0]
    assert not out.exists()


def test_ctrl_c_while_payloads_are_compared_leaves_no_plan(folder, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        convert(folder, tmp_path / "out", skip_by="payload", on_progress=interrupt)
    assert not (tmp_path / "out/records").exists()
    assert convert(folder, tmp_path / "out", skip_by="payload").num_converted == 2


def test_an_interrupted_growth_leaves_the_finished_store_as_it_was(folder, tmp_path):
    out = tmp_path / "out"
    convert(folder, out)
    before = bytes_of(out)
    (tmp_path / "list.txt").write_text("".join(f"{number}.xml\n" for number in range(NUM_PLANNED)))

    def listener(_progress):
        if (out / ".hfrisk.partial/plan.parquet").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert([folder, tmp_path / "list.txt"], out, on_progress=listener)
    assert bytes_of(out) == before
    assert len(hfrisk.open(out).records) == 2


def test_records_of_an_incomplete_store_are_those_of_the_shards_that_are_done(folder, tmp_path):
    out = tmp_path / "out"
    convert(folder, out, part=(2, 2))
    store = hfrisk.open(out, allow_incomplete=True)
    assert (store.records.schema, len(store.records), len(store)) == (RECORDS_SCHEMA, 0, 2)
    convert(folder, out, part=(1, 2))
    assert hfrisk.open(out, allow_incomplete=True).records["ecg_file"].to_list() == ["0.xml", "1.xml"]


def test_records_of_a_growing_store_name_no_row_that_it_has_not(folder, tmp_path):
    out = tmp_path / "out"
    convert(folder, out)
    (folder / "2.xml").write_bytes(muse_xml.muse_xml(muse_xml.random_leads(2)))
    convert(folder, out, part=(2, 2))
    store = hfrisk.open(out, allow_incomplete=True)
    assert (out / "records/part-00001.parquet").exists()
    assert (len(store), store.records["row"].to_list()) == (2, [0, 1])
    convert(folder, out)
    assert hfrisk.open(out).records["row"].to_list() == [0, 1, 512]
