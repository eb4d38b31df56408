"""Scores of comorbidity, without the part of them that is heart failure.

Charlson: the weights of 1987 (Charlson et al., J Chronic Dis 40:373) in the groups of OHDSI's FeatureExtraction, without group 2; a severe
form supersedes the mild one, and diseases that concept sets do not tell apart count once. CHA2DS2-VA (ESC 2024): hypertension 1, age from
75 years 2 or from 65 years 1, diabetes 1, stroke 2, vascular disease 1, without C.
"""

from __future__ import annotations

from importlib import resources

import polars as pl

_OF_CHA2DS2VA = ("hypertension", "diabetes", "stroke", "myocardial_infarction", "peripheral_vascular_disease")


def scores(available: frozenset[str]) -> dict[str, pl.Expr]:
    """The scores as expressions over columns of 0 and 1; null where one of these is null, or the age.

    Args:
        available: Columns there are; a score whose concept sets are not all among them is left out.
    """
    text = resources.files("hfrisk.omop").joinpath("concepts", "charlson.csv").read_bytes()
    groups = pl.read_csv(text, schema_overrides={"superseded_by": pl.String})
    made = {}
    if available.issuperset(groups["covariate"]):
        terms = [
            pl.col(covariate) * weight if severe is None else pl.col(covariate) * (1 - pl.col(severe)) * weight
            for covariate, weight, severe in groups.select("covariate", "weight", "superseded_by").iter_rows()
        ]
        made["charlson_no_chf"] = pl.sum_horizontal(terms, ignore_nulls=False).cast(pl.Int16)
    if available.issuperset(_OF_CHA2DS2VA):
        age = pl.when(pl.col("age") >= 75).then(2).when(pl.col("age") >= 65).then(1).when(pl.col("age").is_not_null()).then(0)  # noqa: PLR2004 - the score's own
        vascular = pl.max_horizontal("myocardial_infarction", "peripheral_vascular_disease")
        terms = [pl.col("hypertension"), age, pl.col("diabetes"), pl.col("stroke") * 2, vascular]
        made["cha2ds2va_no_c"] = pl.sum_horizontal(terms, ignore_nulls=False).cast(pl.Int16)
    return made
