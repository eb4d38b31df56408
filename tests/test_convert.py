"""`hfrisk.convert` and the command `hfrisk-convert`."""

import json
import os
import signal
import subprocess
import sys
import time

import polars as pl
import pytest

import hfrisk
import muse_xml
from hfrisk import records
from hfrisk.convert import Progress, convert
from hfrisk.errors import StoreError
from store_files import bytes_of


@pytest.fixture
def folder(tmp_path):
    """Four recordings and three files that are none."""
    folder = tmp_path / "xml"
    folder.mkdir()
    for row in range(4):
        (folder / f"{row}.xml").write_bytes(muse_xml.muse_xml(muse_xml.random_leads(row)))
    (folder / "empty.xml").touch()
    (folder / "text.xml").write_text("patient HONG")
    (folder / "median.xml").write_bytes(muse_xml.muse_xml(muse_xml.random_leads(9), waveform_type="Median"))
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def run(*arguments, **keywords):
    command = [sys.executable, "-m", "hfrisk.convert", "--max-rejected", "100", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **keywords)


def test_records_have_the_promised_columns_and_values(folder, out):
    convert(folder, out)
    frame = records.read_records(out)
    assert frame.schema == records.RECORDS_SCHEMA
    assert frame["row"].to_list() == [0, 1, 2, 3]
    assert frame["source"].to_list() == [str(folder / f"{row}.xml") for row in range(4)]
    first, parsed = frame.row(0, named=True), hfrisk.parse(folder / "0.xml")
    assert (first["acquired_at"], first["sex"], first["device"]) == (parsed.acquired_at, "female", "MAC55")
    assert (first["payload_hash"], first["num_samples"], first["sampling_rate_hz"]) == (parsed.payload_hash, 5000, 500.0)
    assert first["qrs_duration_ms"] == 96
    assert first["original_qrs_duration_ms"] is None


def test_rejected_files_are_listed_with_their_kind(folder, out):
    summary = convert(folder, out)
    frame = records.read_rejected(out)
    assert frame.schema == records.REJECTED_SCHEMA
    assert dict(zip(frame["ecg_file"], frame["kind"], strict=True)) == {
        "empty.xml": "empty_file",
        "median.xml": "no_rhythm",
        "text.xml": "not_xml",
    }
    assert summary.rejections == {"empty_file": 1, "no_rhythm": 1, "not_xml": 1}
    assert (summary.num_files, summary.num_converted, summary.num_rejected) == (7, 4, 3)


def test_the_plan_gives_every_file_its_row(folder, out):
    convert(folder, out)
    plan = pl.read_parquet(out / "plan.parquet")
    assert plan["row"].to_list() == list(range(7))
    paths = sorted(folder.iterdir())
    assert plan["source"].to_list() == [str(path) for path in paths]
    assert plan["num_bytes"].to_list() == [path.stat().st_size for path in paths]
    assert plan["modified_ns"].to_list() == [path.stat().st_mtime_ns for path in paths]


def test_nothing_that_names_a_person_is_in_the_output(folder, out):
    convert(folder, out, codec="none")
    assert all(b"00012345" not in content and b"DOE" not in content and b"HONG" not in content for content in bytes_of(out).values())


def test_no_line_of_the_command_and_no_error_names_a_person(folder, out):
    (folder / "cut.xml").write_bytes((folder / "0.xml").read_bytes()[:-40])
    (folder / "rate.xml").write_bytes((folder / "0.xml").read_bytes().replace(b"<SampleBase>500<", b"<SampleBase>HONG<"))
    finished = run(folder, out, "--json", "--strict")
    said = finished.stdout + finished.stderr
    for path in folder.iterdir():
        try:
            recording = hfrisk.parse(path, keep_statements=False)
            said += f"{recording!r} {recording.flags} {recording.measurements} {recording.statements} {recording.device}"
        except hfrisk.ParseError as error:
            said += f"{error} {error!r} {error.kind} {error.hint}"
    assert "invalid_value" in said
    assert [word for word in ("00012345", "DOE", "HONG", "Normal sinus rhythm") if word in said] == []


def test_a_limit_of_size_rejects_larger_files_and_says_how_to_raise_it(folder, out):
    finished = run(folder, out, "--max-file-mb", "0.01")
    assert finished.returncode == 0
    assert records.read_rejected(out)["kind"].to_list().count("too_large") == 5
    assert "too_large (5)" in finished.stderr


def test_another_limit_of_size_on_the_same_output_is_refused(folder, out):
    convert(folder, out, max_file_mb=1)
    with pytest.raises(StoreError, match="max-bytes 1048576, not 2097152"):
        convert(folder, out, max_file_mb=2)


