"""`hfrisk-convert --dask`: a cluster of real processes gives the bytes of a local run, whatever happens to them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

import muse_xml
from hfrisk.convert import convert
from hfrisk.errors import StoreError
from store_files import bytes_of, link_recordings

pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL and hard links are POSIX's")

NUM_SHARDS = 3
SCHEDULER = ("-m", "distributed.cli.dask_scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard")
WORKER = "from distributed.cli.dask_worker import main; import sys; {before}; sys.argv[0] = 'dask worker'; main()"


class Cluster:
    """A scheduler and workers, each a process of its own with one thread; the scheduler's file is its address."""

    def __init__(self, folder, num_workers, **environment):
        self.folder = folder
        self.environment = {**os.environ, **environment}
        self.address = str(folder / "scheduler.json")
        self.processes = []
        self.scheduler = self._start("scheduler", *SCHEDULER, "--scheduler-file", self.address)
        self.wait((folder / "scheduler.json").exists)
        self.workers = [self.start_worker(str(number)) for number in range(num_workers)]

    def start_worker(self, name, before="pass"):
        arguments = ("--scheduler-file", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
        worker = self._start(name, "-c", WORKER.format(before=before), *arguments)
        self.wait(lambda: "Registered to" in (self.folder / name).read_text())
        return worker

    def _start(self, name, *arguments):
        with (self.folder / name).open("w") as log:
            self.processes.append(
                subprocess.Popen([sys.executable, *arguments], cwd=self.folder, env=self.environment, stdout=log, stderr=log)
            )
        return self.processes[-1]

    def wait(self, condition):
        while not condition():
            assert all(process.poll() is None for process in self.processes), "a process of the cluster has ended"
            time.sleep(0.02)

    def stop(self):
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("cluster"), 1)
    yield cluster
    cluster.stop()


