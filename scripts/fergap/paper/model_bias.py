"""How biased the models are, in the paper: scores published and corrected, ranks with their sets, and what they say."""

import pandas as pd

from fergap.audit.model_bias import EVERY, SCORE
from fergap.audit.multiplicity import holm
from fergap.paper.cells import find, heading, reason
from fergap.paper.markdown import name, pipe, prose
from fergap.paper.numbers import MISSING, count, interval, missing, p_value, percent, points
from fergap.paper.reading import related, some, was
from fergap.paper.results import Results

METRICS = {
    "equalized_odds": "equalised odds",
    "equal_opportunity": "equal opportunity",
    "demographic_parity": "demographic parity",
    "treatment_equality": "treatment equality",
}
FORMS = ("published", "corrected")


def scores(results: Results) -> pd.DataFrame:
    """Return the scores of the arms that the paper tells of, over all attributes and by each that is no combination."""
    table = results.table("model_bias")
    rows = table[(table["metric"] == SCORE) & table["arm"].isin(results.arms)]
    return rows[rows["attribute"].isin(blocks(results))]


def blocks(results: Results) -> list[str]:
    """Return what arms are scored by: all attributes together where there are several, then each."""
    return [EVERY, *results.plain] if len(results.plain) > 1 else results.plain


def title(attribute: str) -> str:
    """Return an attribute's name, or what the score over all of them is called."""
    return "all attributes" if attribute == EVERY else name(attribute)


def scored(row: object | None) -> str:
    """Return a score with its interval, in percent, or why there is none."""
    if row is None:
        return MISSING
    if missing(row.estimate):
        return reason(row.status)
    size = points(row.estimate, signed=False)
    return size if missing(row.ci_low) else f"{size} {interval(row.ci_low, row.ci_high)}"


def chance(row: object | None) -> str:
    """Return what a group-blind model would score, in percent."""
    return MISSING if row is None else points(row.expected, signed=False)


def model_bias(results: Results) -> str:
    """Return every arm's published and corrected score, each beside what a group-blind model would score."""
    rows, cells = scores(results), []
    for attribute in blocks(results):
        own, shown = rows[rows["attribute"] == attribute], title(attribute)
        for arm in [a for a in results.arms if (own["arm"] == a).any()]:
            one, other = (find(own, arm=arm, form=form) for form in FORMS)
            line = [shown, name(arm), scored(one), chance(one), scored(other), chance(other)]
            cells.append([*line, p_value(None if other is None else other.p_value)])
            shown = ""
    ci = heading(results)
    columns = ["", "arm", f"published [{ci}]", "group-blind", f"corrected [{ci}]", "group-blind", "p"]
    return pipe(columns, cells, "llrrrrr")


def model_bias_metrics(results: Results) -> str:
    """Return the metrics behind the scores of the arms shown in detail: published maxima, and corrected."""
    table, cells = results.table("model_bias"), []
    table = table[table["arm"].isin(results.headline)]
    for attribute in results.plain:
        shown = name(attribute)
        for metric, words in METRICS.items():
            told = words
            for arm in results.headline:
                own = table[(table["arm"] == arm) & (table["attribute"] == attribute)]
                published = "treatment_equality_rates" if metric == "treatment_equality" else metric
                one = find(own, metric=published, form="published", summary="max")
                other = find(own, metric=metric, form="corrected")
                if one is None and other is None:
                    continue
                decides = MISSING if one is None or not isinstance(one.decided_by, str) else name(one.decided_by)
                line = [shown, told, name(arm), scored(one), chance(one), decides, scored(other)]
                cells.append([*line, p_value(None if other is None else other.p_adjusted)])
                shown = told = ""
    ci = heading(results)
    columns = ["", "metric", "arm", f"published [{ci}]", "group-blind", "set by", f"corrected [{ci}]", "p, Holm"]
    return pipe(columns, cells, "lllrrlrr")


def families(results: Results) -> list[str]:
    """Return the sets of arms that are ranked, as the table names them: those that the paper tells of."""
    table = results.table("model_bias_ranks")
    own = table[(table["status"] == "ok") & table["arm"].isin(results.arms)]
    return list(dict.fromkeys(own["arms"]))


def ranks(results: Results, arms: str) -> pd.DataFrame:
    """Return the ranks of a family of arms by their scores."""
    table = results.table("model_bias_ranks")
    rows = table[(table["arms"] == arms) & (table["metric"] == SCORE) & (table["status"] == "ok")]
    return rows[rows["attribute"].isin(blocks(results))]