def test_rejections_name_the_byte_of_the_element_that_is_to_blame(folder, out):
    whole = (folder / "0.xml").read_bytes()
    edits = {
        "foreign.xml": (b"<RestingECG>", b"<Other>", b"<Other>"),
        "gain.xml": (b"<LeadAmplitudeUnits>MICROVOLTS<", b"<LeadAmplitudeUnits><", b"<WaveFormData>"),
        "rate.xml": (b"<SampleBase>500<", b"<SampleBase>fast<", b"<SampleBase>"),
        "size.xml": (b"<LeadSampleSize>2<", b"<LeadSampleSize>4<", b"<LeadSampleSize>"),
    }
    for name, (before, after, _) in edits.items():
        (folder / name).write_bytes(whole.replace(before, after, 1))
    convert(folder, out)
    offsets = dict(records.read_rejected(out).select("ecg_file", "byte_offset").iter_rows())
    for name, (_, _, element) in edits.items():
        assert offsets[name] == (folder / name).read_bytes().find(element), name
    assert offsets["empty.xml"] is None


def test_statements_are_kept_only_when_asked(folder, out, tmp_path):
    convert(folder, out, keep_statements=True)
    assert records.read_records(out)["statements"].to_list() == [["Normal sinus rhythm"]] * 4
    convert(folder, tmp_path / "other")
    assert "statements" not in records.read_records(tmp_path / "other").columns


@pytest.mark.parametrize("codec", ["ecgpack", "zstd", "none"])
def test_the_bytes_do_not_depend_on_the_threads(folder, tmp_path, codec):
    for threads in (1, 2, 4):
        convert(folder, tmp_path / str(threads), codec=codec, num_threads=threads)
    assert bytes_of(tmp_path / "1") == bytes_of(tmp_path / "2") == bytes_of(tmp_path / "4")


def test_the_listener_hears_the_beginning_and_the_end(folder, out):
    heard = []
    convert(folder, out, on_progress=heard.append)
    assert heard[0].num_done == 0
    assert heard[-1].num_done == heard[-1].num_files == 7
    assert heard[-1].num_rejected == 3
    assert all(isinstance(progress, Progress) for progress in heard)


def test_an_exception_of_the_listener_stops_the_run_and_comes_out(folder, out):
    def listener(progress):
        raise LookupError(f"{progress.num_files} files")

    with pytest.raises(LookupError, match="7 files"):
        convert(folder, out, on_progress=listener)
    assert not (out / "records.parquet").exists()
    assert convert(folder, out).num_converted == 4


def test_an_unknown_codec_is_refused(folder, out):
    with pytest.raises(ValueError, match="ecgpack, zstd, none"):
        convert(folder, out, codec="zip")


def test_another_codec_on_the_same_output_has_a_hint(folder, out):
    convert(folder, out)
    with pytest.raises(StoreError, match="codec ecgpack, not zstd") as caught:
        convert(folder, out, codec="zstd")
    assert "--overwrite" in caught.value.hint


def test_the_command_ends_with_counts_and_the_commonest_rejection(folder, out):
    (folder / "empty2.xml").touch()
    done = run(folder, out, "--threads", 2)
    assert done.returncode == 0
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0].startswith("8 of 8 files (100 %), ")
    assert lines[1].startswith("4 of 8 files converted in ")
    assert lines[1].endswith("/s), 4 rejected")
    assert lines[-1] == f"hint: see {out / 'rejected.parquet'}, most often: empty_file (2)"


def test_json_is_one_object_on_stdout(folder, out):
    done = run(folder, out, "--json", "--quiet")
    summary = json.loads(done.stdout)
    assert (summary["num_converted"], summary["rejections"]["no_rhythm"]) == (4, 1)
    assert done.stderr == ""


def test_the_same_command_again_says_that_it_is_complete(folder, out):
    run(folder, out)
    again = run(folder, out)
    assert again.returncode == 0
    assert "already complete: 4 of 7 files converted, 3 rejected" in again.stderr


def test_several_sources_may_be_given(folder, out, tmp_path):
    paths = tmp_path / "list.txt"
    paths.write_text(f"{folder / '2.xml'}\n")
    summary = json.loads(run(folder / "0.xml", str(folder / "[01].xml"), paths, out, "--json").stdout)
    assert summary["num_converted"] == 3


def test_too_many_rejections_give_exit_code_3_and_a_store_all_the_same(folder, out):
    done = run(folder, out, "--max-rejected", 40)
    assert done.returncode == 3
    assert "error: 42.9 % of the files were rejected, more than 40 %" in done.stderr
    assert len(hfrisk.open(out).records) == 4
    assert run(folder, out, "--max-rejected", 43).returncode == 0


