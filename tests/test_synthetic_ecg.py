"""Made-up ECGs and the MUSE files around them."""

import base64
import datetime as dt
import re
import zlib

import numpy as np
import pytest
from lxml import etree

from hfrisk.synthetic.body import MONTAGE, Noise
from hfrisk.synthetic.defects import BY_NAME, DEFECTS
from hfrisk.synthetic.ecg import LSB_UV, make_ecg, twelve_leads
from hfrisk.synthetic.heart import Heart
from hfrisk.synthetic.measurements import measure, statements
from hfrisk.synthetic.muse import Header, render

QUIET = Noise(wander_uv=0, mains_uv=0, muscle_uv=0)
ACQUIRED = dt.datetime.fromisoformat("2015-03-09T08:05:07")
LEADS = ["I", "II", "V1", "V2", "V3", "V4", "V5", "V6"]


def ecg_of(seed=0, *, noise=None, rate=500, **heart):
    return make_ecg(Heart(**heart), noise or Noise(), np.random.default_rng(seed), sampling_rate_hz=rate)


def file_of(ecg, **header):
    rng = np.random.default_rng(1)
    measured = measure(ecg, rng)
    person = {"patient_id": "SYN1", "last_name": "SYNTHETIC", "first_name": "PERSON", "age_years": 60, "is_male": True}
    return render(ecg, measured, statements(ecg, measured), Header(**person, acquired=ACQUIRED, **header))


def payloads(document, kind="Rhythm"):
    """Decoded bytes of each lead, through lxml."""
    root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True))
    found = {}
    for lead in root.xpath(f"Waveform[WaveformType='{kind}']/LeadData"):
        found[lead.findtext("LeadID")] = (base64.b64decode(lead.findtext("WaveFormData")), int(lead.findtext("LeadDataCRC32")))
    return found


GOOD = file_of(ecg_of())


def test_the_same_seed_gives_the_same_recording():
    assert np.array_equal(ecg_of(5).rhythm, ecg_of(5).rhythm)
    assert not np.array_equal(ecg_of(5).rhythm, ecg_of(6).rhythm)


def test_one_body_gives_the_same_lead_field_on_another_day():
    def averaged(day, body):
        ecg = make_ecg(Heart(), QUIET, np.random.default_rng(day), body=np.random.default_rng(body))
        return ecg.median[:, 215:260].astype(float).ravel()

    same = np.corrcoef(averaged(1, 7), averaged(2, 7))[0, 1]
    other = np.corrcoef(averaged(1, 7), averaged(2, 8))[0, 1]
    assert same > 0.995
    assert same > other


def test_the_limb_leads_obey_einthoven_and_goldberger():
    one, two, three, avr, avl, avf = twelve_leads(ecg_of(3).rhythm)[:6]
    assert np.allclose(one + three, two, atol=1e-3)
    assert np.allclose(avr + avl + avf, 0, atol=1e-3)
    assert np.allclose(avr, -(one + two) / 2, atol=1e-3)


def test_a_noisy_right_arm_is_seen_by_leads_one_and_two_but_not_by_three():
    right_arm = MONTAGE[:, 0]
    assert right_arm[0] == right_arm[1] == -1
    assert right_arm[1] - right_arm[0] == 0


def test_a_normal_beat_has_the_polarities_of_the_textbook():
    twelve = twelve_leads(ecg_of(noise=QUIET).median)
    qrs = twelve[:, 219:265]
    t_wave = twelve[:, 330:410]
    net = qrs.max(axis=1) + qrs.min(axis=1)
    assert (net[[0, 1, 10, 11]] > 0).all(), "I, II, V5, V6 point up"
    assert net[3] < 0, "aVR points down"
    assert net[6] < 0, "V1 points down"
    assert (t_wave[[0, 1, 9, 10, 11]].mean(axis=1) > 0).all()
    assert 600 < qrs[10].max() < 2500


