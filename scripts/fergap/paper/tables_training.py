"""Tables of the training: arms, recipe, what an intervention made of the training part, versions."""

from fergap.paper import data_sets, methods
from fergap.paper.cells import faces
from fergap.paper.markdown import name, pipe
from fergap.paper.numbers import MISSING, count, percent
from fergap.paper.recipes import worded
from fergap.paper.results import Results


def arms(results: Results) -> str:
    """Return the arms: network, size, and what the training part of a fold held."""
    cells, runs = [], results.table("runs")
    for arm in results.study["arms"]:
        own = runs[runs["arm"] == arm["name"]]
        network = (
            "predictions of somebody else's model" if arm.get("predictions") else name(arm.get("network", MISSING))
        )
        if arm.get("endpoint"):
            network = f"{name(arm['endpoint']['model'])}, asked in words"
        weights = count(own["parameters"].iloc[0]) if len(own) else MISSING
        own = [f"{key} {arm[key]}" for key in ("weights", "tuned", "recipe", "epochs") if key in arm]
        own += [f"one split {methods.split_words(arm['split'])}"] if arm.get("split") else []
        own += [f"{count(arm['tried'])} settings tried"] if arm.get("tried", 1) > 1 else []
        done = methods.intervention(arm) + " (placebo)" * bool(arm.get("placebo"))
        if about := data_sets.words(arm):
            done = about if done == "none" else f"{about}; {done}"
        cells.append([name(arm["name"]), network, weights, name("; ".join([done, *own]))])
    return pipe(["arm", "network", "weights", "intervention"], cells, "llrl")


def composition(results: Results) -> str:
    """Return the faces and rows of each group in the training part, mean over the folds."""
    rows = results.table("composition")
    rows = rows[rows["rows"] > 0]
    means = rows.groupby(["arm", "attribute", "group"], sort=False)[["faces", "rows"]].mean().reset_index()
    means["share"] = means["rows"] / means.groupby(["arm", "attribute"])["rows"].transform("sum")
    cells = [
        [name(r.arm), name(r.attribute), name(r.group), faces(round(r.faces)), faces(round(r.rows)), percent(r.share)]
        for r in means.itertuples(index=False)
    ]
    return pipe(["arm", "attribute", "group", "faces", "rows", "share of rows"], cells, "lllrrr")


def recipe(results: Results, settings: dict[str, str], published: dict | None = None) -> str:
    """Return the training settings, with the published study's beside them where there is one."""
    printed = worded(published["recipe"] | published["augmentation"]) if published else {}
    cells = []
    for setting, value in settings.items():
        beside = [name(printed.get(setting, MISSING))] if published else []
        cells.append([name(setting.replace("_", " ")), name(value), *beside])
    return pipe(["setting", "value", *(["published study"] if published else [])], cells, "lrr" if published else "lr")


def versions(results: Results) -> str:
    """Return the versions of the software that made the paper."""
    return pipe(
        ["software", "version"], [[name(k), name(v)] for k, v in results.study.get("versions", {}).items()], "ll"
    )
