"""The made-up hospital: its people, its folders and its database."""

import datetime as dt
import hashlib

import numpy as np
import polars as pl
import psycopg2
import pytest
from sklearn.metrics import roc_auc_score

from hfrisk.errors import DatabaseError, DataError
from hfrisk.synthetic import concepts, make_hospital
from hfrisk.synthetic.database import serve
from hfrisk.synthetic.defects import DEFECTS
from hfrisk.synthetic.files import document, plan_files
from hfrisk.synthetic.omop import TABLES, make_tables
from hfrisk.synthetic.patients import FIRST_DAY, LAST_DAY, make_population
from hfrisk.synthetic.physiology import heart_of
from hfrisk.synthetic.seeds import Stream, generator
from hfrisk.synthetic.tables import BOM_YEAR, CP949_YEAR, registry_tables

NUM_PATIENTS = 60


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    out = tmp_path_factory.mktemp("hospital") / "h"
    make_hospital(out, num_patients=NUM_PATIENTS, seed=3)
    return out


@pytest.fixture(scope="module")
def population():
    return make_population(1500, seed=11)


@pytest.fixture(scope="module")
def database(hospital):
    with serve(hospital) as dsn:
        yield dsn


def rows(dsn, query):
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()
    finally:
        connection.close()


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()
    }