def test_left_bundle_branch_block_is_wide_and_turns_repolarisation_round():
    block = twelve_leads(ecg_of(noise=QUIET, conduction="lbbb", qrs_ms=150, qt_ms=430).median)
    assert block[6, 219:294].min() < -800, "V1 is a deep QS"
    assert block[11, 340:420].mean() < 0 < block[6, 340:420].mean(), "T against QRS in V6 and V1"


def test_low_r_progression_lowers_r_in_v3_and_inverted_t_is_inverted():
    normal, ill = (twelve_leads(ecg_of(noise=QUIET, r_progression=r, t_polarity=t).median) for r, t in ((1, 1), (0.2, -0.8)))
    assert ill[8, 219:265].max() < 0.5 * normal[8, 219:265].max()
    assert ill[11, 340:400].mean() < 0 < normal[11, 340:400].mean()


def test_atrial_fibrillation_is_irregular_and_has_no_p():
    fibrillation = ecg_of(rhythm="af", rr_variation=0.2, heart_rate_bpm=95)
    sinus = ecg_of(heart_rate_bpm=95)
    spread = [np.diff(ecg.onsets_s).std() / np.diff(ecg.onsets_s).mean() for ecg in (fibrillation, sinus)]
    assert spread[0] > 0.1 > spread[1]
    measured = measure(fibrillation, np.random.default_rng(0))
    assert measured.pr_interval is None
    assert measured.p_axis is None
    assert statements(fibrillation, measured)[0].startswith("Atrial fibrillation")


def test_the_heart_rate_can_be_counted_in_the_signal():
    from scipy.signal import find_peaks

    lead = twelve_leads(ecg_of(heart_rate_bpm=72, noise=QUIET).rhythm)[10]
    peaks, _ = find_peaks(lead, height=0.6 * lead.max(), distance=150)
    assert 60 / (np.diff(peaks).mean() / 500) == pytest.approx(72, rel=0.06)


@pytest.mark.parametrize(("rate", "samples", "median"), [(500, 5000, 600), (250, 2500, 300), (240, 2500, 288)])
def test_carts_of_other_rates_record_what_such_carts_record(rate, samples, median):
    ecg = ecg_of(rate=rate)
    assert ecg.rhythm.shape == (8, samples)
    assert ecg.median.shape == (8, median)


def test_the_averaged_beat_is_less_noisy_than_the_beats():
    ecg = ecg_of(noise=Noise(muscle_uv=15, wander_uv=0, mains_uv=0))
    assert ecg.median[0, :100].std() < 0.7 * ecg.rhythm[0, :5000].reshape(50, 100).std(axis=1).min()


def test_a_file_parses_and_every_checksum_is_right():
    for kind, size in (("Median", 1200), ("Rhythm", 10_000)):
        leads = payloads(GOOD, kind)
        assert list(leads) == LEADS
        for payload, stated in leads.values():
            assert len(payload) == size
            assert zlib.crc32(payload) == stated


def test_a_file_holds_the_counts_it_was_made_from():
    ecg = ecg_of(9)
    decoded = np.stack([np.frombuffer(payload, "<i2") for payload, _ in payloads(file_of(ecg)).values()])
    assert np.array_equal(decoded, ecg.rhythm)


def test_a_file_is_of_the_size_and_line_width_of_real_ones():
    assert 140_000 < len(GOOD) < 152_000
    assert GOOD.index(b">Median<") < GOOD.index(b">Rhythm<")
    blob = re.search(rb"<WaveFormData>\n(.*?) +</WaveFormData>", GOOD[GOOD.index(b">Rhythm<") :], re.DOTALL)[1]
    widths = [len(line) for line in blob.splitlines()]
    assert set(widths[:-1]) == {68}
    assert widths[-1] == 8


