"""Tables of the sample face by face: cleaning step by step, copies by class, ambiguity and confidence by group."""

from fergap.paper.cells import faces, is_few
from fergap.paper.layers import layers
from fergap.paper.markdown import name, pipe
from fergap.paper.numbers import MISSING, count, fixed, percent
from fergap.paper.results import Results


def steps(results: Results) -> str:
    """Return how many pictures were there at the start, left at each step, and remain."""
    kept, dropped = len(results.table("faces")), results.table("dropped")
    dropped = dropped[dropped["count"] > 0]
    left = kept + int(dropped["count"].sum())
    cells = [["pictures read", "", count(left)]]
    for row in dropped.rename(columns={"count": "number"}).itertuples():
        left -= row.number
        cells.append([f"without: {name(row.reason)}", f"−{count(row.number)}", count(left)])
    return pipe(["step", "pictures", "left"], cells, "lrr")


def duplicates(results: Results) -> str:
    """Return how many faces of each class have an exact or a near copy."""
    table, cells = results.table("faces"), []
    exact = table.groupby("exact_set")["exact_set"].transform("size") > 1
    near = table.groupby("duplicate_set")["duplicate_set"].transform("size") > 1
    for label in [*results.classes, None]:
        own = table["label"] == label if label else table["label"].notna()
        n, a, b = (int(x.sum()) for x in (own, own & exact, own & near))
        share = percent(b / n) if n else MISSING
        cells.append([name(label) if label else "**all**", count(n), count(a), count(b), share])
    return pipe(["class", "faces", "with exact copy", "with any copy", "share"], cells, "lrrrr")


def ambiguity(results: Results) -> str:
    """Return how ambiguous the votes are and how sure the annotators of people were, for each group."""
    votes = results.table("faces").set_index("image_id")["ambiguity"]
    people, cells = results.table("people"), []
    people = people[people["image_id"].isin(votes.index)]
    for attribute in results.plain:
        for group in results.groups.get(attribute, []):
            own = people[(people["attribute"] == attribute) & (people["group"] == group)]
            shown = [MISSING] * 3
            if len(own) and not is_few(len(own)):
                entropy, sure = votes.reindex(own["image_id"]), own["confidence"]
                shown = [
                    fixed(entropy.mean(), 2),
                    percent((entropy == 0).mean()) if entropy.notna().any() else MISSING,
                    fixed(sure.mean(), 2),
                ]
            cells.append([name(attribute), name(group), faces(len(own)), *shown])
    columns = ["attribute", "group", "faces", "mean entropy, bits", "all taggers agree", "mean confidence"]
    if all(line[-1] == MISSING for line in cells):  # nobody had to judge: the groups are known
        columns, cells = columns[:-1], [line[:-1] for line in cells]
    return pipe(columns, cells, "llrrrr"[: len(columns)])


def network(results: Results, given: str) -> str:
    """Return a network as a table of its layers, with the weights of each."""
    found = layers(given, len(results.classes), results.study["faces"]["size"])
    cells = []
    for layer in found:
        what = f"{layer.times} × {layer.what}" if layer.times > 1 else layer.what
        side = f" × {layer.side} × {layer.side}" if layer.side > 1 else ""
        cells.append([what, f"{layer.channels}{side}", count(layer.weights) if layer.weights else MISSING])
    cells.append(["**all**", "", f"**{count(sum(layer.weights for layer in found))}**"])
    return pipe(["layer", "output", "weights"], cells, "llr")


def timings(results: Results) -> str:
    """Return the time and the memory of each rule, from Snakemake's benchmark files."""
    cells = [
        [name(r.rule), count(r.jobs), fixed(r.seconds, 0), fixed(r.memory, 0)]
        for r in results.table("timings").itertuples()
    ]
    return pipe(["rule", "jobs", "seconds", "most memory, MB"], cells, "lrrr")
