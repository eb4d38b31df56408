"""The leakage lint: each trap that makes a result look better than it is, as a named check. `hfrisk lint`, and every training.

An `error` stops the training, a `warning` stands in the report. `[lint] allow` lets named checks pass with a reason; both are recorded in
lint.json: `{"schema", "reason", "checks": [{"name", "outcome", "message"}]}`, outcome being `passed`, `warning`, `failed`, `allowed` or
`not run`. Nothing in it tells of a single person.
"""

from hfrisk.lint.finding import CHECKS, Finding
from hfrisk.lint.run import lint, require_clean, run, show, write

__all__ = ["CHECKS", "Finding", "lint", "require_clean", "run", "show", "write"]