def test_the_same_seed_makes_the_same_hospital_byte_by_byte(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        make_hospital(tmp_path / name, num_patients=12, seed=seed)
    assert tree(tmp_path / "a") == tree(tmp_path / "b") != tree(tmp_path / "c")


def test_a_patient_is_the_same_whatever_the_size_of_the_hospital(population):
    assert make_population(5, seed=11) == population[:5]


def test_a_file_does_not_depend_on_the_order_of_writing(population):
    files = plan_files(population[:6], seed=11)
    forward = [document(file, seed=11) for file in files]
    assert [document(file, seed=11) for file in reversed(files)] == forward[::-1]


def test_a_folder_that_is_not_empty_is_left_alone(hospital):
    before = tree(hospital)
    with pytest.raises(DataError, match="not empty"):
        make_hospital(hospital, num_patients=2, seed=1)
    assert tree(hospital) == before


def test_about_a_fifth_of_the_persons_have_heart_failure(population):
    assert 0.15 < np.mean([patient.onset is not None for patient in population]) < 0.26


def test_ecgs_are_one_to_five_a_person_within_the_years(population):
    counts = {len(patient.acquired) for patient in population}
    assert counts == {1, 2, 3, 4, 5}
    days = [moment.date() for patient in population for moment in patient.acquired]
    assert min(days) >= FIRST_DAY
    assert max(days) <= LAST_DAY


def test_heart_failure_is_recorded_before_some_ecgs_and_after_others(population):
    before = [patient.recorded <= moment.date() for patient in population if patient.recorded for moment in patient.acquired]
    assert 0.4 < np.mean(before) < 0.9


def test_an_ecg_a_condition_and_a_visit_lie_within_the_observation_period(population):
    tables = make_tables(population, seed=11)
    period = tables["observation_period"].select("person_id", "observation_period_start_date", "observation_period_end_date")
    for table, column in (("condition_occurrence", "condition_start_date"), ("visit_occurrence", "visit_start_date")):
        joined = tables[table].join(period, on="person_id")
        assert joined.height == tables[table].height
        outside = ~pl.col(column).is_between("observation_period_start_date", "observation_period_end_date")
        assert joined.filter(outside).is_empty(), table


def test_a_death_is_written_down_and_ends_the_observation(population):
    tables = make_tables(population, seed=11)
    died = {patient.person_id: patient.died for patient in population if patient.died and patient.in_cdm}
    assert dict(tables["death"].select("person_id", "death_date").iter_rows()) == died
    ends = dict(tables["observation_period"].select("person_id", "observation_period_end_date").iter_rows())
    assert all(ends[person] == day for person, day in died.items())


def test_an_ecg_is_taken_on_a_day_with_a_visit(population):
    visits = make_tables(population, seed=11)["visit_occurrence"]
    known = set(zip(visits["person_id"], visits["visit_start_date"], strict=True))
    assert all((patient.person_id, moment.date()) in known for patient in population if patient.in_cdm for moment in patient.acquired)


def test_a_few_persons_of_the_registry_are_absent_from_the_database(population):
    absent = {patient.person_id for patient in population if not patient.in_cdm}
    assert 0.01 < len(absent) / len(population) < 0.06
    for name, table in make_tables(population, seed=11).items():
        if "person_id" in table.columns:
            assert not absent & set(table["person_id"]), name
    listed = pl.concat(registry_tables(plan_files(population, seed=11), seed=11).values())
    assert absent <= set(listed["nid"])


def test_the_first_heart_failure_record_of_the_database_is_the_persons(population):
    tables = make_tables(population, seed=11)
    ancestor = tables["concept_ancestor"]
    of = {concept: set(ancestor.filter(pl.col("ancestor_concept_id") == concept)["descendant_concept_id"]) for concept in (316139, 315295)}
    strict = of[316139] - of[315295]
    first = (
        tables["condition_occurrence"]
        .filter(pl.col("condition_concept_id").is_in(strict))
        .group_by("person_id")
        .agg(pl.col("condition_start_date").min())
    )
    expected = {patient.person_id: patient.recorded for patient in population if patient.recorded and patient.in_cdm}
    assert dict(first.iter_rows()) == expected


def test_rheumatic_heart_failure_descends_from_heart_failure_so_a_set_must_exclude_it():
    assert (316139, 315295) in {row[:2] for row in concepts.ancestors()}


@pytest.mark.parametrize(("ancestor", "descendant"), [(316139, 37309625), (316139, 439696), (4185932, 4329847), (4273632, 4284562)])
def test_ancestry_reaches_over_several_levels(ancestor, descendant):
    found = {row[:2]: row[2:] for row in concepts.ancestors()}
    low, high = found[ancestor, descendant]
    assert 1 <= low <= high


def test_every_condition_has_a_name_in_the_vocabulary(population):
    tables = make_tables(population, seed=11)
    assert set(tables["condition_occurrence"]["condition_concept_id"]) <= set(tables["concept"]["concept_id"])


def test_comorbidities_are_commoner_with_heart_failure(population):
    ill = [patient for patient in population if patient.onset]
    well = [patient for patient in population if not patient.onset]
    for name in ("hypertension", "atrial_fibrillation", "ischaemic_heart_disease", "chronic_kidney_disease"):
        assert np.mean([name in p.comorbidities for p in ill]) > np.mean([name in p.comorbidities for p in well]), name


@pytest.mark.parametrize(
    ("feature", "sign"), [("qrs_ms", 1), ("heart_rate_bpm", 1), ("r_progression", -1), ("t_polarity", -1), ("p_terminal_force", 1)]
)
def test_heart_failure_shows_in_a_feature_but_the_groups_overlap(population, feature, sign):
    y, value = [], []
    for patient in population:
        for visit, moment in enumerate(patient.acquired):
            y.append(patient.recorded is not None and patient.recorded <= moment.date())
            value.append(sign * getattr(heart_of(patient, moment, generator(11, Stream.ECG, patient.number, visit)), feature))
    assert 0.6 < roc_auc_score(y, value) < 0.9


def test_illness_grows_until_the_diagnosis_and_is_absent_without_one(population):
    ill = next(patient for patient in population if patient.onset)
    years = [ill.illness_on(ill.onset + dt.timedelta(days=days)) for days in (-1500, -200, 0, 400)]
    assert years == sorted(years)
    assert years[0] < 0.01
    assert all(p.illness_on(LAST_DAY) == 0 for p in population if not p.onset)


def test_two_to_three_percent_of_the_files_are_defective_and_every_kind_occurs():
    files = plan_files(make_population(700, seed=1), seed=1)
    defects = [file.defect for file in files if file.defect]
    assert 0.02 < len(defects) / len(files) < 0.03
    assert set(defects) == {defect.name for defect in DEFECTS}


def test_defects_csv_names_the_files_that_are_broken(hospital):
    listed = pl.read_csv(hospital / "defects.csv")
    present = {path.name for path in hospital.rglob("*.xml")}
    assert listed.height > 0
    assert set(listed["ecg_file"]) <= present


def test_file_names_carry_the_moment_and_are_unique(hospital):
    paths = list(hospital.rglob("MUSE_*.xml"))
    assert len({path.name for path in paths}) == len(paths)
    for path in paths:
        assert path.parent.name == path.name[5:9]


def test_the_metafiles_have_the_encodings_of_korean_exports(hospital):
    folder = hospital / "datasets/ECG-Registry/1.0.0/ECG_Metafile"
    assert (folder / f"{BOM_YEAR}.csv.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    korean = (folder / f"{CP949_YEAR}.csv.csv").read_bytes()
    with pytest.raises(UnicodeDecodeError):
        korean.decode("utf-8")
    assert korean.decode("cp949").startswith("nid,")


def test_the_registry_has_repeated_rows_missing_rows_and_rows_without_a_file(population):
    files = plan_files(population, seed=11)
    listed = pl.concat(registry_tables(files, seed=11).values())["nstri_path"]
    names = listed.str.split("/").list.last()
    assert listed.is_duplicated().any()
    assert {file.name for file in files} - set(names)
    assert set(names) - {file.name for file in files}
    assert listed.str.starts_with("/").any()
    assert listed.str.starts_with("1.MAIN/").any()


def test_the_notebooks_table_has_gaps_and_the_outcome(hospital):
    table = pl.read_csv(hospital / "data/tabular.csv")
    assert table.columns[0] == "person_id"
    assert table.columns[-1] == "hf_outcome"
    assert table["hypertension"].null_count() + table["copd"].null_count() > 0
    assert table["person_id"].is_unique().all()


def test_the_study_file_is_valid_and_points_into_the_hospital(hospital):
    from hfrisk.config import load_config

    config = load_config(hospital / "study.toml")
    assert config.paths.registry.is_dir()
    assert config.paths.tabular is not None
    assert config.paths.tabular.is_file()
    assert not config.omop.dsn


def test_the_database_answers_with_the_rows_of_the_csvs(database, hospital):
    for name in TABLES:
        table = pl.read_csv(hospital / "omop" / f"{name}.csv", try_parse_dates=True)
        columns = ", ".join(table.columns)
        assert sorted(rows(database, f"SELECT {columns} FROM cdm_public.{name}"), key=repr) == sorted(table.iter_rows(), key=repr), name


def test_the_views_show_what_the_tables_hold(database):
    for name in ("person", "observation_period", "visit_occurrence", "condition_occurrence"):
        (table,), (view,) = (rows(database, f"SELECT count(*) FROM cdm_public.{relation}") for relation in (name, f"{name}_v"))
        assert table == view
        assert view[0] > 0


def test_the_reader_cannot_write(database):
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        rows(database, "SET default_transaction_read_only = off; COMMIT; DELETE FROM cdm_public.person")


def test_starting_the_database_again_finds_it_filled(database, hospital):
    with serve(hospital) as again:
        assert again == database
        assert rows(again, "SELECT count(*) FROM cdm_public.person_v") == rows(database, "SELECT count(*) FROM cdm_public.person")


def test_a_folder_that_is_no_hospital_is_named(tmp_path):
    with pytest.raises(DatabaseError, match="no synthetic hospital"), serve(tmp_path):
        pass
