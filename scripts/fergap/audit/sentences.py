"""Numbers as they are printed, and one plain sentence per verdict."""

import math
from typing import Any

Row = dict[str, Any]


def points(gap: float, signed: bool = True) -> str:
    """Return a fraction as percentage points with one decimal and a true minus: ``−4.1``."""
    value = round(100 * gap, 1)
    text = f"{abs(value):.1f}"
    return f"−{text}" if signed and value < 0 else text


def percent(share: float) -> str:
    """Return a fraction as ``51.6 %``."""
    return f"{100 * share:.1f} %"


def whole_percent(share: float) -> str:
    """Return a level of confidence as ``95 %``, with decimals only where it has some."""
    return f"{round(100 * share, 6):g} %"


def number(count: int) -> str:
    """Return a count with commas: ``14,545``."""
    return f"{count:,}"


def p_value(p: float) -> str:
    """Return ``p = 0.037`` or ``p < 0.001``; one that rounds to 1 is ``p > 0.999``."""
    if p < 0.001:
        return "p < 0.001"
    return "p > 0.999" if p > 0.9995 else f"p = {p:.3f}"


def interval(low: float, high: float) -> str:
    """Return an interval in points: ``−6.6 to −1.6``."""
    return f"{points(low)} to {points(high)}"


def group_faces(group: str) -> str:
    """Return ``child faces``, and ``female child faces`` for ``female*child``."""
    return group.replace("*", " ") + " faces"


def joined(parts: list[str]) -> str:
    """Return ``a``, ``a and b``, or ``a, b and c``."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def moved(change: float) -> str:
    """Return ``rose by 5.4 points``, ``fell by 0.8 points`` or ``stayed the same``."""
    if round(100 * abs(change), 1) == 0:
        return "stayed the same"
    return f"{'rose' if change > 0 else 'fell'} by {points(change, False)} points"


def gap_sentence(row: Row) -> str:
    """Return what a row of ``verdicts`` without a contrast says."""
    group, reference = group_faces(row["group"]), group_faces(row["reference"])
    if row["verdict"] == "not estimable":
        reason = row["status"].removeprefix("not estimable: ")
        return f"With {row['arm']}, the gap between {group} and {reference} cannot be estimated: {reason}."
    gap, ends = row["estimate"], (row["ci_low"], row["ci_high"])
    if round(100 * abs(gap), 1) == 0:
        compared = f"{group} were recognised as often as {reference}, to a tenth of a point"
    else:
        word = "less" if gap < 0 else "more"
        compared = f"{group} were recognised {points(gap, False)} points {word} often than {reference}"
        if gap < 0:  # the words turn the sign, and the interval turns with them
            ends = (-row["ci_high"], -row["ci_low"])
    sizes = f"n {number(row['n_group'])} and {number(row['n_reference'])}"
    adjusted = " Holm-adjusted" if row["adjustment"] == "holm" else ""
    numbers = (
        f"{percent(row['accuracy_group'])} against {percent(row['accuracy_reference'])}, {sizes}; "
        f"{whole_percent(row['confidence'])} CI {interval(*ends)}; "
        f"{row['test']} test,{adjusted} {p_value(row['p_adjusted'])}"
    )
    margin = points(row["margin"], False)
    conclusion = {
        "gap": "a gap",
        "equivalent": f"equivalent within ±{margin} points",
        "undecided": f"undecided, neither a gap nor equivalence within ±{margin} points is shown",
    }[row["verdict"]]
    sentence = f"With {row['arm']}, {compared} ({numbers}): {conclusion}.{disagreement(row)}"
    return sentence + detectable(row["minimum_detectable_gap"], "gap")


def disagreement(row: Row) -> str:
    """Return the sentence that a gap's verdict owes the reader where interval and test do not say the same."""
    has_zero = row["ci_low"] <= 0 <= row["ci_high"]
    test = "Holm-adjusted test" if row["adjustment"] == "holm" else "test"
    test += " within classes" if "stratified" in row["test"] else ""
    if row["verdict"] == "gap" and has_zero:
        return f" The {test} rejects; the interval, of the difference over all faces, includes 0."
    if row["verdict"] == "undecided" and not has_zero:
        return f" The interval, of the difference over all faces, leaves 0 out; the {test} does not reject."
    return ""


def detectable(smallest: float, what: str) -> str:
    """Return the sentence on the smallest gap, or change of a gap, that the sample could have shown."""
    if math.isnan(smallest):
        return f" No {what} could have been shown at 80 % power by a sample of this size."
    return f" The smallest {what} this sample could have shown at 80 % power is {points(smallest, False)} points."


