"""The printed tables of Faces of Fairness: what follows from what, and what decides the score of its models."""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from fergap.audit.printed import FOLLOWS, KNOWN_AS, NOT, Claim, judge, step_of
from fergap.errors import UserError

METRICS = ("Eq-Od", "Eq-Op", "De-Pa", "Tr-Eq")
READINGS = {"the least larger of two differences": Decimal(1), "the least mean of two differences": Decimal("0.5")}


def nested_claims(tables: Mapping) -> list[Claim]:
    """Return the claims within the tables of *Faces of Fairness*, as its JSON holds them.

    Tables 5–8: each Max, Mean and STD over expressions; Table 4 likewise. Table 9: each metric is the Max of its own
    table, Mean is over the metrics, the bias score over the attributes' means. Table 2: each Mean over attributes, and
    the Bias of a data set over the metrics' means.
    """
    expressions, attributes, found = tables["expressions"], tables["attributes"], []

    def claim(where: str, summary: str, printed: float, values: Iterable[float]) -> None:
        found.append(Claim(where, summary, Decimal(str(printed)), tuple(Decimal(str(v)) for v in values)))

    metrics = dict(zip(("Eq-Od", "Eq-Op", "De-Pa", "Tr-Eq"), ("table5", "table6", "table7", "table8"), strict=True))
    for model in tables["models"]:
        own = tables["table4"][model]
        for column in ("Mean", "STD"):
            claim(f"Table 4 {model}: {column}", KNOWN_AS[column.lower()], own[column], [own[e] for e in expressions])
        nine = tables["table9"][model]
        for attribute in attributes:
            for metric, name in metrics.items():
                row, title = tables[name][model][attribute], f"Table {name[-1]} {model} {attribute}"
                for column in ("Max", "Mean", "STD"):
                    claim(f"{title}: {column}", KNOWN_AS[column.lower()], row[column], [row[e] for e in expressions])
                claim(f"Table 9 {model} {attribute}: {metric}", "max", nine[attribute][metric], [row["Max"]])
            means = [nine[attribute][metric] for metric in metrics]
            claim(f"Table 9 {model} {attribute}: Mean", "mean", nine[attribute]["Mean"], means)
        claim(f"Table 9 {model}: Bias Score", "mean", nine["Bias Score"], [nine[a]["Mean"] for a in attributes])
    two = {metric: rows for metric, rows in tables["table2"].items() if metric != "Bias"}
    for metric, rows in two.items():
        for source, row in rows.items():
            claim(f"Table 2 {metric} {source}: Mean", "mean", row["Mean"], [row[a] for a in attributes])
    for source, printed in tables["table2"]["Bias"].items():
        claim(f"Table 2 {source}: Bias", "mean", printed, [two[metric][source]["Mean"] for metric in two])
    return found


def equalized_odds_findings(tables: Mapping) -> list[dict]:
    """Say of each equalized odds of Table 5 whether it can be one, given the equal opportunity of Table 6.

    Equalized odds (Eq. 8) joins the difference of true positive rates, which is equal opportunity (Eq. 9), with that of
    false positive rates. The larger of the two is no smaller than equal opportunity, their mean no smaller than half of
    it, however several groups are made one number, so long as it is done alike in both tables. Printed numbers may be
    rounded or cut off.

    Returns
    -------
    list of dict
        Two findings for each expression, attribute and model: ``where``, ``summary`` (how the two are joined),
        ``printed`` (Table 5), ``computed`` (the least that Table 6 allows) and ``finding``.
    """
    found = []
    for model in tables["models"]:
        for attribute in tables["attributes"]:
            for expression in tables["expressions"]:
                odds, opportunity = (
                    Decimal(str(tables[t][model][attribute][expression])) for t in ("table5", "table6")
                )
                for reading, share in READINGS.items():
                    most, least = odds + step_of(odds), share * (opportunity - step_of(opportunity) / 2)
                    row = {"where": f"Table 5 {model} {attribute}: {expression}", "summary": reading, "printed": odds}
                    row |= {"computed": float(share * opportunity)}
                    found.append(row | {"finding": FOLLOWS if most > least else NOT})
    return found


def makeup(tables: Mapping) -> pd.DataFrame:
    """Return what decides the score of Eq. 14 and who is most biased without it.

    Returns
    -------
    pandas.DataFrame
        One row per metric: ``metric``; ``share``, the part of the models' variance in score that its maxima make (their
        covariance with the score over the score's variance; the four sum to 1); ``without``, the most biased model by
        the other three, and ``tau``, Kendall's of their order with the printed one. Last, ``mean over expressions``:
        the score of all four by the printed Means instead of Maxima.
    """
    models, attributes = tables["models"], tables["attributes"]
    maxima = np.array([[[tables["table9"][m][a][q] for q in METRICS] for a in attributes] for m in models]).mean(1)
    means = np.array([[[tables[f"table{i}"][m][a]["Mean"] for i in (5, 6, 7, 8)] for a in attributes] for m in models])
    score, printed = maxima.mean(1), np.array([tables["table9"][m]["Bias Score"] for m in models])

    def row(metric: str, share: float | None, other: np.ndarray) -> dict:
        tau = float(kendalltau(other, printed).statistic)
        return {"metric": metric, "share": share, "without": models[int(other.argmax())], "tau": tau}

    apart = score - score.mean()
    rows = [
        row(metric, float(maxima[:, i] @ apart / (apart @ apart) / len(METRICS)), np.delete(maxima, i, 1).mean(1))
        for i, metric in enumerate(METRICS)
    ]
    return pd.DataFrame([*rows, row("mean over expressions", None, means.mean((1, 2)))])


def said_of(tables: Mapping) -> list[str]:
    """Return :func:`makeup` in lines."""
    lines = []
    for row in makeup(tables).itertuples():
        if row.metric.startswith("mean"):
            lines.append(f"score by means over expressions: {row.without} is most biased (tau {row.tau:.2f})")
        else:
            share = f"{row.metric} makes {100 * row.share:.0f} % of the score's variance over models"
            lines.append(f"{share}; without it {row.without} is most biased (tau {row.tau:.2f} with the printed order)")
    return lines


def ranking_findings(tables: Mapping) -> list[dict]:
    """Say of each two neighbours in the printed order of models whether their printed scores stand in that order."""
    found = []
    for first, second in pairwise(tables.get("ranking", ())):
        one, other = (Decimal(str(tables["table9"][m]["Bias Score"])) for m in (first, second))
        row = {
            "where": f"ranking {first} before {second}",
            "summary": "order",
            "printed": one,
            "computed": float(other),
        }
        found.append(row | {"finding": FOLLOWS if one > other else NOT})
    return found


def findings_of_tables(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Return the findings on the paper's tables as a JSON holds them, and lines on what decides its score.

    Raises
    ------
    UserError
        The file cannot be read, or holds other tables than those of :func:`nested_claims`.
    """
    try:
        tables = json.loads(path.read_text(encoding="utf-8"))
        found = [judge(claim) for claim in nested_claims(tables)]
        found += [*equalized_odds_findings(tables), *ranking_findings(tables)]
        return pd.DataFrame(found), said_of(tables)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"cannot be read: {error!r}",
            where=str(path),
            expected="tables as report/faces_of_fairness.json has them",
        ) from error
