"""Why the model says what it says: `hfrisk explain RUN`.

explain.json holds how much each tabular feature contributes on the test split, which is no patient data. Only `--with-cases` draws single
ECGs, with the parts that raised and lowered the risk, into RUN/cases.
"""

from hfrisk.explain.attribution import attributions
from hfrisk.explain.cases import KINDS, choose_cases
from hfrisk.explain.importance import permutation_importance
from hfrisk.explain.run import explain_cases, run, show

__all__ = ["KINDS", "attributions", "choose_cases", "explain_cases", "permutation_importance", "run", "show"]
