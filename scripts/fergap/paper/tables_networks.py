"""Tables of arms against arms: the networks in the order of their accuracy, and changes beyond a placebo's."""

from fergap.paper.markdown import name, pipe
from fergap.paper.numbers import MISSING, count, fixed, interval, p_value, percent, points
from fergap.paper.results import Results


def networks(results: Results, arms: str) -> str:
    """Return one family of arms from the best accuracy to the worst, with what each network costs.

    A star marks those that cannot be told from the best. Operations are those of one face; seconds are the mean over
    the networks of an arm of one epoch, divided by the number of networks that were trained together.

    Parameters
    ----------
    arms : str
        The family, as column ``arms`` of table ``ranking`` names it.
    """
    rows, runs = results.table("ranking"), results.table("runs")
    cells = []
    for r in rows[rows["arms"] == arms].itertuples(index=False):
        own = runs[runs["arm"] == r.arm]
        cost = [MISSING] * 3
        if len(own):
            millions = own["flops"].iloc[0] / 1e6
            seconds = (own["seconds"] / own["epochs"]).mean()
            cost = [count(own["parameters"].iloc[0]), count(round(millions)), fixed(seconds, 1)]
        mark = "\\*" if r.indistinguishable else ""
        row = [name(r.arm) + mark, percent(r.estimate), interval(r.ci_low, r.ci_high), points(r.difference)]
        cells.append([*row, p_value(r.p_adjusted), *cost])
    header = [
        "arm",
        "accuracy",
        "interval",
        "to the best",
        "adjusted p",
        "weights",
        "million operations",
        "s per epoch",
    ]
    return pipe(header, cells, "lrrrrrrr")


def beyond_placebo(results: Results) -> str:
    """Return each gap's change, the placebo's, and their difference, in percentage points."""
    cells = [
        [
            name(r.contrast),
            name(r.placebo),
            f"{name(r.group)} − {name(r.reference)}",
            points(r.change),
            points(r.change_placebo),
            points(r.estimate),
            interval(r.ci_low, r.ci_high),
            p_value(r.p_adjusted),
            r.verdict,
        ]
        for r in results.table("beyond_placebo").itertuples(index=False)
    ]
    header = ["contrast", "placebo", "gap", "change", "placebo's", "difference", "interval", "adjusted p", "verdict"]
    return pipe(header, cells, "lllrrrrrl")
