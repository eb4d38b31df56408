"""The study file."""

from pathlib import Path

import pytest

from hfrisk.config import StudyConfig, dump_config, load_config
from hfrisk.errors import ConfigError


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.toml"
    path.write_text('name = "test"\n[paths]\nstore = "out"\n[train]\nnum_epochs = 3\nlearning_rate = 1\n', encoding="utf-8")
    return path


def test_paths_are_relative_to_the_study_file(study):
    config = load_config(study)
    assert config.paths.store == study.parent / "out"
    assert config.paths.run == study.parent / "run"


def test_an_integer_is_accepted_where_a_float_is_expected(study):
    assert load_config(study).train.learning_rate == 1.0


def test_an_override_wins_over_the_file(study):
    config = load_config(study, ["train.num_epochs=7", "train.sampler=weighted", "name=other"])
    assert (config.train.num_epochs, config.train.sampler, config.name) == (7, "weighted", "other")


def test_the_dumped_settings_read_back_to_the_same_values(study, tmp_path):
    config = load_config(study, ['name="a \\"quoted\\" name"', "paths.tabular=t.csv"])
    copy = tmp_path / "elsewhere" / "config.toml"
    copy.parent.mkdir()
    copy.write_text(dump_config(config), encoding="utf-8")
    assert load_config(copy) == config


def test_the_defaults_are_valid(tmp_path):
    empty = tmp_path / "empty.toml"
    empty.write_text("", encoding="utf-8")
    assert load_config(empty).train == StudyConfig().train


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("train.epochs=3", "unknown key `epochs` in [train]"),
        ("trian.num_epochs=3", "unknown key `trian` in the top level"),
        ("train.num_epochs=many", "`train.num_epochs` is 'many', expected int"),
        ("train.num_epochs=true", "`train.num_epochs` is True, expected int"),
        ("train.sampler=fair", "`train.sampler` is 'fair'"),
        ("train=3", "`train` is 3, expected a section"),
        ("split.test_fraction=0.95", "leave nothing to train on"),
        ("train.num_epochs", "is not of the form section.key=value"),
        ("name.x=3", "`name` is not a section"),
        ("paths.store=3", "expected a path"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_expected(study, override, said):
    with pytest.raises(ConfigError) as caught:
        load_config(study, [override])
    assert said in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(("content", "said"), [(b"[train", "is not TOML"), (b"\xff\xfe", "is not TOML")])
def test_a_file_that_is_not_toml_is_named(tmp_path, content, said):
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        load_config(path)


def test_a_missing_study_file_is_named_with_a_hint(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "none.toml")
    assert "none.toml" in caught.value.message
    assert "demo" in str(caught.value)


@pytest.mark.parametrize("written", ["2018-01-01", '"2018-01-01"'])
def test_a_date_may_be_written_with_quotes_or_without(tmp_path, written):
    path = tmp_path / "study.toml"
    path.write_text("", encoding="utf-8")
    assert load_config(path, ["split.method=temporal", f"split.test_from={written}"]).split.test_from == "2018-01-01"
