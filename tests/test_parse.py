"""`hfrisk.parse` against real files and made-up ones."""

import base64
import datetime as dt
import gc
import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lxml.etree
import numpy as np
import pytest

import hfrisk
import muse_xml

FIXTURES = Path(__file__).parents[2] / "shared" / "fixtures"
ORACLE = json.loads((FIXTURES / "oracle.json").read_text()) if FIXTURES.is_dir() else {}
MUSE_FILES = [name for name, entry in ORACLE.items() if entry["format"] == "muse"]


@pytest.fixture
def content():
    return muse_xml.muse_xml(muse_xml.random_leads())


@pytest.mark.parametrize("name", MUSE_FILES)
def test_counts_of_real_files_equal_the_oracle(name):
    recording = hfrisk.parse(FIXTURES / name, native=True, strict=True)
    rhythm = ORACLE[name]["waveforms"]["Rhythm"]
    assert recording.sampling_rate_hz == rhythm["fs"]
    for lead, expected in rhythm["leads"].items():
        signal = recording.signal[recording.lead_names.index(lead)]
        counts = np.rint(signal / recording.lsb_uv[lead]).astype("<i2")
        assert recording.lsb_uv[lead] == np.float32(expected["upb"])
        assert (counts.size, int(counts.sum(dtype=np.int64))) == (expected["n"], expected["sum"])
        assert zlib.crc32(counts.tobytes()) == expected["crc32_i16le"]


@pytest.mark.parametrize("name", MUSE_FILES)
def test_signals_of_real_files_equal_lxml_and_numpy(name):
    root = lxml.etree.parse(FIXTURES / name, lxml.etree.XMLParser(load_dtd=False, no_network=True))
    block = next(found for found in root.findall("Waveform") if found.findtext("WaveformType").strip() == "Rhythm")
    leads = {
        lead.findtext("LeadID"): np.frombuffer(base64.b64decode(lead.findtext("WaveFormData")), "<i2") for lead in block.findall("LeadData")
    }
    expected = muse_xml.twelve_leads_uv(leads, gain=float(block.findtext("LeadData/LeadAmplitudeUnitsPerBit")))
    assert np.array_equal(hfrisk.parse(FIXTURES / name).signal, expected)


def test_a_limit_of_size_is_kept_and_must_be_positive(content):
    with pytest.raises(hfrisk.ParseError, match="more than the limit of 10485") as caught:
        hfrisk.parse(content, max_file_mb=0.01)
    assert caught.value.kind == "too_large"
    for limit in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="max_file_mb"):
            hfrisk.parse(content, max_file_mb=limit)


def test_the_signal_is_twelve_leads_in_microvolts(content):
    recording = hfrisk.parse(content)
    assert recording.signal.dtype == np.float32
    assert recording.lead_names == ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
    assert np.array_equal(recording.signal, muse_xml.twelve_leads_uv(muse_xml.random_leads()))


def test_what_the_header_says_comes_through(content):
    recording = hfrisk.parse(content)
    assert recording.acquired_at == dt.datetime(2019, 3, 14, 8, 30, 5)  # noqa: DTZ001 - the cart's clock knows no zone
    assert (recording.age_years, recording.sex, recording.device, recording.dialect) == (61.0, "female", "MAC55", "muse")
    assert recording.measurements["ventricular_rate_bpm"] == 72
    assert recording.measurements["pr_interval_ms"] is None
    assert set(recording.original_measurements.values()) == {None}
    assert recording.statements == ["Normal sinus rhythm"]
    assert recording.num_leads_stored == 8
    assert recording.flags == frozenset()


def test_statements_are_left_out_when_not_wanted(content):
    assert hfrisk.parse(content, keep_statements=False).statements == []


def test_a_path_and_its_bytes_give_the_same(content, tmp_path):
    path = tmp_path / "a.xml"
    path.write_bytes(content)
    from_path, from_text, from_bytes = hfrisk.parse(path), hfrisk.parse(str(path)), hfrisk.parse(content)
    assert from_path.payload_hash == from_text.payload_hash == from_bytes.payload_hash
    assert np.array_equal(from_path.signal, from_bytes.signal)


def test_native_keeps_rate_and_length():
    content = muse_xml.muse_xml(muse_xml.random_leads(num_samples=2500), rate=250)
    native, stored = hfrisk.parse(content, native=True), hfrisk.parse(content)
    assert (native.signal.shape, native.sampling_rate_hz) == ((12, 2500), 250.0)
    assert (stored.signal.shape, stored.sampling_rate_hz, stored.native_sampling_rate_hz) == ((12, 5000), 500.0, 250.0)
    assert "resampled" in stored.flags