def test_the_log_is_one_json_object_a_line_with_counts_and_no_file_names(folder, out, tmp_path):
    run(folder, out, "--log-json", tmp_path / "log")
    text = (tmp_path / "log").read_text()
    events = [json.loads(line) for line in text.splitlines()]
    assert (events[0]["event"], events[1]["event"], events[-1]["event"]) == ("start", "progress", "end")
    assert events[-5]["num_done"] == 7
    assert {event["kind"]: event["num_files"] for event in events if event["event"] == "rejections"}["no_rhythm"] == 1
    assert (events[-1]["exit_code"], events[-1]["num_converted"], events[-1]["complete"]) == (0, 4, True)
    assert ".xml" not in text


def test_the_tables_at_the_end_fit_80_columns(folder, out):
    lines = run(folder, out).stderr.splitlines()
    assert any(line.split() == ["no_rhythm", "1", "14.29%"] for line in lines)
    assert max(len(line) for line in lines if not line.startswith("hint")) <= 80


@pytest.mark.parametrize("arguments", [("--part", "3/2", "a", "b"), ("--part", "x", "a", "b"), ("--verify", "a", "b"), ("a",)])
def test_wrong_usage_is_exit_code_2(arguments):
    assert run(*arguments).returncode == 2


def test_parts_then_finish_give_the_bytes_of_one_run(folder, out, tmp_path):
    convert(folder, tmp_path / "whole")
    assert run(folder, out, "--part", "2/2").returncode == 0
    early = run("--finish", out)
    assert early.returncode == 1
    assert "lacks 1 of 1 shards" in early.stderr
    run(folder, out, "--part", "1/2")
    with pytest.raises(StoreError, match="not complete"):
        hfrisk.open(out)
    assert run("--finish", out).returncode == 0
    assert bytes_of(out) == bytes_of(tmp_path / "whole")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{tmp}/absent", "{tmp}/out"), "cannot read `{tmp}/absent`"),
        (("{tmp}/none", "{tmp}/out"), "no ECG file found in `{tmp}/none`"),
        (("{tmp}/xml", "{tmp}/xml"), "holds other files"),
        (("{tmp}/xml", "{tmp}/xml/0.xml"), "is a file"),
        (("{tmp}/xml", "/proc/out"), "cannot make the folder `/proc/out`"),
    ],
)
def test_a_mistake_gives_one_sentence_a_hint_and_exit_code_1(folder, tmp_path, arguments, message):
    (tmp_path / "none").mkdir()
    before = bytes_of(folder)
    done = run(*(argument.format(tmp=tmp_path) for argument in arguments))
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert message.format(tmp=tmp_path) in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr
    assert bytes_of(folder) == before


@pytest.mark.skipif(sys.platform == "win32", reason="limits are POSIX's")
def test_a_disk_that_takes_no_more_leaves_nothing_under_a_final_name(folder, out):
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    done = run(folder, out, "--codec", "none", preexec_fn=limit)
    assert done.returncode == 1
    assert "error: cannot write" in done.stderr
    assert not (out / "ecg.zarr/signals/c").exists()
    assert not (out / "records.parquet").exists()
    assert run(folder, out, "--codec", "none").returncode == 0


@pytest.fixture
def listening():
    """Children hear Ctrl-C even where this process was started in the background, which ignores it and has its children ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("listening")
@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_ctrl_c_stops_at_once_and_the_same_command_continues(tmp_path, out):
    folder = tmp_path / "many"
    folder.mkdir()
    (tmp_path / "one.xml").write_bytes(muse_xml.muse_xml(muse_xml.random_leads()))
    for number in range(6000):
        os.link(tmp_path / "one.xml", folder / f"{number}.xml")
    command = [sys.executable, "-m", "hfrisk.convert", str(folder), str(out), "--codec", "zstd", "--threads", "1"]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not (out / "plan.parquet").exists() and child.poll() is None:
        time.sleep(0.005)
    child.send_signal(signal.SIGINT)
    _, stderr = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "the same command continues" in stderr
    assert not (out / "records.parquet").exists()
    assert not (out / ".hfrisk.partial").exists()
    summary = convert(folder, out, codec="zstd")
    assert summary.num_converted == 6000


def test_the_command_imports_nothing_heavy():
    heavy = "{'torch', 'polars', 'matplotlib', 'numpy', 'rich.progress'}"
    code = f"import sys, hfrisk.convert; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
