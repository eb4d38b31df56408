"""`python -m hfrisk.train`."""

from __future__ import annotations

import argparse
from pathlib import Path

from hfrisk.config import load_config
from hfrisk.errors import exit_on_error
from hfrisk.train import run


def main() -> None:
    """Run `python -m hfrisk.train`."""
    parser = argparse.ArgumentParser(prog="python -m hfrisk.train", description="Train a heart-failure risk model.")
    parser.add_argument("--config", type=Path, default=Path("study.toml"), help="the study file (study.toml)")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override one setting")
    parser.add_argument("--resume", action="store_true", help="continue a run that was stopped")
    arguments = parser.parse_args()
    with exit_on_error():
        run(load_config(arguments.config, arguments.overrides), resume=arguments.resume)


if __name__ == "__main__":
    main()