def change_sentence(row: Row) -> str:
    """Return what a row of ``verdicts`` with a contrast says."""
    group, reference = group_faces(row["group"]), group_faces(row["reference"])
    between = f"between {group} and {reference}"
    if row["verdict"] == "not estimable":
        reason = row["status"].removeprefix("not estimable: ")
        return f"From {row['contrast']}, the change of the gap {between} cannot be estimated: {reason}."
    adjusted = "Holm-adjusted " if row["adjustment"] == "holm" else ""
    numbers = (
        f"change {points(row['estimate'])}, {whole_percent(row['confidence'])} CI "
        f"{interval(row['ci_low'], row['ci_high'])}; {row['test']}, {adjusted}{p_value(row['p_adjusted'])}"
    )
    margin, smallest = points(row["margin"], False), points(row["smallest_margin"], False)
    inside = f"the gap after lies within ±{margin} points"
    outside = f"equivalence is not shown (the smallest margin that the data certify is {smallest} points)"
    only_moved = "it moved, but that it is smaller or larger than before is not shown"
    certified = row["equivalent_after"]
    conclusion = {
        "narrowed and equivalent": f"it narrowed, and {inside}",
        "narrowed, not shown equivalent": f"it narrowed, but {outside}",
        "equivalent, change not shown": f"{inside}, but that it changed is not shown",
        "no change shown": f"no change is shown, and {outside}",
        "reversed": "it changed sign" + (f", and {inside}" if certified else f", and {outside}"),
        "widened": "it widened" + (f", though {inside}" if certified else f", and {outside}"),
        "moved and equivalent": f"{only_moved}; {inside}",
        "moved, not shown equivalent": f"{only_moved}, and {outside}",
    }[row["verdict"]]
    if row["verdict"].startswith("moved"):  # 0 may lie halfway between the two
        around = f"{whole_percent(row['confidence'])} CI {interval(row['gap_mean_low'], row['gap_mean_high'])}"
        numbers += f"; mean of the two gaps {points(row['gap_mean'])}, {around}"
    sentence = (
        f"From {row['contrast']}, the gap {between} went from {points(row['gap_before'])} to "
        f"{points(row['gap_after'])} points ({numbers}): {conclusion}. "
        f"Accuracy {moved(row['change_group'])} for {group} and {moved(row['change_reference'])} for {reference}"
    )
    if row["levelling_down"]:
        sentence += f": levelling down, {joined([group_faces(g) for g in row['lost'].split('; ')])} lost"
    if row["change_group"] == row["change_reference"] == 0 and math.isnan(row["minimum_detectable_gap"]):
        return sentence + ": no face of theirs became right or wrong."
    return sentence + "." + detectable(row["minimum_detectable_gap"], "change of the gap")


def tradeoff_sentence(row: Row) -> str:
    """Return what a row of ``tradeoff`` says of an arm against its baseline."""
    arm, baseline = row["arm"], row["baseline"]
    between = f"between {group_faces(row['group'])} and {group_faces(row['reference'])}"
    if row["verdict"] == "not estimable":
        reason = row["status"].removeprefix("not estimable: ")
        return f"{arm} cannot be compared with {baseline} by the gap {between}: {reason}."
    level = f"{percent(row['accuracy'])} of {number(row['n'])} faces"
    share = row.get("front_share")
    often = "" if share is None else f" On the Pareto front in {round(100 * share)} % of resamples."
    if row["verdict"] == "baseline":
        return f"As a baseline, {arm} recognises {level}, with a gap {between} of {points(row['gap'])} points.{often}"
    gap = (
        f"{points(row['gap'])} points, change {points(row['gap_change'])}, {whole_percent(row['confidence'])} CI "
        f"{interval(row['gap_change_low'], row['gap_change_high'])}, Holm-adjusted {p_value(row['gap_p_adjusted'])}"
    )
    accuracy = (
        f"{level}, change {points(row['accuracy_change'])}, CI "
        f"{interval(row['accuracy_change_low'], row['accuracy_change_high'])}, Holm-adjusted "
        f"{p_value(row['accuracy_p_adjusted'])}"
    )
    if row["indistinguishable"]:
        same = f"{arm} is indistinguishable from {baseline} in accuracy ({accuracy}) and in the gap {between} ({gap})"
        return f"{same}.{often}"
    said = {"narrowed": "narrowed the gap", "widened": "widened the gap", "reversed": "changed the sign of the gap"}
    said |= {"moved": "moved the gap, not shown to be smaller or larger,"}
    said |= {"gap: no": "is not shown to change the gap"}
    said |= {"higher": "gained accuracy", "lower": "lost accuracy", "accuracy: no": "is not shown to change accuracy"}
    first, second = (words for key, words in said.items() if key in row["verdict"])
    sentence = f"Against {baseline}, {arm} {first} {between} ({gap}) and {second} ({accuracy})"
    if row.get("levelling_down"):
        sentence += f": levelling down, {joined([group_faces(g) for g in row['lost'].split('; ')])} lost"
    return f"{sentence}.{often}"
