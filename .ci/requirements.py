"""Print the run-time requirements of pyproject.toml, one argument each, so that they can be installed before the extension is built."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
extras = project["optional-dependencies"] if "all" in sys.argv[1:] else {}
requirements = [*project["dependencies"], *(item for extra in extras.values() for item in extra if not item.startswith("hfrisk"))]
print(" ".join(item.replace(" ", "") for item in requirements))
