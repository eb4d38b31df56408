"""ECG paper: the scale, the order of the leads, and what is refused."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from lxml import etree

import hfrisk
from hfrisk import plot
from hfrisk.errors import ConfigError, DataError

WAVEFORMS = Path(__file__).parent.parent.parent / "shared" / "waveforms" / "cpsc60.npz"
MM = 1 / 25.4


def ramps():
    """Lead number i steps from 0 to (i + 1) * 100 µV in the middle of each quarter."""
    time = np.arange(5000) / 500
    return ((np.arange(12)[:, None] + 1) * 100 * ((time % 2.5) >= 1.25)).astype(np.float32)


def artists(figure, prefix):
    return [line for line in figure.axes[0].lines if (line.get_gid() or "").startswith(prefix)]


def inches(figure, line):
    """Points of a line as they lie on the paper."""
    return figure.dpi_scale_trans.inverted().transform(line.get_transform().transform(line.get_xydata()))


def test_a_millivolt_is_ten_millimetres_and_a_second_twenty_five():
    signal = np.zeros((12, 5000), np.float32)
    signal[1, 2500:3000] = 1000
    figure = plot.draw_ecg(signal)
    rhythm = inches(figure, artists(figure, "trace-II")[-1])
    assert np.ptp(rhythm[:, 1]) == pytest.approx(10 * MM, abs=1e-9)
    assert rhythm[1000, 0] - rhythm[500, 0] == pytest.approx(25 * MM, abs=1e-9)


def test_the_calibration_pulse_is_a_millivolt_high_and_a_fifth_of_a_second_wide():
    figure = plot.draw_ecg(ramps())
    pulses = artists(figure, "pulse")
    assert len(pulses) == 4
    for pulse in pulses:
        points = inches(figure, pulse)
        assert np.ptp(points[:, 1]) == pytest.approx(10 * MM)
        assert points[3, 0] - points[2, 0] == pytest.approx(5 * MM)


@pytest.mark.parametrize("millimetres", [1, 5])
def test_grid_lines_are_one_and_five_millimetres_apart(millimetres):
    figure = plot.draw_ecg(ramps())
    patch = next(patch for patch in figure.axes[0].patches if patch.get_gid() == f"grid-{millimetres}mm")
    corners = figure.dpi_scale_trans.inverted().transform(patch.get_transform().transform(patch.get_path().vertices))
    for axis in (0, 1):
        assert np.diff(np.unique(corners[:, axis].round(6))) == pytest.approx(millimetres * MM, abs=2e-6)


def test_every_baseline_lies_on_a_thick_line():
    figure = plot.draw_ecg(ramps())
    assert all(pulse.get_ydata()[0] % 5 == 0 for pulse in artists(figure, "pulse"))


def test_columns_follow_each_other_in_time_over_the_rhythm_strip():
    signal = ramps()
    figure = plot.draw_ecg(signal)
    *grid, rhythm = artists(figure, "trace")
    assert [line.get_gid() for line in grid] == [f"trace-{lead}" for row in plot.GRID_LEADS for lead in row]
    for row in range(3):
        x = np.concatenate([line.get_xdata() for line in grid[4 * row : 4 * row + 4]])
        assert x == pytest.approx(rhythm.get_xdata())


def test_each_trace_is_its_own_lead():
    figure = plot.draw_ecg(ramps())
    for line in artists(figure, "trace"):
        lead = plot.LEADS.index(line.get_gid().removeprefix("trace-"))
        assert np.ptp(line.get_ydata()) == pytest.approx(lead + 1)


def test_an_offset_of_a_lead_does_not_move_it_off_its_line():
    signal = ramps()
    lifted = signal + np.float32(4000)
    for plain, moved in zip(artists(plot.draw_ecg(signal), "trace"), artists(plot.draw_ecg(lifted), "trace"), strict=True):
        assert moved.get_ydata() == pytest.approx(plain.get_ydata())


def test_the_paper_grows_for_tall_qrs_but_stays_within_a_sheet():
    small, tall = plot.draw_ecg(ramps()), plot.draw_ecg(50 * ramps())
    assert small.get_figheight() < tall.get_figheight() <= 200 * MM
    assert tall.get_figwidth() == small.get_figwidth() <= 277 * MM


def test_neighbouring_rows_do_not_touch_when_the_paper_can_grow():
    signal = np.zeros((12, 5000), np.float32)
    signal[::2, 2000::500] = 2400
    signal[1::2, 2000::500] = -900
    figure = plot.draw_ecg(signal)
    rows = [artists(figure, "trace")[4 * i : 4 * i + 4] for i in range(3)]
    for upper, lower in itertools.pairwise(rows):
        for above, below in zip(upper, lower, strict=True):
            assert above.get_ydata().min() > below.get_ydata().max()


def test_missing_samples_leave_a_gap_and_a_missing_lead_an_empty_line():
    signal = ramps()
    signal[0, 100:200] = np.nan
    signal[2] = np.nan
    figure = plot.draw_ecg(signal)
    assert np.isnan(artists(figure, "trace-I")[0].get_ydata()).sum() == 100
    assert np.isnan(artists(figure, "trace-III")[0].get_ydata()).all()


def test_a_signal_at_another_rate_keeps_the_scale():
    figure = plot.draw_ecg(ramps()[:, ::2], sampling_rate_hz=250)
    assert np.ptp(artists(figure, "trace-II")[-1].get_xdata()) == pytest.approx(250, abs=0.2)


@pytest.mark.parametrize("shape", [(8, 5000), (12,), (12, 3)])
def test_a_signal_of_another_shape_is_refused(shape):
    with pytest.raises(DataError, match="shape"):
        plot.draw_ecg(np.zeros(shape, np.float32))


def test_a_row_without_a_recording_is_refused():
    with pytest.raises(DataError, match="no finite sample"):
        plot.draw_ecg(np.full((12, 5000), np.nan, np.float32))


@pytest.mark.parametrize(("suffix", "magic"), [(".svg", b"<?xml"), (".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_a_picture_is_written_in_the_format_of_its_name_and_always_the_same(tmp_path, monkeypatch, suffix, magic):
    monkeypatch.setitem(vars(hfrisk), "parse", lambda _source: SimpleNamespace(signal=ramps()))
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    plot.run(tmp_path / "ecg.xml", None, first)
    plot.run(tmp_path / "ecg.xml", None, second)
    assert first.read_bytes().startswith(magic)
    assert first.read_bytes() == second.read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def test_an_svg_has_the_true_size(tmp_path):
    plot.save(plot.draw_ecg(ramps()), tmp_path / "ecg.svg")
    assert float(etree.parse(tmp_path / "ecg.svg").getroot().get("width").removesuffix("pt")) == pytest.approx(270 * 72 / 25.4, abs=1e-3)


def test_a_row_of_a_store_is_drawn(tmp_path, monkeypatch):
    asked = []
    store = SimpleNamespace(read=lambda rows: (asked.extend(rows), ramps()[None])[1])
    monkeypatch.setitem(vars(hfrisk), "open", lambda _source: store)
    plot.run(tmp_path, 7, tmp_path / "ecg.svg")
    assert asked == [7]


def test_a_store_without_a_row_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="a row is needed") as caught:
        plot.run(tmp_path, None, tmp_path / "ecg.svg")
    assert caught.value.hint


def test_a_row_of_a_single_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="row 3 means nothing"):
        plot.run(tmp_path / "ecg.xml", 3, tmp_path / "ecg.svg")


def test_an_unknown_picture_format_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ConfigError, match=r"no picture format `\.bmp`"):
        plot.run(tmp_path / "absent.xml", None, tmp_path / "ecg.bmp")


@pytest.mark.skipif(not WAVEFORMS.exists(), reason="the real waveforms are not here")
def test_real_recordings_fit_on_a_sheet():
    with np.load(WAVEFORMS) as file:
        counts, lsb_uv = file["adc"], file["lsb_uv"]
    for recording in counts[::6]:
        i, ii, *chest = recording * lsb_uv
        figure = plot.draw_ecg(np.stack([i, ii, ii - i, -(i + ii) / 2, i - ii / 2, ii - i / 2, *chest]))
        assert figure.get_figheight() <= 200 * MM
