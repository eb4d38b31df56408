"""What leaves the site tells of no single person, not even by subtraction."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from hfrisk.disclosure import pooled_attrition

SMALLEST = 5
REMOVED = st.tuples(st.sampled_from([0, 0, 1, 3, 4, 5, 9, 200]), st.sampled_from([0, 0, 1, 2, 6, 80])).map(
    lambda pair: (max(pair), min(pair))
)


def table(removed):
    ecgs, persons = 10_000, 5_000
    rows = [{"step": 0, "rule": "all", "num_ecgs": ecgs, "num_persons": persons, "removed_ecgs": 0, "removed_persons": 0}]
    for number, (gone, people) in enumerate(removed, start=1):
        ecgs, persons = ecgs - gone, persons - people
        rows.append(
            {
                "step": number,
                "rule": f"rule {number}",
                "num_ecgs": ecgs,
                "num_persons": persons,
                "removed_ecgs": gone,
                "removed_persons": people,
            }
        )
    return rows


@given(st.lists(REMOVED, max_size=8))
def test_no_count_and_no_difference_of_totals_is_small(removed):
    pooled = pooled_attrition(table(removed), SMALLEST)
    for before, after in itertools.pairwise(pooled):
        for unit in ("ecgs", "persons"):
            assert not 0 < after[f"removed_{unit}"] < SMALLEST
            assert before[f"num_{unit}"] - after[f"num_{unit}"] == after[f"removed_{unit}"]


@given(st.lists(REMOVED, max_size=8))
def test_what_is_left_at_the_end_stays(removed):
    rows = table(removed)
    pooled = pooled_attrition(rows, SMALLEST)
    assert (pooled[-1]["num_ecgs"], pooled[-1]["num_persons"]) == (rows[-1]["num_ecgs"], rows[-1]["num_persons"])


def test_large_steps_stay_as_they_are():
    rows = table([(200, 80), (0, 0), (9, 6)])
    assert pooled_attrition(rows, SMALLEST) == rows


def test_a_small_step_joins_the_next_and_names_both_rules():
    pooled = pooled_attrition(table([(3, 1), (0, 0), (200, 80)]), SMALLEST)
    assert [(step["rule"], step["removed_ecgs"]) for step in pooled] == [("all", 0), ("rule 1; or rule 3", 203)]


def test_a_small_last_step_joins_the_one_before():
    pooled = pooled_attrition(table([(200, 80), (0, 0), (3, 1)]), SMALLEST)
    assert [(step["rule"], step["removed_ecgs"]) for step in pooled] == [("all", 0), ("rule 1; or rule 3", 203)]


def test_few_that_are_all_are_not_counted():
    (only,) = pooled_attrition(table([(3, 1)]), SMALLEST)
    assert (only["num_ecgs"], only["removed_ecgs"]) == (9_997, 0)
    assert "less a few" in only["rule"]