def test_a_parse_error_names_the_file_the_kind_and_the_place(content, tmp_path):
    path = tmp_path / "cut.xml"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(hfrisk.ParseError) as caught:
        hfrisk.parse(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert caught.value.kind == "truncated"
    assert caught.value.byte_offset > 0


def test_a_parse_error_of_bytes_names_no_file():
    with pytest.raises(hfrisk.ParseError) as caught:
        hfrisk.parse(b"")
    assert (caught.value.message, caught.value.kind, caught.value.byte_offset) == ("the file is empty", "empty_file", None)


def test_strict_refuses_a_wrong_checksum():
    content = muse_xml.muse_xml(muse_xml.random_leads(), crc=12345)
    assert "crc_mismatch" in hfrisk.parse(content).flags
    with pytest.raises(hfrisk.ParseError) as caught:
        hfrisk.parse(content, strict=True)
    assert caught.value.kind == "crc_mismatch"


def test_a_missing_file_is_pythons_own_error(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        hfrisk.parse(tmp_path / "absent.xml")
    assert caught.value.filename == tmp_path / "absent.xml"


def test_a_folder_is_no_recording(tmp_path):
    with pytest.raises(hfrisk.ParseError, match="it is a folder") as caught:
        hfrisk.parse(tmp_path)
    assert caught.value.kind == "unreadable"


def test_no_text_of_the_file_is_in_an_error_or_a_repr():
    content = muse_xml.muse_xml({"I": np.zeros(5000, np.int16)}, name="HONG")
    with pytest.raises(hfrisk.ParseError) as caught:
        hfrisk.parse(content)
    good = hfrisk.parse(muse_xml.muse_xml(muse_xml.random_leads(), name="HONG"))
    assert all("HONG" not in text and "00012345" not in text for text in (str(caught.value), repr(good)))


def test_something_else_than_a_path_or_bytes_is_a_type_error():
    with pytest.raises(TypeError):
        hfrisk.parse(3)


def test_a_recording_stays_as_it_is_when_others_are_parsed(content):
    first = hfrisk.parse(content)
    signal, measurements = first.signal.copy(), dict(first.measurements)
    for seed in range(1, 4):
        hfrisk.parse(muse_xml.muse_xml(muse_xml.random_leads(seed), measurements=(("QTInterval", seed),)))
    assert np.array_equal(first.signal, signal)
    assert first.measurements == measurements
    assert first.measurements is first.measurements


def test_options_and_buffers_of_one_call_do_not_reach_the_next(content):
    wrong = muse_xml.muse_xml(muse_xml.random_leads(), crc=12345)
    long = muse_xml.muse_xml(muse_xml.random_leads(1, num_samples=9000))
    for _ in range(2):
        with pytest.raises(hfrisk.ParseError):
            hfrisk.parse(wrong, strict=True)
        assert hfrisk.parse(wrong, keep_statements=False).statements == []
        assert hfrisk.parse(long, native=True).signal.shape == (12, 9000)
        assert "cut" in hfrisk.parse(long).flags
        recording = hfrisk.parse(content)
        assert (recording.statements, recording.flags) == (["Normal sinus rhythm"], frozenset())
        assert np.array_equal(recording.signal, muse_xml.twelve_leads_uv(muse_xml.random_leads()))


def test_files_of_any_order_of_sizes_are_read_whole(tmp_path):
    path = tmp_path / "a.xml"
    for num_samples in (5000, 20000, 4999, 5000, 20000):
        content = muse_xml.muse_xml(muse_xml.random_leads(num_samples, num_samples=num_samples))
        path.write_bytes(content)
        assert np.array_equal(hfrisk.parse(path, native=True).signal, hfrisk.parse(content, native=True).signal)


def test_threads_parse_side_by_side():
    leads = [muse_xml.random_leads(seed) for seed in range(8)]
    contents = [muse_xml.muse_xml(lead) for lead in leads]
    expected = [muse_xml.twelve_leads_uv(lead) for lead in leads]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(hfrisk.parse, contents * 8))
    assert all(np.array_equal(recording.signal, expected[number % 8]) for number, recording in enumerate(found))


def test_parsing_may_begin_while_a_file_is_being_parsed(content):
    other = muse_xml.muse_xml(muse_xml.random_leads(1))
    inner = []

    class Source:
        def __fspath__(self):
            inner.append(hfrisk.parse(other))
            return "/absent"

    def collect(phase, _info):
        if phase == "stop":
            inner.append(hfrisk.parse(other))

    threshold = gc.get_threshold()
    gc.callbacks.append(collect)
    try:
        gc.set_threshold(1, 1, 1)
        outer = hfrisk.parse(content)
        with pytest.raises(FileNotFoundError):
            hfrisk.parse(Source())
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(collect)
    assert np.array_equal(outer.signal, muse_xml.twelve_leads_uv(muse_xml.random_leads()))
    assert all(np.array_equal(recording.signal, muse_xml.twelve_leads_uv(muse_xml.random_leads(1))) for recording in inner)
    assert inner