def test_the_measurements_are_true_to_the_heart():
    ecg = ecg_of(heart_rate_bpm=80, qrs_ms=104, pr_ms=180, qt_ms=380)
    root = etree.fromstring(file_of(ecg))
    edited = {item.tag: int(item.text) for item in root.find("RestingECGMeasurements")}
    assert edited["VentricularRate"] == pytest.approx(80, abs=6)
    assert edited["QRSDuration"] == pytest.approx(104, abs=12)
    assert edited["PRInterval"] == pytest.approx(180, abs=16)
    assert edited["QTInterval"] == pytest.approx(380, abs=28)
    assert edited["QTInterval"] == 2 * (edited["TOffset"] - edited["QOnset"])


@pytest.mark.parametrize("turned", [-40, 0, 40])
def test_the_axis_follows_the_heart(turned):
    angles = [measure(ecg_of(seed, noise=QUIET, qrs_axis_deg=40 + turned), np.random.default_rng(0)).r_axis for seed in range(12)]
    assert np.median(angles) == pytest.approx(40 + turned, abs=22)


def defective(name):
    return BY_NAME[name].apply(GOOD)


def readable(document):
    try:
        return payloads(document)
    except etree.XMLSyntaxError:
        return None


@pytest.mark.parametrize("defect", [defect for defect in DEFECTS if defect.outcome == "rejected"], ids=lambda defect: defect.name)
def test_what_must_be_rejected_cannot_give_eight_leads_of_one_length_at_a_known_rate(defect):
    document = defect.apply(GOOD)
    leads = readable(document)
    sizes = {len(payload) for payload, _ in (leads or {}).values()}
    assert not leads or set(leads) != set(LEADS) or len(sizes) != 1 or b"<SampleBase>" not in document


@pytest.mark.parametrize("name", ["wrong_checksum", "zero_checksum", "masked_date", "one_line_header", "rhythm_first", "unwrapped_base64"])
def test_what_is_only_odd_still_holds_the_same_samples(name):
    assert defective(name) != GOOD
    same = {lead: payload for lead, (payload, _) in payloads(GOOD).items()}
    assert {lead: payload for lead, (payload, _) in payloads(defective(name)).items()} == same


def test_4999_samples_stand_under_a_stated_5000_with_the_right_checksum():
    document = defective("one_sample_short")
    assert {len(payload) for payload, _ in payloads(document).values()} == {9998}
    assert all(zlib.crc32(payload) == stated for payload, stated in payloads(document).values())
    assert document.count(b"<LeadSampleCountTotal>5000<") == 8


def test_a_wrong_checksum_is_wrong_in_one_lead():
    assert sum(zlib.crc32(payload) != stated for payload, stated in payloads(defective("wrong_checksum")).values()) == 1


def test_a_korean_name_is_cp949_under_the_label_iso_8859_1():
    document = defective("korean_name")
    assert b'encoding="ISO-8859-1"' in document
    name = re.search(rb"<PatientLastName>(.*?)<", document)[1]
    assert name.decode("cp949") == "\ud64d\uae38\ub3d9"


def test_negative_gain_times_counts_is_the_signal_within_half_a_count():
    root = etree.fromstring(defective("negative_gain"))
    lead = root.xpath("Waveform/LeadData[LeadID='aVF']")[0]
    gain = float(lead.findtext("LeadAmplitudeUnitsPerBit"))
    counts = np.frombuffer(base64.b64decode(lead.findtext("WaveFormData")), "<i2")
    assert gain == -10
    assert np.abs(gain * counts - twelve_leads(ecg_of().rhythm)[5]).max() <= 5.001


def test_fifteen_leads_are_eleven_stored_ones():
    assert list(payloads(defective("fifteen_leads"))) == [*LEADS, "V3R", "V4R", "V7"]


def test_millivolts_mean_the_same_voltage():
    root = etree.fromstring(defective("millivolts"))
    gains = {
        (item.findtext("LeadAmplitudeUnits"), float(item.findtext("LeadAmplitudeUnitsPerBit")) * 1000) for item in root.iter("LeadData")
    }
    assert gains == {("MILLIVOLTS", LSB_UV)}


def test_a_defect_never_touches_the_good_file_and_is_deterministic():
    for defect in DEFECTS:
        assert defect.apply(GOOD) == defect.apply(GOOD) != GOOD, defect.name