@pytest.fixture
def other_cluster(tmp_path):
    (tmp_path / "cluster").mkdir()
    cluster = Cluster(tmp_path / "cluster", 0)
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Shards of small files: three recordings and a file that is none, linked often."""
    folder = tmp_path_factory.mktemp("xml")
    originals = tmp_path_factory.mktemp("originals")
    link_recordings(folder, originals, (NUM_SHARDS - 1) * 512 + 100)
    return folder


@pytest.fixture(scope="module")
def local(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("local")
    return convert(folder, out, codec="zstd"), bytes_of(out)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "hfrisk.convert", *map(str, arguments)], capture_output=True, text=True, check=False)


def done_shards(out):
    """Inode and time of each shard whose record part is there."""
    parts = [int(path.stem.removeprefix("part-")) for path in (out / "records").glob("part-*.parquet")]
    stats = {shard: (out / f"ecg.zarr/signals/c/{shard}/0/0").stat() for shard in parts}
    return {shard: (stat.st_ino, stat.st_mtime_ns) for shard, stat in stats.items()}


def test_a_worker_that_is_killed_costs_its_shards_only_and_the_bytes_are_those_of_a_local_run(cluster, folder, local, out):
    victim = cluster.start_worker("victim")
    killed, heard = [], []

    def listener(progress):
        heard.append(progress)
        busy = list(out.glob(".hfrisk.partial/helper-*"))
        if not killed and len(busy) == 2:
            before = done_shards(out)
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            cluster.processes.remove(victim)
            killed.append(before)

    summary = convert(folder, out, codec="zstd", dask=cluster.address, on_progress=listener)
    after = done_shards(out)
    assert {shard: after[shard] for shard in killed[0]} == killed[0]
    assert len(killed[0]) < NUM_SHARDS
    assert bytes_of(out) == local[1]
    assert (summary.num_converted, summary.rejections) == (local[0].num_converted, local[0].rejections)
    assert (heard[0].num_done, heard[-1].num_done, heard[-1].num_files) == (0, summary.num_files, summary.num_files)


def test_the_command_says_and_logs_what_it_does_locally(cluster, tmp_path, out):
    (tmp_path / "xml").mkdir()
    for row in range(3):
        (tmp_path / "xml" / f"{row}.xml").write_bytes(muse_xml.muse_xml(muse_xml.random_leads(row)))
    (tmp_path / "xml" / "empty.xml").touch()
    here = run(tmp_path / "xml", tmp_path / "here", "--json")
    there = run(tmp_path / "xml", out, "--json", "--dask", cluster.address, "--log-json", tmp_path / "log")
    assert here.returncode == there.returncode == 3
    summaries = [json.loads(done.stdout) for done in (here, there)]
    assert {**summaries[0], "seconds": 0} == {**summaries[1], "seconds": 0}
    assert "4 of 4 files (100 %)" in there.stderr
    assert [line.split() for line in there.stderr.splitlines() if line.startswith("empty_file")] == [["empty_file", "1", "25.00%"]]
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [event["event"] for event in events] == ["start", "progress", "progress", "rejections", "end"]
    assert bytes_of(out) == bytes_of(tmp_path / "here")


def test_ctrl_c_cancels_and_the_same_command_continues(cluster, folder, local, out):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # children hear it even where this process ignores it
    try:
        command = [sys.executable, "-m", "hfrisk.convert", str(folder), str(out), "--codec", "zstd", "--dask", cluster.address]
        child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        cluster.wait(lambda: child.poll() is not None or any(out.glob("records/part-*")))
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate()
    finally:
        signal.signal(signal.SIGINT, before)
    assert child.returncode == 130
    assert "the same command continues" in stderr
    cluster.wait(lambda: not any(out.glob(".hfrisk.partial/helper-*")))
    kept = done_shards(out)
    assert 0 < len(kept) < NUM_SHARDS
    convert(folder, out, codec="zstd", dask=cluster.address)
    assert {shard: done_shards(out)[shard] for shard in kept} == kept
    assert bytes_of(out) == local[1]


def test_nobody_else_may_write_meanwhile(cluster, folder, out):
    refusals = []

    def listener(progress):
        if progress.num_files and not refusals:
            for others in ({}, {"part": (1, 2)}, {"dask": cluster.address}):
                with pytest.raises(StoreError, match="being written") as caught:
                    convert(folder, out, **others)
                refusals.append(caught.value.hint)

    convert(folder, out, dask=cluster.address, on_progress=listener)
    assert len(refusals) == 3


def test_a_store_grows_on_the_cluster_too(cluster, tmp_path, out):
    (tmp_path / "xml").mkdir()
    for row in range(2):
        (tmp_path / "xml" / f"{row}.xml").write_bytes(muse_xml.muse_xml(muse_xml.random_leads(row)))
        convert(tmp_path / "xml", tmp_path / "here")
        summary = convert(tmp_path / "xml", out, dask=cluster.address)
        assert (summary.num_files, summary.num_new_files) == (row + 1, 1)
    assert bytes_of(out) == bytes_of(tmp_path / "here")
    assert convert(tmp_path / "xml", out, dask=cluster.address).num_files_read == 0
    assert convert(tmp_path / "xml", out, dask=cluster.address, overwrite=True).num_new_files == 2


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nonsense", "no address"),
        ("foo://host:1", "no address"),
        ("absent.json", "no scheduler file"),
        ("127.0.0.1:1", "no Dask scheduler answers"),
    ],
)
def test_a_wrong_address_is_a_sentence_with_a_hint(folder, out, monkeypatch, address, message):
    monkeypatch.setattr("hfrisk.convert.cluster.SECONDS_FOR_SCHEDULER", 0.2)
    with pytest.raises(StoreError, match=message) as caught:
        convert(folder, out, dask=address)
    assert "dask scheduler" in caught.value.hint
    assert not out.exists()


def test_a_missing_package_is_named_with_the_extra_that_brings_it(folder, out, monkeypatch):
    monkeypatch.delitem(sys.modules, "hfrisk.convert.cluster", raising=False)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(StoreError, match="`distributed`") as caught:
        convert(folder, out, dask="127.0.0.1:1")
    assert caught.value.hint == "pip install 'hfrisk[dask]'"


def test_a_scheduler_without_workers_is_a_sentence(other_cluster, folder, out, monkeypatch):
    monkeypatch.setattr("hfrisk.convert.cluster.SECONDS_WITHOUT_WORKERS", 0.2)
    with pytest.raises(StoreError, match="has no worker") as caught:
        convert(folder, out, dask=other_cluster.address)
    assert "dask worker" in caught.value.hint


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ("sys.modules['hfrisk'] = None", "has no hfrisk"),
        ("from hfrisk import _core; _core.__version__ = '0.0.7'", "has hfrisk 0.0.7, and this"),
    ],
)
def test_a_worker_with_another_hfrisk_or_none_is_named(other_cluster, folder, out, before, message):
    other_cluster.start_worker("other", before)
    with pytest.raises(StoreError, match=message) as caught:
        convert(folder, out, dask=other_cluster.address)
    assert "install the same hfrisk" in caught.value.hint


@pytest.mark.parametrize("case", ["xml /proc/self/cwd/out: does not see", "/proc/self/cwd/xml out: cannot read"])
def test_a_worker_that_does_not_see_the_files_is_named(cluster, folder, tmp_path, monkeypatch, case):
    source, store, message = re.split(r":? ", case, maxsplit=2)
    monkeypatch.chdir(tmp_path)  # the folder /proc/self/cwd is another one for every process
    (tmp_path / "xml").mkdir()
    os.link(folder / "0000.xml", tmp_path / "xml" / "0.xml")
    with pytest.raises(StoreError, match=message) as caught:
        convert(source, store, dask=cluster.address)
    assert "shared file system" in caught.value.hint
    assert not (tmp_path / "out/records").exists()


def test_a_scheduler_that_dies_ends_the_run_with_a_sentence_and_a_local_run_continues(other_cluster, folder, local, out):
    other_cluster.start_worker("one")

    def listener(_progress):
        if any(out.glob("records/part-*")):
            other_cluster.scheduler.kill()

    with pytest.raises(StoreError, match="scheduler has gone away"):
        convert(folder, out, codec="zstd", dask=other_cluster.address, on_progress=listener)
    kept = done_shards(out)
    other_cluster.stop()
    convert(folder, out, codec="zstd")
    assert {shard: done_shards(out)[shard] for shard in kept} == kept
    assert bytes_of(out) == local[1]


@pytest.mark.parametrize("case", ["0: died, 1 in all", "3: lost all its workers"])
def test_workers_that_are_all_lost_are_a_sentence(folder, tmp_path, out, monkeypatch, case):
    failures, message = case.split(": ")
    monkeypatch.setattr("hfrisk.convert.cluster.SECONDS_WITHOUT_WORKERS", 0.2)
    monkeypatch.setattr("hfrisk.convert.cluster.SECONDS_BETWEEN_LOOKS", 0.2)
    (tmp_path / "cluster").mkdir()
    cluster = Cluster(tmp_path / "cluster", 1, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=failures)

    def listener(_progress):
        if any(out.glob(".hfrisk.partial/helper-*/shard-*")):
            cluster.workers[0].kill()

    try:
        with pytest.raises(StoreError, match=message) as caught:
            convert(folder, out, codec="zstd", dask=cluster.address, on_progress=listener)
    finally:
        cluster.stop()
    assert "the same command continues" in caught.value.hint


def test_an_error_of_a_worker_is_that_of_the_command(cluster, folder, out):
    def interrupt(_progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(folder, out, on_progress=interrupt)
    shutil.rmtree(out / "records", ignore_errors=True)
    (out / "records").touch()
    with pytest.raises(StoreError, match=r"cannot make the folder `.*records`"):
        convert(folder, out, dask=cluster.address)


def test_a_leader_that_is_killed_is_followed_by_the_same_command(cluster, folder, local, out):
    child = subprocess.Popen([sys.executable, "-m", "hfrisk.convert", str(folder), str(out), "--codec", "zstd", "--dask", cluster.address])
    cluster.wait(lambda: child.poll() is not None or any(out.glob("records/part-*")))
    child.kill()
    child.wait()
    kept = done_shards(out)
    assert kept
    convert(folder, out, codec="zstd", dask=cluster.address)
    assert {shard: done_shards(out)[shard] for shard in kept} == kept
    assert bytes_of(out) == local[1]


@pytest.mark.parametrize("case", ["version: has hfrisk", "plan: sees another store", "out: does not see", "sample: cannot read"])
def test_a_worker_that_comes_late_looks_for_itself(folder, out, case):
    from hfrisk import _core
    from hfrisk.convert.cluster import convert_shards

    wrong, message = case.split(": ")
    conversion = _core.SharedConversion([str(folder)], str(out))
    right = {"out": str(out), "plan_id": conversion.plan_id, "version": _core.__version__, "sample": str(folder / "0000.xml")}
    other = {"out": str(out / "absent"), "plan_id": conversion.plan_id + 1, "version": "0.0.7", "sample": str(folder / "absent.xml")}
    key = "plan_id" if wrong == "plan" else wrong
    with pytest.raises(StoreError, match=message) as caught:
        convert_shards(**{**right, key: other[key]}, shards=[NUM_SHARDS - 1])
    assert caught.value.hint
    assert convert_shards(**right, shards=[NUM_SHARDS - 1])["num_rejected"] > 0
    conversion.release()
