"""Concept sets: resolved through the vocabulary or the shipped list, and checked before any label is made."""

import csv
import hashlib
from pathlib import Path

import pytest

from hfrisk.config import PhenotypeConfig
from hfrisk.errors import ConfigError, DataError
from hfrisk.omop.concept_set import read_concept_set, resolve
from hfrisk.omop.connection import connect

from .conftest import ANCESTOR, CONCEPT

SNAPSHOT = Path(__file__).parents[3] / "shared" / "omop" / "hf_concepts_snapshot.csv"
HEART_FAILURE = (316139, "Heart failure", "Condition", "S")
NAMES = [
    HEART_FAILURE,
    (319835, "Congestive heart failure", "Condition", "S"),
    (40482727, "Combined systolic and diastolic dysfunction", "Condition", "S"),
    (4236658, "Pleural effusion due to congestive heart failure", "Condition", "S"),
    (315295, "Congestive rheumatic heart failure", "Condition", "S"),
    (316140, "A finding of the neck", "Condition", "S"),
    (315831, "A heart valve", "Device", "S"),
    (45542987, "Heart failure, unspecified", "Condition", None),
]
TREE = [(316139, i) for i in (316139, 319835, 315295, 4242)] + [(315295, 315295), (315295, 4242), (40482727, 40482727), (4236658, 77)]


def resolved(cdm, **phenotype):
    with connect(cdm.config()) as database:
        return resolve(database, cdm.config(), PhenotypeConfig(**phenotype))


@pytest.fixture
def vocabulary(cdm):
    cdm.add("concept", CONCEPT, NAMES)
    cdm.add("concept_ancestor", ANCESTOR, TREE)
    return cdm


def test_the_shipped_set_resolves_through_the_ancestors_with_exclusions_taken_out(vocabulary):
    found = resolved(vocabulary)
    assert found.resolved_by == "concept_ancestor"
    assert found.concept_ids == (77, 316139, 319835, 4236658, 40482727)


def test_without_ancestors_the_shipped_list_of_descendants_decides(cdm):
    found = resolved(cdm)
    assert found.resolved_by == "snapshot"
    assert {316139, 319835, 4229440, 444101, 40482727, 4236658} <= set(found.concept_ids)
    assert {315295, 312927, 316994, 314378, 3184320}.isdisjoint(found.concept_ids)


@pytest.mark.skipif(not SNAPSHOT.exists(), reason="the list that the shipped one was made from is not here")
def test_the_shipped_list_is_its_source_without_what_wants_review(cdm):
    with SNAPSHOT.open(encoding="utf-8") as file:
        source = {int(row["concept_id"]) for row in csv.DictReader(file)} - {312927, 316994, 314378, 3184320}
    assert set(resolved(cdm).concept_ids) == source | {40482727, 4236658}


def test_ancestors_that_do_not_know_heart_failure_are_not_trusted(cdm):
    cdm.add("concept_ancestor", ANCESTOR, [(1, 2)])
    assert resolved(cdm).resolved_by == "snapshot"


def test_the_vocabulary_may_lie_in_another_schema(vocabulary):
    config = vocabulary.config(cdm_schema="public", vocabulary_schema=vocabulary.schema)
    with connect(config) as database:
        assert resolve(database, config, PhenotypeConfig()).resolved_by == "concept_ancestor"


def test_the_ids_are_frozen_with_their_hash(vocabulary):
    frozen = resolved(vocabulary).frozen()
    text = "\n".join(str(i) for i in frozen["concept_ids"])
    assert frozen["sha256"] == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("concept", "complaint"),
    [
        (316140, "316140 is `A finding of the neck`, outside heart failure"),
        (315831, "315831 is `A heart valve`, not a condition but of domain `Device`"),
        (999, "999 does not exist in the vocabulary"),
    ],
)
def test_a_concept_that_is_not_heart_failure_is_named_with_its_true_name(vocabulary, concept_csv, concept, complaint):
    path = concept_csv([(316139, "", 1, 0), (concept, "", 0, 0)])
    with pytest.raises(DataError) as error:
        resolved(vocabulary, file=path)
    assert complaint in error.value.message
    assert "phenotype.check" in error.value.hint