def rank_set(row: object | None) -> str:
    """Return a rank with the ranks that the data allow: ``2 (1–4)``."""
    return MISSING if row is None else f"{count(row.rank)} ({count(row.rank_low)}–{count(row.rank_high)})"


def model_bias_ranks(results: Results, arms: str) -> str:
    """Return each arm's rank by every score, published and corrected, with the ranks that the data allow."""
    rows, cells = ranks(results, arms), []
    shown = [a for a in blocks(results) if (rows["attribute"] == a).any()]
    order = rows[(rows["attribute"] == (shown or [""])[0]) & (rows["form"] == "corrected")]["arm"].tolist()
    order += [arm for arm in dict.fromkeys(rows["arm"]) if arm not in order]
    for arm in order:
        own = rows[rows["arm"] == arm]
        cells.append([name(arm), *(rank_set(find(own, attribute=a, form=form)) for a in shown for form in FORMS)])
    columns = ["arm", *(f"{title(a)}, {form}" for a in shown for form in FORMS)]
    return pipe(columns, cells, "l" + "r" * (len(columns) - 1))


def blind(results: Results) -> str:
    """Say how much of each published score a group-blind model would get, and which corrected scores show bias.

    One of many arms without a bias is soon below α by chance, so p values are adjusted over the arms by Holm's method.
    """
    rows, parts, shown = scores(results), [], []
    attribute = blocks(results)[0]
    own = rows[(rows["attribute"] == attribute) & rows["estimate"].notna()]
    told = [arm for arm in results.headline if arm in results.in_full]
    for row in own[(own["form"] == "published") & own["arm"].isin(told)].itertuples():
        if missing(row.expected) or row.estimate <= 0:
            continue
        score = results.cite(points(row.estimate, signed=False), "model_bias", row, "estimate")
        expected = results.cite(points(row.expected, signed=False), "model_bias", row, "expected")
        share = results.cite(percent(row.expected / row.estimate, 0), "model_bias", row, "expected, estimate")
        parts.append(
            f"{prose(row.arm)} scores {score}, where a group-blind model would score {expected} ({share} of it)"
        )
    corrected = own[own["form"] == "corrected"]
    over = ", after Holm’s adjustment over the arms" if len(corrected) > 1 else ""
    for row in corrected[holm(corrected["p_value"]) < results.alpha].itertuples():
        p = results.cite(related(row.p_value), "model_bias", row, "p_value")
        size = results.cite(prose(scored(row)), "model_bias", row, "estimate, ci_low, ci_high")
        shown.append(f"{name(row.arm)} ({size}, p {p})")
    said = f"As published, {'; '.join(parts)}." if parts else ""
    if shown:
        said += f" Corrected, a bias is shown for {some(shown)}{over}."
    elif len(corrected):
        said += f" Corrected, a bias is shown for {'neither' if len(corrected) == 2 else 'none'} of the arms{over}."
    return said.strip()


def most_biased(results: Results, arms: str) -> str:
    """Say which arm of a family is most biased by each score, and from which it cannot be told."""
    rows, parts = ranks(results, arms), []
    if not len(rows):
        return ""
    attribute = next(a for a in blocks(results) if (rows["attribute"] == a).any())
    for form in FORMS:
        own = rows[(rows["attribute"] == attribute) & (rows["form"] == form)]
        if not len(own):
            continue
        first = own[own["rank"] == 1]
        worst = results.cite(some([name(a) for a in first["arm"]]), "model_bias_ranks", first.index, "rank")
        alike = own[(own["like_most_biased"] == 1) & (own["rank"] > 1)]
        said = f"By the {form} score {worst} {'is' if len(first) == 1 else 'are'} most biased"
        if not len(alike) and len(first) < len(own):
            said += ", and told apart from every other"
        elif 0 < len(alike) == len(own) - len(first):
            said += (
                f"; {results.cite('no other', 'model_bias_ranks', alike.index, 'like_most_biased')} can be told from it"
            )
        elif len(alike):
            number = results.cite(count(len(alike)), "model_bias_ranks", alike.index, "like_most_biased")
            total = was(len(own) - len(first), "other", "others")
            said += f"; {number} of the {total} cannot be told from it: {some([name(a) for a in alike['arm']])}"
        both = own[(own["like_most_biased"] == 1) & (own["like_least_biased"] == 1)]
        if len(both) == len(own):
            said += ". Nor can any be told from the least biased: these faces rank no arm"
        parts.append(said + ".")
    return " ".join(parts)
