"""Run every bench and write RESULTS.md: machine, commit, medians, ratios, and each target met or missed."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import torch

HERE = Path(__file__).parent


def processor() -> str:
    """The processor's name as the system tells it."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def table(bench: dict[str, object]) -> list[str]:
    """One comparison as Markdown; the first contender is ours, and every ratio is how many times faster it is."""
    info = bench["extra_info"]
    medians = info["medians"]
    each = {name: seconds / info["items"][name] for name, seconds in medians.items()}
    ours, *_ = medians
    lines = [
        f"### {info['title']}",
        "",
        f"| contender | {info['unit']}/s | median | ours is | target | |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for name, seconds in medians.items():
        ratio = each[name] / each[ours]
        target = info["targets"].get(name)
        verdict = "" if target is None else "met" if ratio >= target else "**missed**"
        shown = "" if name == ours else f"{ratio:.2f} ×"
        wanted = "" if target is None else f"{target:g} ×"
        lines.append(f"| {name} | {1 / each[name]:,.0f} | {seconds * 1e3:.3f} ms | {shown} | {wanted} | {verdict} |")
    for note in info.get("notes", []):
        lines += ["", note]
    return [*lines, ""]


def gpu() -> list[str]:
    """What `gpu_feed.py` prints, where there is a GPU."""
    if not torch.cuda.is_available():
        text = "Not measured: this machine has no CUDA device. `make bench-gpu` prints the table on one that has."
        return ["### Training fed from a store on a GPU", "", text, ""]
    done = subprocess.run([sys.executable, str(HERE / "gpu_feed.py")], check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        return ["### Training fed from a store on a GPU", "", f"Not measured: `gpu_feed.py` ended with {done.returncode}.", ""]
    return [done.stdout.strip(), ""]


def main() -> int:
    """Run pytest on this folder and write the page."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "benches.json"
        command = [sys.executable, "-m", "pytest", str(HERE), "-c", str(HERE / "pytest.ini"), f"--benchmark-json={report}", *sys.argv[1:]]
        code = subprocess.run(command, check=False).returncode
        if code:
            return code
        results = json.loads(report.read_text(encoding="utf-8"))
    commit = results["commit_info"]
    lines = [
        "# Results",
        "",
        "Written by `make bench`. Contenders run in interleaved rounds in one process; figures are medians, ratios compare figures of the",
        "same run only. Every bench asserts that all contenders give the same values.",
        "",
        f"- processor: {processor()}, {len(os.sched_getaffinity(0))} cores seen; Python {platform.python_version()}",
        f"- commit: {commit['id'][:12]}{' with changes' if commit['dirty'] else ''}; {datetime.now(UTC):%Y-%m-%d}",
        "",
    ]
    for bench in results["benchmarks"]:
        lines += table(bench)
    lines += gpu()
    (HERE / "RESULTS.md").write_text("\n".join(lines), encoding="utf-8")
    print(f"wrote {HERE / 'RESULTS.md'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