def test_a_concept_that_is_not_standard_is_named(vocabulary, concept_csv):
    vocabulary.execute("INSERT INTO CDM.concept_ancestor VALUES (316139, 45542987)")
    with pytest.raises(DataError, match="45542987 is `Heart failure, unspecified`, not a standard concept"):
        resolved(vocabulary, file=concept_csv([(45542987, "", 0, 0)]))


def test_the_notebooks_list_does_not_pass_in_silence_even_without_a_vocabulary(cdm, concept_csv):
    with pytest.raises(DataError) as error:
        resolved(cdm, file=concept_csv([(316139, "", 0, 0), (316140, "", 0, 0), (315831, "", 0, 0)]))
    assert "316140 is none of the heart-failure concepts" in error.value.message
    assert "315831 is none of the heart-failure concepts" in error.value.message


def test_the_check_can_be_turned_into_notes(vocabulary, concept_csv):
    found = resolved(vocabulary, file=concept_csv([(316139, "", 0, 0), (316140, "", 0, 0)]), check="warn")
    assert found.concept_ids == (316139, 316140)
    assert any("outside heart failure" in note for note in found.notes)


def test_a_comment_that_does_not_match_the_vocabulary_is_noted(vocabulary, concept_csv):
    found = resolved(vocabulary, file=concept_csv([(319835, "Acute heart failure", 0, 0)]))
    assert any("319835 is `Congestive heart failure`" in note and "`Acute heart failure`" in note for note in found.notes)


def test_a_concept_list_that_is_only_ids_is_enough(vocabulary, tmp_path):
    path = tmp_path / "ids.csv"
    path.write_text("concept_id\n319835\n", encoding="utf-8")
    assert resolved(vocabulary, file=path).concept_ids == (319835,)


def test_descendants_that_nobody_can_list_are_an_error_not_a_smaller_set(cdm, concept_csv):
    with pytest.raises(DataError, match="wants the descendants of 443580"):
        resolved(cdm, file=concept_csv([(443580, "", 1, 0)]))


def test_a_set_that_excludes_everything_is_an_error(vocabulary, concept_csv):
    with pytest.raises(DataError, match="includes no concept"):
        resolved(vocabulary, file=concept_csv([(319835, "", 0, 0), (316139, "", 1, 1)]))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("code,name\n1,a\n", "no column `concept_id`"),
        ("concept_id\nabc\n", "not whole numbers"),
        ("concept_id,exclude\n1,perhaps\n", "`exclude` holds a value"),
        ("", "is not a CSV table"),
    ],
)
def test_a_concept_file_that_cannot_be_used_is_one_sentence(tmp_path, text, complaint):
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=complaint):
        read_concept_set(PhenotypeConfig(file=path))


def test_an_unknown_set_names_those_that_ship():
    with pytest.raises(ConfigError) as error:
        read_concept_set(PhenotypeConfig(concept_set="kidneys"))
    assert "`heart_failure`" in error.value.hint


def test_a_list_with_the_headers_of_atlas_is_read(vocabulary, tmp_path):
    path = tmp_path / "atlas.csv"
    path.write_text("Concept Id,Concept Name,Exclude,Descendants\n319835,Congestive heart failure,FALSE,TRUE\n", encoding="utf-8")
    vocabulary.execute("INSERT INTO CDM.concept_ancestor VALUES (319835, 319835), (319835, 8)")
    assert resolved(vocabulary, file=path).concept_ids == (8, 319835)


@pytest.mark.parametrize(("name", "root"), [("systolic", 443580), ("diastolic", 443587), ("right", 4273632), ("left", 439846)])
def test_a_part_of_heart_failure_resolves_to_its_descendants(vocabulary, name, root):
    vocabulary.execute(f"INSERT INTO CDM.concept_ancestor VALUES ({root}, {root}), ({root}, 5)")
    assert resolved(vocabulary, concept_set=f"heart_failure_{name}").concept_ids == (5, root)
