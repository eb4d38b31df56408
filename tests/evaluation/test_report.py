"""The page: what it shows, what it must not show, and that it needs nothing but itself."""

import json
import re

import pytest
from lxml import html

from hfrisk import evaluate, report
from hfrisk.errors import DataError
from hfrisk.report import words


@pytest.fixture
def page_of(trained_run):
    """Return a function that evaluates a run and gives its page as text."""

    def make(*, with_cases=False, **settings):
        run = trained_run(**settings)
        evaluate.run(run)
        return report.run(run, with_cases=with_cases).read_text(encoding="utf-8")

    return make


@pytest.fixture
def page_with_cases(page_of):
    return page_of(with_cases=True)


def text_of(page):
    return re.sub(r"\s+", " ", html.fromstring(page).text_content())


def test_the_page_shows_every_test_metric_of_report_json_with_its_interval(page, page_path):
    shown = text_of(page)
    numbers = json.loads((page_path.parent / "report.json").read_text(encoding="utf-8"))
    for name, estimate in numbers["splits"]["test"]["metrics"].items():
        for value in filter(None, estimate.values()):
            number = f"{100 * value:.1f}" if name == "prevalence" else f"{value:.3f}".replace("-", "\N{MINUS SIGN}")
            assert number in shown, name


def test_the_page_loads_nothing(page):
    tree = html.fromstring(page)
    assert "http://" not in page
    assert "https://" not in page
    assert not tree.xpath("//script | //link | //img | //iframe | //object | //embed | //image")
    assert all(reference.startswith("#") for reference in tree.xpath("//@href | //@src"))
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))
    assert "@import" not in page


def test_every_reference_inside_a_picture_has_its_target_and_no_id_occurs_twice(page):
    ids = html.fromstring(page).xpath("//@id")
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", page)) <= set(ids)


def test_every_colour_of_a_picture_follows_the_page(page):
    body = page.partition("</style>")[2]
    assert re.findall(r"#[0-9a-f]{6}\b", body) == []


def test_the_style_of_a_picture_does_not_reach_the_page(page):
    assert page.count("<style") == 1


def test_all_figures_are_there(page):
    labels = html.fromstring(page).xpath("//svg/@aria-label")
    assert [label.split()[0] for label in labels] == ["ROC", "Precision-recall", "Calibration", "Densities", "Decision", "Training"]


def test_no_ecg_is_on_the_page_unless_asked_for(page, page_with_cases):
    assert "ecg-paper)" not in page.partition("</style>")[2]
    assert "Example ECGs" not in page
    assert len(html.fromstring(page_with_cases).xpath("//figure[@class='ecg']//svg")) == 3


def test_no_person_id_and_no_file_name_is_on_the_page(page):
    assert "MUSE_" not in page
    assert not re.search(r"\b90000\d{3}\b", page)


def test_the_highest_risk_comes_first_and_the_most_uncertain_last(page_with_cases):
    captions = html.fromstring(page_with_cases).xpath("//figure[@class='ecg']/figcaption/b/text()")
    assert [caption.split()[0] for caption in captions] == ["Highest", "Lowest", "Most"]


def test_the_attrition_table_is_shown_and_its_text_is_escaped(page):
    assert "person unknown to the database &lt;or&gt; masked" in page
    assert "698" in text_of(page)


def test_a_name_with_markup_stays_text(page_of):
    page = page_of(name="<script>alert(1)</script>")
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_mode_that_looks_into_the_future_is_warned_about(page_of):
    assert "The label looks into the future." in page_of(mode="ever")


def test_the_mode_that_does_not_is_not(page):
    assert "The label looks into the future." not in page


def test_the_same_report_is_the_same_page(trained_run):
    run = trained_run()
    evaluate.run(run)
    assert report.run(run).read_bytes() == report.run(run).read_bytes()


def test_a_run_without_a_log_has_no_loss_curve(trained_run):
    run = trained_run()
    (run / "metrics.jsonl").unlink()
    evaluate.run(run)
    assert "Training and validation loss" not in report.run(run).read_text(encoding="utf-8")


def test_intervals_that_are_not_known_are_said_to_be_so(page_of):
    assert "n/a to n/a" in page_of(num_bootstrap=0)


@pytest.mark.parametrize(("share", "shown"), [(0.0, "0.0"), (0.0004, "under 0.1"), (0.1234, "12.3"), (0.9999, "over 99.9"), (1.0, "100.0")])
def test_a_share_reads_as_none_or_all_only_when_it_is(share, shown):
    assert words.percent(share) == f"{shown}\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize(
    ("missing", "message"), [("report.json", "no evaluation"), ("predictions.parquet", "no predictions"), ("config.toml", "not a run")]
)
def test_what_is_missing_is_named(trained_run, missing, message):
    run = trained_run()
    evaluate.run(run)
    (run / missing).unlink()
    with pytest.raises(DataError, match=message) as caught:
        report.run(run, with_cases=True)
    assert caught.value.hint
    assert not (run / "report.html").exists()


@pytest.mark.parametrize("content", ["{", '{"schema": 99}'])
def test_a_report_that_cannot_be_read_is_refused(trained_run, content):
    run = trained_run()
    (run / "report.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"report\.json"):
        report.run(run)
