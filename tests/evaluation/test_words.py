"""The sentences, the checklist, the card and the small pictures say what the numbers say."""

import copy
import itertools
import json

import pytest

from hfrisk.report import figures, sentences
from hfrisk.report import page as module
from hfrisk.report.card import card
from hfrisk.report.forest import Scale
from hfrisk.report.tripod import checklist
from hfrisk.report.words import amount, interval, signed


@pytest.fixture
def numbers(page_path):
    return json.loads((page_path.parent / "report.json").read_text(encoding="utf-8"))


def said(numbers, heading):
    return dict(sentences.summary(numbers))[heading]


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(0.02, 0.1, "better than"), (-0.1, -0.02, "worse than"), (-0.05, 0.05, "not clearly different from")]
)
def test_the_summary_says_whether_the_signal_adds_anything(numbers, low, high, verdict):
    for one in numbers["comparisons"]:
        one["difference"]["auroc"] |= {"low": low, "high": high}
    assert f"It is {verdict} the best model without the signal" in said(numbers, "How good")


@pytest.mark.parametrize(("width", "word"), [(0.02, "narrow"), (0.08, "moderately wide"), (0.3, "wide")])
def test_the_summary_says_how_wide_the_interval_is(numbers, width, word):
    numbers["splits"]["test"]["metrics"]["auroc"] |= {"low": 0.6, "high": 0.6 + width}
    assert f"is {word}." in said(numbers, "How sure")


@pytest.mark.parametrize(("ratio", "word"), [(0.5, "fewer than"), (1.0, "about as many as"), (2.0, "more than")])
def test_the_summary_says_whether_the_risks_are_right_on_the_whole(numbers, ratio, word):
    numbers["splits"]["test"]["metrics"]["observed_to_expected"]["value"] = ratio
    assert word in said(numbers, "How sure")


def test_a_leak_found_by_shuffled_labels_stands_at_the_top(numbers):
    numbers["permuted_labels"]["passed"] = False
    assert any("Shuffled labels were learned" in warning for warning in sentences.warnings(numbers))


def test_the_incident_question_names_its_window(numbers):
    numbers["mode"] = "incident"
    numbers["settings"]["cohort"] |= {"blanking_days": 30, "horizon_days": 365}
    assert "from 31 to 365 days after it" in sentences.question(numbers)


def test_what_the_lint_found_is_on_the_page(numbers):
    numbers["lint"] = {"checks": [{"name": "outcome_in_features", "outcome": "failed", "message": "`hf_code` tells the outcome"}]}
    page = module.render(numbers, cases=[])
    assert '<td class="failed">failed</td><th scope="row">Outcome in features</th><td>`hf_code` tells the outcome</td>' in page


def test_every_item_of_the_checklist_is_answered_or_marked(numbers):
    items = checklist(numbers)
    assert len({item.number for item in items}) == len(items) > 30
    assert all(item.answer or item.is_open for item in items)
    assert {"17", "19", "25"} <= {item.number for item in items if item.is_open and not item.answer}
    assert not next(item for item in items if item.number == "23a").is_open


def test_the_card_names_the_group_in_which_the_model_is_weakest(numbers):
    changed = copy.deepcopy(numbers)
    row = next(one for one in changed["subgroups"] if one["characteristic"] == "Sex")["groups"][0]
    row["auroc"] = {"value": 0.123, "low": 0.1, "high": 0.2}
    assert f"Lowest in sex {row['group']}: AUROC 0.123" in dict(card(changed))["Unequal performance"]


def test_a_run_whose_optional_parts_are_absent_is_still_a_page(numbers):
    numbers |= {"attrition": [], "epochs": [], "comparisons": [], "subgroups": [], "operating_points": [], "permuted_labels": None}
    numbers |= {"temporal": {"reason": "the ECGs have no dates"}, "run": {}}
    numbers["recalibration"] = {"method": "none", "scale": 1.0, "shift": 0.0, "reason": "under 10 validation ECGs with the outcome"}
    page = module.render(numbers, cases=[])
    assert "Not possible: the ECGs have no dates." in page
    assert "The risks were not recalibrated: under 10 validation ECGs with the outcome." in page


def test_a_scale_spans_the_intervals_in_whole_steps():
    scale = Scale.of([{"value": 0.7, "low": 0.61, "high": 0.79}, {"value": 0.5, "low": None, "high": None}], reference=0.5)
    assert (scale.low, scale.high) == (0.5, 0.8)
    assert scale.at(0.5) < scale.at(0.65) < scale.at(0.8)
    assert scale.at(2) == scale.at(0.8)


def test_a_row_without_an_interval_has_a_dot_only():
    scale = Scale(0, 1, reference=0.5)
    assert 'class="interval"' not in scale.row({"value": 0.4, "low": None, "high": None})
    assert 'class="dot"' not in scale.row({"value": None, "low": None, "high": None})


def test_numbers_are_written_as_a_reader_expects():
    assert signed(-0.0123) == "\N{MINUS SIGN}0.012"
    assert signed(0.2) == "+0.200"
    assert interval({"value": 0.1, "low": None, "high": None}) == ""
    assert (amount(59.4), amount(1.234), amount(2.0), amount(None)) == ("59", "1.2", "2", "few")


def test_the_labels_of_a_wide_range_of_risks_do_not_touch():
    ticks = figures._spaced_ticks(-9.0, 6.0)
    assert min(b - a for a, b in itertools.pairwise(ticks)) >= 0.12 * 15
    assert len(figures._spaced_ticks(-3.5, 0.5)) >= 3
