"""Concept sets of the covariates: what ships, what is banned, and that heart failure is in none of them."""

import polars as pl
import pytest

from hfrisk.config import CovariatesConfig
from hfrisk.errors import DataError
from hfrisk.omop.covariates import banned, read_covariate_sets


def sets(tmp_path, *rows, **settings):
    path = tmp_path / "sets.csv"
    path.write_text("\n".join(["covariate,concept_id,concept_name,include_descendants,exclude,source", *rows]), encoding="utf-8")
    return read_covariate_sets(CovariatesConfig(file=path, **settings))


def test_what_ships_is_not_banned_and_names_no_heart_failure():
    entries = read_covariate_sets(CovariatesConfig())
    assert banned([*entries["covariate"], *entries["concept_name"]]) == {}
    assert 316139 not in entries["concept_id"]


def test_diabetes_leaves_secondary_diabetes_out():
    entries = read_covariate_sets(CovariatesConfig()).filter(pl.col("covariate") == "diabetes")
    assert entries.select("concept_id", "exclude").rows() == [(201820, False), (195771, True)]


@pytest.mark.parametrize(
    "name",
    ["furosemide", "loop_diuretics", "Sacubitril / valsartan", "spironolactone", "MRA", "digoxin", "ivabradine", "nt_probnp", "BNP",
     "LVEF", "ejection_fraction", "ef", "icd", "CRT-D", "pulmonary_oedema", "Pulmonary edema", "pleural effusion", "hf", "chf_visits",
     "heart_failure", "hfref"],
)  # fmt: skip
def test_the_label_in_disguise_is_banned_by_name(name):
    assert name in banned([name])


@pytest.mark.parametrize("name", ["reference", "age", "effort", "half_life", "brief", "shift", "medical_icdx", "benefit", "ecg_qrs"])
def test_other_names_are_not_banned_by_accident(name):
    assert banned([name]) == {}


def test_a_banned_set_is_refused_by_name_and_by_its_concepts_name(tmp_path):
    for row in ("bnp,1,Something,1,0,mine", "marker,1,Natriuretic peptide measurement,1,0,mine"):
        with pytest.raises(DataError, match="is banned") as error:
            sets(tmp_path, row)
        assert "natriuretic_peptide" in error.value.hint


def test_a_banned_set_passes_only_when_it_is_named(tmp_path):
    row = "bnp,1,Natriuretic peptide,1,0,mine"
    assert sets(tmp_path, row, allow_banned="device, natriuretic_peptide")["covariate"].to_list() == ["bnp"]
    with pytest.raises(DataError, match="is banned"):
        sets(tmp_path, row, allow_banned="device")


def test_a_file_without_the_name_of_the_covariate_is_refused(tmp_path):
    path = tmp_path / "sets.csv"
    path.write_text("concept_id\n1\n", encoding="utf-8")
    with pytest.raises(DataError, match="no column `covariate`"):
        read_covariate_sets(CovariatesConfig(file=path))
