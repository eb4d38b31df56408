"""One HL7 aECG file of twelve leads to float32 (12, 5000)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from lxml import etree

from hfrisk import parse

if TYPE_CHECKING:
    from pathlib import Path

LEADS = ("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6")
LEAD_PREFIX = "MDC_ECG_LEAD_"
SEQUENCES = "{*}component/{*}series/{*}component/{*}sequenceSet/{*}component/{*}sequence"


def aecg_xml(counts: np.ndarray, lsb_uv: float) -> str:
    """Write twelve leads of 5000 counts as carts do: about twenty numbers a line, deeply indented."""
    indent = "\n" + " " * 36
    time = '<code code="TIME_ABSOLUTE"/><value xsi:type="GLIST_TS"><increment value="0.002" unit="s"/></value>'
    sequences = [f"<component><sequence>{time}</sequence></component>"]
    for name, lead in zip(LEADS, counts.tolist(), strict=True):
        lines = (" ".join(map(str, lead[begin : begin + 20])) for begin in range(0, len(lead), 20))
        sequences.append(
            f'<component><sequence><code code="{LEAD_PREFIX}{name}" codeSystem="2.16.840.1.113883.6.24"/><value xsi:type="SLIST_PQ">'
            f'<origin value="0" unit="uV"/><scale value="{lsb_uv}" unit="uV"/><digits> {indent.join(lines)} </digits>'
            "</value></sequence></component>\n"
        )
    return (
        '<AnnotatedECG xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><component><series>'
        '<code code="RHYTHM"/><effectiveTime><low value="20021122091000"/></effectiveTime><component><sequenceSet>\n'
        f"{''.join(sequences)}</sequenceSet></component></series></component></AnnotatedECG>\n"
    )


def read_with_lxml(path: Path, *, usual: bool) -> np.ndarray:
    """Read all leads with lxml: digits by `split` and `float`, as packages do, or by NumPy's own scanner, which is the best there is."""
    signal = np.empty((12, 5000), np.float32)
    for sequence in etree.parse(path).getroot().iterfind(SEQUENCES):
        name = sequence.find("{*}code").get("code")
        if not name.startswith(LEAD_PREFIX):
            continue
        value = sequence.find("{*}value")
        digits = value.findtext("{*}digits")
        counts = [float(number) for number in digits.split()] if usual else np.fromstring(digits, np.int16, sep=" ")
        scale = np.float32(value.find("{*}scale").get("value"))
        signal[LEADS.index(name.removeprefix(LEAD_PREFIX))] = np.asarray(counts, np.float32) * scale
    return signal


def read_with_ecgdatakit(parser, path: Path) -> np.ndarray:
    """Read all leads with the package ecgdatakit, which gives millivolts."""
    leads = {lead.label.upper(): lead.samples for lead in parser.parse(str(path)).leads}
    return np.stack([leads[name] for name in LEADS]) * 1000


@pytest.mark.usefixtures("one_core")
def test_parse_aecg(counts, compare, tmp_path):
    """Parse an aECG file of 60 000 numbers, 300 KB (one core)"""
    files = []
    for number, eight in enumerate(counts[:8]):
        one, two = eight[0] // 2 * 2, eight[1] // 2 * 2
        limb = np.stack([one, two, two - one, -(one + two) // 2, one - two // 2, two - one // 2])
        files.append(tmp_path / f"{number}.xml")
        files[-1].write_text(aecg_xml(np.concatenate([limb, eight[2:]]), 4.88), encoding="ascii")
    for path in files:
        ours = parse(path)
        assert ours.dialect == "aecg"
        assert np.array_equal(ours.signal, read_with_lxml(path, usual=True))
        assert np.array_equal(ours.signal, read_with_lxml(path, usual=False))

    package = pytest.importorskip("ecgdatakit").FileParser()
    for path in files:
        assert np.allclose(parse(path).signal, read_with_ecgdatakit(package, path), rtol=1e-6, atol=1e-6)

    compare(
        {
            "hfrisk.parse, with metadata": lambda: [parse(path) for path in files],
            "ecgdatakit: xmltodict, NumPy; with metadata": lambda: [package.parse(str(path)) for path in files],
            "lxml, numpy.fromstring; no metadata": lambda: [read_with_lxml(path, usual=False) for path in files],
            "lxml, split, float, NumPy; no metadata": lambda: [read_with_lxml(path, usual=True) for path in files],
        },
        items=len(files),
        unit="files",
        targets={"ecgdatakit: xmltodict, NumPy; with metadata": 20, "lxml, split, float, NumPy; no metadata": 20},
    )
