"""A finished store in S3-compatible storage, read through zarr-python with hfrisk's codec."""

import re
from pathlib import Path

import numpy as np
import pytest
import zarr
from zarr.storage import ObjectStore

import hfrisk
import muse_xml
from hfrisk.convert import convert

obstore = pytest.importorskip("obstore")
moto_server = pytest.importorskip("moto.server")

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
NUM_RECORDINGS = 3


@pytest.fixture(scope="module")
def server():
    """An S3 server of this process, on the loopback."""
    server = moto_server.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """A store of three recordings and a rejection."""
    folder, out = tmp_path_factory.mktemp("xml"), tmp_path_factory.mktemp("out")
    for row in range(NUM_RECORDINGS):
        (folder / f"{row}.xml").write_bytes(muse_xml.muse_xml(muse_xml.random_leads(row)))
    (folder / "z.xml").touch()
    convert(folder, out)
    return out


@pytest.fixture(scope="module")
def settings(server):
    """What S3Store takes to reach the bucket `ecg`."""
    import boto3

    keys = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing"}
    boto3.client("s3", endpoint_url=server, region_name="us-east-1", **keys).create_bucket(Bucket="ecg")
    return {"endpoint": server, "region": "us-east-1", "client_options": {"allow_http": True}, **keys}


@pytest.fixture(scope="module")
def uploaded(local, settings):
    store = obstore.store.S3Store("ecg", prefix="store", **settings)
    for path in sorted(local.rglob("*")):
        if path.is_file():
            store.put(path.relative_to(local).as_posix(), path)
    return settings


def test_rows_read_from_the_bucket_have_the_bits_of_the_local_ones(local, uploaded):
    store = obstore.store.S3Store("ecg", prefix="store/ecg.zarr", **uploaded)
    signals = zarr.open_group(ObjectStore(store, read_only=True), mode="r")["signals"]
    expected = hfrisk.open(local).read(range(NUM_RECORDINGS + 1))
    assert signals.shape == (NUM_RECORDINGS + 1, 12, 5000)
    for row in (2, 0, 3):
        assert np.asarray(signals[row]).tobytes() == expected[row].tobytes()
    assert np.asarray(signals[1:3, 4, 100:200]).tobytes() == expected[1:3, 4, 100:200].tobytes()


def test_the_example_of_the_readme_runs(uploaded, monkeypatch):
    example = next(text for text in re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL) if "S3Store" in text)
    for name in ("endpoint", "region", "aws_access_key_id", "aws_secret_access_key"):
        monkeypatch.setenv("AWS_" + name.removeprefix("aws_").upper(), uploaded[name])
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    names = {}
    exec(example, names)  # noqa: S102
    assert names["signals"].dtype == np.float32
    assert names["records"].height == NUM_RECORDINGS
