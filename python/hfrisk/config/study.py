"""The whole study, and how its file is read and written."""

from __future__ import annotations

import dataclasses
import datetime as dt
import tomllib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hfrisk.config.augment import AugmentConfig
from hfrisk.config.cohort import CohortConfig
from hfrisk.config.covariates import CovariatesConfig
from hfrisk.config.evaluate import EvaluateConfig
from hfrisk.config.lint import LintConfig
from hfrisk.config.model import ModelConfig
from hfrisk.config.omop import OmopConfig, PhenotypeConfig
from hfrisk.config.paths import PathsConfig
from hfrisk.config.split import SplitConfig
from hfrisk.config.train import TrainConfig
from hfrisk.errors import ConfigError

if typing.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_T = typing.TypeVar("_T")


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyConfig:
    """The whole study."""

    name: str = "hfrisk study"
    paths: PathsConfig = field(default_factory=PathsConfig)
    omop: OmopConfig = field(default_factory=OmopConfig)
    phenotype: PhenotypeConfig = field(default_factory=PhenotypeConfig)
    cohort: CohortConfig = field(default_factory=CohortConfig)
    covariates: CovariatesConfig = field(default_factory=CovariatesConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    lint: LintConfig = field(default_factory=LintConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
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
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
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


def _widened(value: Any, hint: Any) -> Any:  # noqa: ANN401
    """A whole number where a fraction may stand, and a date as TOML writes it where text does."""
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value.isoformat() if hint is str and type(value) is dt.date else value


def _check(value: Any, hint: Any, *, where: str, base: Path) -> Any:  # noqa: ANN401
    if typing.get_origin(hint) is Literal:
        allowed = typing.get_args(hint)
        if value not in allowed:
            raise ConfigError(f"{where} is {value!r}", hint="one of " + ", ".join(repr(a) for a in allowed))
        return value
    if typing.get_origin(hint) is types.UnionType:
        hint = next(arm for arm in typing.get_args(hint) if arm is not type(None))
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
            raise ConfigError(f"{where} is {value!r}, expected a list of strings", hint='as in ["one", "two"]')
        return tuple(value)
    if hint is Path:
        if not isinstance(value, str | Path):
            raise ConfigError(f"{where} is {value!r}, expected a path", hint="paths are strings in quotes")
        return base / Path(value).expanduser()
    value = _widened(value, hint)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{where} is {value!r}, expected {hint.__name__}", hint="see the README's study file")
    return value
