"""The study file: frozen dataclasses read from TOML, every key known, every value checked.

Paths in the file are relative to the file. `--set section.key=value` overrides one key; the value is written as in TOML, and a bare word
is a string.
"""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hfrisk.errors import ConfigError

if typing.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_T = typing.TypeVar("_T")


@dataclass(frozen=True, kw_only=True, slots=True)
class PathsConfig:
    """Where things are; relative paths are relative to the study file."""

    store: Path = Path("store")
    """OUT of `hfrisk-convert`: holds ecg.zarr and records.parquet."""
    registry: Path = Path("ECG_Metafile")
    """Folder of the metadata files `*.csv.csv`."""
    data: Path = Path("data")
    """Where hf_outcome.csv, labels.csv, labels_with_hf.csv, conditions.parquet and cohort.parquet go."""
    tabular: Path | None = None
    """CSV with `person_id` and numeric columns, one row a person; None trains without."""
    run: Path = Path("run")
    """Folder of one training run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OmopConfig:
    """How to reach the OMOP CDM. A password never stands here: use PGPASSWORD, PGPASSFILE or a service file."""

    dsn: str = ""
    """libpq connection string without a password; empty takes HFRISK_DSN, then libpq's own environment (PGHOST, PGSERVICE, ...)."""
    cdm_schema: str = "cdm_public"
    vocabulary_schema: str = ""
    """Schema of `concept` and `concept_ancestor`; empty means `cdm_schema`."""
    condition_table: str = "condition_occurrence_v"
    person_table: str = "person_v"
    observation_period_table: str = "observation_period_v"
    concept_table: str = "concept"
    concept_ancestor_table: str = "concept_ancestor"
    person_id_column: str = "person_id"
    condition_concept_id_column: str = "condition_concept_id"
    condition_start_date_column: str = "condition_start_date"
    condition_source_value_column: str = "condition_source_value"
    """Where it exists, records without a standard concept (concept 0) count by their ICD-10 or KCD code."""
    visit_occurrence_id_column: str = "visit_occurrence_id"
    statement_timeout_s: int = 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class PhenotypeConfig:
    """What counts as heart failure."""

    concept_set: str = "heart_failure"
    """Name of a concept set that ships with hfrisk."""
    file: Path | None = None
    """CSV of a concept set of your own (concept_id, concept_name, include_descendants, exclude) that decides instead."""
    check: Literal["strict", "warn"] = "strict"
    """What happens when a concept of that CSV is not a standard condition inside heart failure: the run stops, or it says so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CohortConfig:
    """How an ECG gets its label."""

    mode: Literal["ever", "prevalent"] = "prevalent"
    """`prevalent`: heart failure recorded on or before the ECG's date. `ever`: at any time, which leaks the future."""
    day_zero: Literal["prevalent", "exclude"] = "prevalent"
    """What a first record on the ECG's own date means."""
    not_in_cdm: Literal["unknown", "negative"] = "unknown"
    """What a person is whom the database does not know; the original notebooks called such a person negative."""
    one_ecg_per_person: Literal["all", "first", "last"] = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitConfig:
    """Which person is in which split."""

    seed: int = 42
    validation_fraction: float = 0.1
    test_fraction: float = 0.2
    file: Path | None = None
    """CSV (`person_id`, `split` as train, validation or val, test) that decides instead of the hash."""

    def __post_init__(self) -> None:
        """Refuse fractions that leave nothing to train on."""
        if min(self.validation_fraction, self.test_fraction) < 0 or self.validation_fraction + self.test_fraction >= 1:
            raise ConfigError(
                f"`split`: validation_fraction {self.validation_fraction} and test_fraction {self.test_fraction} leave nothing to train on",
                hint="choose two fractions that are not negative and sum to less than 1",
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """Which network."""

    encoder: Literal["resnet", "seed_cnn"] = "resnet"
    """`resnet`: residual 1-D CNN. `seed_cnn`: the two-layer network of the original notebooks."""
    inputs: Literal["both", "ecg", "tabular"] = "both"
    width: int = 32
    """Feature maps of the residual network's first stage."""
    num_stages: int = 4
    dropout: float = 0.2

    def __post_init__(self) -> None:
        """Refuse sizes that no network can have."""
        if self.width < 1 or self.num_stages < 1 or not 0 <= self.dropout < 1:
            raise ConfigError(
                f"`model`: width {self.width}, num_stages {self.num_stages}, dropout {self.dropout} describe no network",
                hint="width and num_stages are at least 1, dropout is at least 0 and below 1",
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """How the network is trained."""

    num_epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup_fraction: float = 0.05
    """Share of all steps in which the learning rate rises from 0; it then falls along a cosine."""
    gradient_clip: float = 1.0
    patience: int = 5
    """Epochs without a better validation AUROC before training stops; 0 never stops early."""
    sampler: Literal["natural", "weighted"] = "natural"
    """`weighted` draws both classes equally often (the notebooks' WeightedRandomSampler); it harms calibration."""
    seed: int = 42
    device: str = "auto"
    """`auto` takes CUDA when there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` is bfloat16 on CUDA and float32 on the CPU."""
    num_threads: int = 0
    """Threads that decode batches; 0 takes one per core, at most 8."""
    log_every_steps: int = 10
    """Steps between two lines on the console; losses are fetched from the device then."""
    checkpoint_every_minutes: float = 10.0
    """Time between two saves within an epoch; each epoch's end saves as well."""

    def __post_init__(self) -> None:
        """Refuse settings that no training can have."""
        for name in ("num_epochs", "batch_size", "learning_rate", "gradient_clip", "log_every_steps"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"`train.{name}` is {getattr(self, name)}, expected a number above 0", hint="see the README's study file")
        for name in ("weight_decay", "warmup_fraction", "patience", "num_threads", "checkpoint_every_minutes"):
            if getattr(self, name) < 0:
                raise ConfigError(f"`train.{name}` is {getattr(self, name)}, expected 0 or more", hint="see the README's study file")


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluateConfig:
    """How the result is measured."""

    num_bootstrap: int = 1000
    """Resamples of persons for the 95 % intervals."""
    seed: int = 42
    num_example_ecgs: int = 2
    """ECGs drawn in the report."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyConfig:
    """The whole study."""

    name: str = "hfrisk study"
    paths: PathsConfig = field(default_factory=PathsConfig)
    omop: OmopConfig = field(default_factory=OmopConfig)
    phenotype: PhenotypeConfig = field(default_factory=PhenotypeConfig)
    cohort: CohortConfig = field(default_factory=CohortConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)


def load_config(path: str | Path, overrides: Iterable[str] = ()) -> StudyConfig:
    """Read a study file and apply `section.key=value` overrides.

    Raises:
        ConfigError: The file is missing or not TOML, a key is unknown, or a value has the wrong type.
    """
    path = Path(path)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"no study file at `{path}`", hint="`hfrisk demo OUT` writes one to start from") from None
    except IsADirectoryError:
        raise ConfigError(f"`{path}` is a folder, not a study file", hint="name the file, often `study.toml`") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"`{path}` is not TOML: {error}", hint="strings want quotes; see the README's study file") from None
    for override in overrides:
        _apply_override(raw, override)
    return _build(StudyConfig, raw, where=str(path), base=path.resolve().parent)


def dump_config(config: StudyConfig) -> str:
    """The resolved settings as TOML; `load_config` reads it back to the same values."""
    lines = [f"name = {_toml(config.name)}"]
    for section in dataclasses.fields(config):
        value = getattr(config, section.name)
        if not dataclasses.is_dataclass(value):
            continue
        lines += ["", f"[{section.name}]"]
        for key in dataclasses.fields(value):
            item = getattr(value, key.name)
            if item is not None:
                lines.append(f"{key.name} = {_toml(item)}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _apply_override(raw: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    parts = key.strip().split(".")
    if not separator or not all(parts):
        raise ConfigError(f"`--set {override}` is not of the form section.key=value", hint="as in `--set train.num_epochs=5`")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    table = raw
    for part in parts[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise ConfigError(f"`--set {override}`: `{part}` is not a section", hint="as in `--set train.num_epochs=5`")
    table[parts[-1]] = value


def _build(cls: type[_T], raw: Mapping[str, Any], *, where: str, base: Path, section: str = "") -> _T:
    hints = typing.get_type_hints(cls)
    for given in raw:
        if given not in hints:
            known = ", ".join(f"`{name}`" for name in hints)
            place = f"[{section}]" if section else "the top level"
            raise ConfigError(f"{where}: unknown key `{given}` in {place}", hint=f"known there: {known}")
    values = {}
    for key in dataclasses.fields(typing.cast("Any", cls)):
        hint = hints[key.name]
        name = f"{section}.{key.name}" if section else key.name
        if dataclasses.is_dataclass(hint):
            table = raw.get(key.name, {})
            if not isinstance(table, dict):
                raise ConfigError(f"{where}: `{key.name}` is {table!r}, expected a section", hint=f"write [{key.name}] and its keys below")
            values[key.name] = _build(typing.cast("type[Any]", hint), table, where=where, base=base, section=key.name)
        elif (value := raw.get(key.name, key.default)) is not None:
            values[key.name] = _check(value, hint, where=f"{where}: `{name}`", base=base)
    return cls(**values)


def _check(value: Any, hint: Any, *, where: str, base: Path) -> Any:  # noqa: ANN401
    if typing.get_origin(hint) is Literal:
        allowed = typing.get_args(hint)
        if value not in allowed:
            raise ConfigError(f"{where} is {value!r}", hint="one of " + ", ".join(repr(a) for a in allowed))
        return value
    if typing.get_origin(hint) is types.UnionType:
        hint = next(arm for arm in typing.get_args(hint) if arm is not type(None))
    if hint is Path:
        if not isinstance(value, str | Path):
            raise ConfigError(f"{where} is {value!r}, expected a path", hint="paths are strings in quotes")
        return base / Path(value).expanduser()
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{where} is {value!r}, expected {hint.__name__}", hint="see the README's study file")
    return value
