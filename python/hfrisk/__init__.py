"""hfrisk: from hospital ECG XML to a heart-failure risk model with honest numbers.

Importing this package imports nothing heavy; each name below comes from its module when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hfrisk.convert import Recording, __version__, parse
    from hfrisk.errors import ConfigError, DatabaseError, DataError, HfriskError, ParseError, StoreError
    from hfrisk.predict import Predictor
    from hfrisk.store import EcgStore
    from hfrisk.store import open_store as open  # noqa: A004

__all__ = [
    "ConfigError",
    "DataError",
    "DatabaseError",
    "EcgStore",
    "HfriskError",
    "ParseError",
    "Predictor",
    "Recording",
    "StoreError",
    "__version__",
    "open",
    "parse",
]

_HOMES = {
    "EcgStore": ("hfrisk.store", "EcgStore"),
    "Predictor": ("hfrisk.predict", "Predictor"),
    "Recording": ("hfrisk.convert", "Recording"),
    "__version__": ("hfrisk.convert", "__version__"),
    "open": ("hfrisk.store", "open_store"),
    "parse": ("hfrisk.convert", "parse"),
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES.get(name, ("hfrisk.errors", name))
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
