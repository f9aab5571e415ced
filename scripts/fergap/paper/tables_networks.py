"""Tables of arms against arms: networks by accuracy, changes beyond a placebo's, what choosing the epoch adds."""

from fergap.paper.cells import any_few, estimate, heading, pair, reason, sizes
from fergap.paper.markdown import name, pipe
from fergap.paper.numbers import MISSING, count, fixed, interval, p_value, percent, points
from fergap.paper.results import Results


def networks(results: Results, arms: str, published: dict | None = None) -> str:
    """Return one family of arms from the best accuracy to the worst, with what each network costs.

    A star marks those that cannot be told from the best. Operations are those of one face; seconds are the mean over
    the networks of an arm of one epoch, divided by the number of networks that were trained together.

    Parameters
    ----------
    arms : str
        The family, as column ``arms`` of table ``ranking`` names it.
    published : dict, optional
        The published numbers, for a column of the networks that the published study compared.
    """
    rows, runs = results.table("ranking"), results.table("runs")
    rows, cells, printed = rows[rows["arms"] == arms], [], printed_networks(published)
    beside = any(arm in printed for arm in rows["arm"])
    for r in rows.itertuples(index=False):
        own = runs[runs["arm"] == r.arm]
        cost = [MISSING] * 3
        if len(own):
            millions = own["flops"].iloc[0] / 1e6
            seconds = (own["seconds"] / own["epochs"]).mean()
            cost = [count(own["parameters"].iloc[0]), count(round(millions)), fixed(seconds, 1)]
        mark = "\\*" if r.indistinguishable else ""
        accuracy = f"{fixed(100 * r.estimate, 1)} {interval(r.ci_low, r.ci_high)}"
        row = [name(r.arm) + mark, accuracy, points(r.difference)]
        theirs = [percent(printed.get(r.arm))] if beside else []
        cells.append([*row, p_value(r.p_adjusted), *cost, *theirs])
    header = ["arm", f"accuracy, % [{heading(results)}]", "to the best", "p, Holm", "weights"]
    header += ["million operations", "s per epoch"]
    return pipe([*header, *(["printed"] if beside else [])], cells, "lrrrrrr" + "r" * beside)


def printed_networks(published: dict | None) -> dict[str, float]:
    """Return the accuracy that the published study prints for each network, by its name here."""
    models = published["grid_macro"]["models"] if published else []
    return {f"b{m['channels']}_n{m['blocks']}_k{m['kernel']}": m["accuracy"] for m in models}


def beyond_placebo(results: Results) -> str:
    """Return each gap's change, the placebo's, and their difference with its interval, in percentage points."""
    rows, cells = results.table("beyond_placebo"), []
    several = rows["contrast"].drop_duplicates().size > 1
    for r in rows.itertuples(index=False):
        shown = [MISSING] * 2 if any_few(r) else [points(r.change), points(r.change_placebo)]
        verdict = r.verdict if r.status == "ok" else reason(r.status)
        line = [pair(r), sizes(r), *shown, estimate(r), p_value(r.p_adjusted), verdict]
        cells.append([name(r.contrast), *line] if several else line)
    header = ["gap", "faces", "change", "placebo's", f"beyond it [{heading(results)}]", "p, Holm", "verdict"]
    return pipe([*(["contrast"] if several else []), *header], cells, "l" * several + "lrrrrrl")


def protocol_means(results: Results) -> list[tuple[str, float, float, list[int]]]:
    """Return per arm: mean test accuracy at the chosen epoch (NaN if unknown) and at the best one, rows of ``runs``."""
    runs, history, found = results.table("runs"), results.table("history"), []
    if "published_protocol_accuracy" not in runs.columns:
        return []
    for arm in dict.fromkeys(runs["arm"]):
        own = runs[(runs["arm"] == arm) & runs["published_protocol_accuracy"].notna()]
        if len(own):
            chosen = history[(history["arm"] == arm) & (history["chosen"] == 1)]
            ours = chosen["test_accuracy"].mean() if "test_accuracy" in history.columns else float("nan")
            found.append((arm, ours, own["published_protocol_accuracy"].mean(), own.index.tolist()))
    return found


def published_protocol(results: Results) -> str:
    """Return each arm's accuracy at the epoch chosen on validation faces and at the best one on the reported faces."""
    cells = [
        [name(arm), count(len(rows)), percent(ours), percent(theirs), points(theirs - ours)]
        for arm, ours, theirs, rows in protocol_means(results)
    ]
    header = ["arm", "networks", "chosen on validation faces", "chosen on the reported faces", "difference, points"]
    return pipe(header, cells, "lrrrr")
