"""The store through hfrisk, stock zarr-python and tensorstore."""

import multiprocessing
import subprocess
import sys

import numpy as np
import pytest
import zarr

import hfrisk
import muse_xml
from hfrisk import codec as ecgpack_codec
from hfrisk.convert import convert
from hfrisk.errors import StoreError

CODECS = ("ecgpack", "zstd", "none")
NUM_FILES = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six files: five recordings, of which one has 250 Hz and one 4999 samples, and an empty file in row 2."""
    folder = tmp_path_factory.mktemp("xml")
    for row in range(NUM_FILES):
        leads = muse_xml.random_leads(row, num_samples={3: 2500, 4: 4999}.get(row, 5000))
        content = b"" if row == 2 else muse_xml.muse_xml(leads, rate=250 if row == 3 else 500)
        (folder / f"{row}.xml").write_bytes(content)
    return folder


@pytest.fixture(scope="module", params=CODECS)
def out(request, folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("store") / request.param
    convert(folder, out, codec=request.param)
    return out


@pytest.fixture(scope="module")
def expected(folder):
    """What `hfrisk.parse` gives for each row, NaN for the empty file."""
    empty = np.full((12, 5000), np.nan, np.float32)
    return np.stack([empty if row == 2 else hfrisk.parse(folder / f"{row}.xml").signal for row in range(NUM_FILES)])


def same_bits(found, expected):
    return np.array_equal(np.ascontiguousarray(found).view(np.uint32), expected.view(np.uint32)) or (
        np.array_equal(np.isnan(found), np.isnan(expected))
        and np.array_equal(np.nan_to_num(found).view(np.uint32), np.nan_to_num(expected).view(np.uint32))
    )


def test_a_store_reads_back_what_parse_gives(out, expected):
    store = hfrisk.open(out)
    assert len(store) == NUM_FILES
    assert same_bits(store.read(range(NUM_FILES)), expected)


def test_stock_zarr_reads_the_same_bits(out, expected):
    zarr.registry.register_codec("hfrisk.ecgpack", ecgpack_codec.EcgPack)
    signals = zarr.open(out / "ecg.zarr", mode="r")["signals"]
    assert signals.shape == expected.shape
    assert signals.dtype == np.float32
    assert all(same_bits(signals[row], expected[row]) for row in range(NUM_FILES))
    assert signals.metadata.dimension_names == ("recording", "lead", "sample")
    assert signals.attrs["leads"] == list(hfrisk.parse(muse_xml.muse_xml(muse_xml.random_leads())).lead_names)


def test_tensorstore_reads_the_core_codecs(out, expected):
    if out.name == "ecgpack":
        pytest.skip("ecgpack is for readers with hfrisk")
    import tensorstore

    kvstore = {"driver": "file", "path": str(out / "ecg.zarr" / "signals")}
    signals = tensorstore.open({"driver": "zarr3", "kvstore": kvstore}, read=True).result()
    assert same_bits(signals.read().result(), expected)


def test_rows_may_come_in_any_order_and_repeatedly(out, expected):
    rows = [5, 0, 5, 4]
    assert same_bits(hfrisk.open(out, num_threads=3).read(rows), expected[rows])


def test_a_single_number_and_no_row_are_batches_too(out):
    store = hfrisk.open(out, num_threads=1)
    assert store.read(1).shape == (1, 12, 5000)
    assert store.read([]).shape == (0, 12, 5000)


def test_read_into_fills_the_callers_memory(out, expected):
    ring = np.zeros((3, 2, 12, 5000), np.float32)
    hfrisk.open(out).read_into(np.array([1, 0]), ring[1])
    assert same_bits(ring[1], expected[[1, 0]])
    assert not ring[0].any()
    assert not ring[2].any()


def test_the_group_itself_opens_the_same_store(out):
    assert len(hfrisk.open(out / "ecg.zarr")) == NUM_FILES


def test_records_list_the_rows_that_hold_a_recording(out):
    records = hfrisk.open(out).records
    assert records["row"].to_list() == [0, 1, 3, 4, 5]
    assert records["ecg_file"].to_list() == ["0.xml", "1.xml", "3.xml", "4.xml", "5.xml"]


@pytest.fixture(scope="module")
def packed(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("packed")
    convert(folder, out)
    return hfrisk.open(out)


def test_counts_times_gain_are_the_microvolts_of_the_eight_leads(packed, expected):
    counts, lsb_uv = np.empty((3, 8, 5000), np.int16), np.empty((3, 8), np.float32)
    packed.read_counts_into([0, 5, 2], counts, lsb_uv)
    microvolts = counts[:2] * lsb_uv[:2, :, None]
    assert same_bits(microvolts.astype(np.float32), expected[[0, 5]][:, [0, 1, 6, 7, 8, 9, 10, 11]])
    assert np.isnan(lsb_uv[2]).all()
    assert not counts[2].any()


@pytest.mark.parametrize("row", [-1, NUM_FILES, 2**62])
def test_a_row_beyond_the_store_is_named(packed, row):
    with pytest.raises(StoreError, match=rf"row {row} does not exist: the store has 6 rows") as caught:
        packed.read([0, row])
    assert caught.value.hint


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (np.empty((2, 12, 5000)), TypeError, "float64, expected float32"),
        (np.empty((1, 12, 5000), np.float32), ValueError, "shape"),
        (np.empty((2, 5000, 12), np.float32).transpose(0, 2, 1), ValueError, "C-contiguous"),
        (np.broadcast_to(np.float32(0), (2, 12, 5000)), ValueError, "writable"),
    ],
)
def test_memory_that_does_not_fit_is_refused(packed, out, error, message):
    with pytest.raises(error, match=message):
        packed.read_into([0, 1], out)


@pytest.mark.parametrize("rows", [[0.5], [[0]], ["0"]])
def test_rows_that_are_no_numbers_are_refused(packed, rows):
    with pytest.raises(ValueError, match="expected integers in one dimension"):
        packed.read(rows)


def test_a_place_without_a_store_is_refused_with_a_hint(tmp_path):
    with pytest.raises(StoreError, match="no ECG store at") as caught:
        hfrisk.open(tmp_path)
    assert "OUT" in caught.value.hint


def test_an_incomplete_store_is_refused_with_a_hint(folder, tmp_path):
    convert(folder, tmp_path)
    (tmp_path / "records.parquet").unlink()
    with pytest.raises(StoreError, match="is not complete") as caught:
        hfrisk.open(tmp_path)
    assert "hfrisk-convert" in caught.value.hint


def test_a_damaged_chunk_is_named_by_its_row(folder, tmp_path):
    convert(folder, tmp_path)
    shard = tmp_path / "ecg.zarr/signals/c/0/0/0"
    content = bytearray(shard.read_bytes())
    content[100] ^= 1
    shard.write_bytes(content)
    store = hfrisk.open(tmp_path)
    with pytest.raises(StoreError, match="row 0 in"):
        store.read([1, 0])
    store.read([1])


def _read_in_child(store, queue):
    try:
        store.read([0])
    except StoreError as error:
        queue.put(str(error))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork on this system")
def test_a_forked_child_is_told_so_and_does_not_hang(packed):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_read_in_child, args=(packed, queue))
    child.start()
    message = queue.get(timeout=60)
    child.join()
    assert "not to its fork" in message
    assert "spawn" in message


def test_importing_hfrisk_imports_nothing_heavy():
    heavy = "{'torch', 'polars', 'matplotlib', 'zarr', 'psycopg2', 'numpy', 'typer'}"
    code = f"import sys, hfrisk; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
