"""What an arm makes of another arm's predictions: nothing is trained, and what is fitted is fitted on validation faces.

A model chose its epoch on its fold's validation faces and never trained on them; the fold's test faces are not looked
at. The options of an arm are applied in the order of ``AFTERWARDS``: seeds are averaged first, then probabilities are
made as sure as they are right, then classes are weighed against each other, which needs honest probabilities.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, logsumexp, softmax

from fergap import tables
from fergap.errors import UserError
from fergap.training.groups import groups_of, wide_groups

Row = dict[str, Any]
Fit = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From log-probabilities (m, classes) and labels (m,) of validation faces to an adjustment; zeros change nothing."""

UNIT = ["seed", "repeat", "fold"]
ALL = "all"  # faces of every group, and of none
LEAST = float(np.finfo(np.float32).tiny)  # what stands for a probability of 0, before its logarithm is taken
LARGEST = 3.0  # of |log T|: temperatures from 0.05 to 20
FARTHEST = 10.0  # of an offset
SHARPNESS = 0.1  # width, in log-probability, over which one predicted class gives way to another
RIDGE = 1e-4  # keeps offsets near 0 where no validation face tells more


class Classes(NamedTuple):
    """The classes of a frame of predictions: their names, and the columns of their probabilities."""

    names: list[str]
    columns: list[str]


def classes_of(predictions: pd.DataFrame) -> Classes:
    """Return the classes of a frame of table ``predictions``, in its order."""
    columns = [c for c in predictions.columns if str(c).startswith("p_")]
    return Classes([c.removeprefix("p_") for c in columns], columns)


def fit_temperature(log_p: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the logarithm of the temperature under which the labels are likeliest.

    Minimises −(1/m) Σ log softmax(log p / T)[label] over log T in ±3; the function has one minimum, because it is
    convex in 1/T. Temperature scaling: Guo and others, On Calibration of Modern Neural Networks, 2017.

    Parameters
    ----------
    log_p : numpy.ndarray
        (m, classes) log-probabilities, or logits: a constant added to a row changes nothing.
    labels : numpy.ndarray
        (m,) int, index of the class.

    Returns
    -------
    numpy.ndarray
        (1,) log T.
    """
    rows = np.arange(len(labels))

    def loss(log_t: float) -> float:
        return -float(log_softmax(log_p * np.exp(-log_t), axis=1)[rows, labels].mean())

    found = minimize_scalar(loss, bounds=(-LARGEST, LARGEST), method="bounded", options={"xatol": 1e-7})
    return np.array([found.x])


def fit_shares(log_p: np.ndarray, target: np.ndarray, sharpness: float) -> np.ndarray:
    """Return the offsets under which the classes have given shares.

    Minimises (1/m) Σ τ logsumexp((log p + b)/τ) − Σ target · b over b, which is convex; where it is least, the mean of
    softmax((log p + b)/τ) is ``target``. At τ = 1 that is the mean probability, for small τ the share of predictions.

    Parameters
    ----------
    log_p : numpy.ndarray
        (m, classes).
    target : numpy.ndarray
        (classes,) above 0, of sum 1.
    sharpness : float
        τ > 0.

    Returns
    -------
    numpy.ndarray
        (classes,) offsets in ±10.
    """

    def loss(b: np.ndarray) -> tuple[float, np.ndarray]:
        scores = (log_p + b) / sharpness
        shares = softmax(scores, axis=1).mean(0)
        return float(sharpness * logsumexp(scores, axis=1).mean() - target @ b), shares - target

    return _lowest(loss, len(target))


def _lowest(loss: Callable[[np.ndarray], tuple[float, np.ndarray]], size: int) -> np.ndarray:
    bounds = [(-FARTHEST, FARTHEST)] * size
    options = {"maxiter": 1000, "ftol": 1e-14, "gtol": 1e-8}
    return minimize(loss, np.zeros(size), jac=True, method="L-BFGS-B", bounds=bounds, options=options).x


def label_shares(labels: np.ndarray, size: int) -> np.ndarray:
    """Return each class's share of the labels with half a face added to each, so that none is 0; (size,), sum 1."""
    counts = np.bincount(labels, minlength=size) + 0.5
    return counts / counts.sum()


def equal_shares(log_p: np.ndarray, labels: np.ndarray) -> Fit:
    """Return the fit that gives every group the predicted class shares of all validation faces: demographic parity.

    The classes' shares are those of softmax(log p / τ) with τ = 0.1, a smooth stand-in for the predicted class that
    has a unique solution where counts of predictions have none or many. The optimal classifier under demographic
    parity with many classes has such an offset for each group and class: Denis, Elie, Hebiri and Hu, Fairness
    guarantees in multi-class classification with demographic parity, 2024 (theirs are added to probabilities).
    """
    target = softmax(log_p / SHARPNESS, axis=1).mean(0)
    return lambda own, _: fit_shares(own, target, SHARPNESS)


def likelihood(log_p: np.ndarray, labels: np.ndarray) -> Fit:
    """Return the fit under which each group's own labels are likeliest.

    It is the logistic regression whose intercepts alone are free; each class's mean probability becomes its share of
    the group's labels (with half a face added to each class). The bias of vector scaling (Guo and others, 2017), of
    bias-corrected calibration (Alexandari, Kundaje and Shrikumar, Maximum Likelihood with Bias-Corrected Calibration,
    2020).
    """
    return lambda own, known: fit_shares(own, label_shares(known, own.shape[1]), 1.0)


def equal_recall(log_p: np.ndarray, labels: np.ndarray) -> Fit:
    """Return the fit that brings every group's recall of each class near that of all validation faces.

    A group has one offset fewer than recalls, so they are brought as near as they come: from b = 0 downhill (L-BFGS-B)
    on Σ_c (n_c/n)(r_c(b) − R_c)² + 0.0001 |b|², with r_c(b) the mean of softmax((log p + b)/τ)_c over the n_c faces of
    class c of the group, τ = 0.1, R_c the same over all validation faces at b = 0. The function has no unique minimum;
    starting from 0 makes the result definite and never worse on these faces than no offsets. Equal opportunity of
    many classes: Hardt, Price and Srebro, Equality of Opportunity in Supervised Learning, 2016, for two classes;
    Putzel and Lee, Blackbox Post-Processing for Multiclass Fairness, 2022.
    """
    size = log_p.shape[1]
    target = _recalls(softmax(log_p / SHARPNESS, axis=1), labels)

    def fit(own: np.ndarray, known: np.ndarray) -> np.ndarray:
        weight = np.bincount(known, minlength=size) / len(known)
        per_face = np.eye(size)[known] / np.maximum(np.bincount(known, minlength=size), 1)

        def loss(b: np.ndarray) -> tuple[float, np.ndarray]:
            p = softmax((own + b) / SHARPNESS, axis=1)
            off = (p * per_face).sum(0) - target
            # d r_c/d b_k = (1/τ) Σ_{i of class c} p_ic ([c = k] − p_ik)/n_c
            own_class = p * per_face
            pull = 2 * weight * off
            slope = (pull * own_class.sum(0) - p.T @ (own_class @ pull)) / SHARPNESS
            return float(weight @ off**2 + RIDGE * b @ b), slope + 2 * RIDGE * b

        return _lowest(loss, size)

    return fit


def _recalls(p: np.ndarray, labels: np.ndarray) -> np.ndarray:
    size = p.shape[1]
    counts = np.bincount(labels, minlength=size)
    return np.bincount(labels, p[np.arange(len(labels)), labels], minlength=size) / np.maximum(counts, 1)


GOALS: dict[str, Callable[[np.ndarray, np.ndarray], Fit]] = {
    "equal_shares": equal_shares,
    "equal_recall": equal_recall,
    "likelihood": likelihood,
}


def ensemble(predictions: pd.DataFrame, groups: pd.DataFrame, setting: str, where: str) -> tuple[pd.DataFrame, list]:
    """Average the probabilities of an arm's seeds, for each repeat, fold and face.

    Parameters
    ----------
    predictions : pandas.DataFrame
        Table ``predictions`` of one arm.
    groups : pandas.DataFrame
        Not looked at.
    setting : {"seeds"}
        What is averaged over.

    Returns
    -------
    predictions : pandas.DataFrame
        The rows of the first seed, with the mean probabilities and the class that is then likeliest.
    adjustments : list of dict
        One row per repeat and fold: how many seeds were averaged.

    Raises
    ------
    UserError
        There is one seed alone, or seeds do not agree on which faces train, validate and test.
    """
    seeds = list(predictions["seed"].unique())
    if len(seeds) < 2:
        raise UserError("there is one seed alone", where=where, fix="give training: seeds two or more")
    classes, columns = classes_of(predictions)
    key = ["repeat", "fold", "image_id"]
    parts = [predictions[predictions["seed"] == seed].set_index(key) for seed in seeds]
    first, total = parts[0], np.zeros((len(parts[0]), len(columns)))
    for seed, part in zip(seeds, parts, strict=True):
        if not part.index.equals(first.index):
            part = part.reindex(first.index) if part.index.is_unique and len(part) == len(first) else part.iloc[:0]
        if len(part) != len(first) or (part["role"] != first["role"]).any() or (part["true"] != first["true"]).any():
            raise UserError(
                f"seed {seed} predicts other faces, or splits them otherwise, than seed {seeds[0]}",
                where=where,
                expected="the same folds and validation parts for every seed",
                fix="remove the arm's folder below results/ and start again",
            )
        total += part[columns].to_numpy(float)
    out = predictions[predictions["seed"] == seeds[0]].reset_index(drop=True)
    out[columns] = total / len(seeds)
    out["predicted"] = np.array(classes, object)[total.argmax(1)]
    tested = out[out["role"] == "validation"].groupby(UNIT, sort=False).size()
    about = {"attribute": None, "group": ALL, "quantity": "seeds averaged", "class": None, "status": "ok"}
    rows = [
        dict(zip(UNIT, map(int, unit), strict=True)) | about | {"n": int(tested.get(unit, 0)), "value": len(seeds)}
        for unit in out[UNIT].drop_duplicates().itertuples(index=False, name=None)
    ]
    return out, rows


def temperature(
    predictions: pd.DataFrame, groups: pd.DataFrame, setting: Mapping, where: str
) -> tuple[pd.DataFrame, list]:
    """Divide log-probabilities by a temperature, which makes probabilities surer (below 1) or less sure (above).

    p' = softmax(log p / T), with T by :func:`fit_temperature` on the validation faces of each group, for each seed,
    repeat and fold. The predicted class stays. See :func:`adjusted` for the parameters.
    """

    def scaled(log_p: np.ndarray, fitted: np.ndarray) -> np.ndarray:
        return softmax(log_p * np.exp(-fitted), axis=1)

    out, rows = adjusted(predictions, groups, setting, where, lambda *_: fit_temperature, scaled)
    out["predicted"] = predictions["predicted"]
    bound = {True: "ok: at the bound", False: "ok"}
    rows = [
        r
        | {"quantity": "temperature", "class": None, "value": float(np.exp(r["value"][0]))}
        | ({"status": bound[abs(r["value"][0]) > LARGEST - 1e-3]} if r["status"] == "ok" else {})
        for r in rows
    ]
    return out, rows


def thresholds(
    predictions: pd.DataFrame, groups: pd.DataFrame, setting: Mapping, where: str
) -> tuple[pd.DataFrame, list]:
    """Add an offset for each group and class to the log-probabilities, which moves the classes' thresholds.

    p' = softmax(log p + b); the likeliest class is predicted, which needs each face's group to be known. The offsets
    are fitted on validation faces towards ``goal``, a key of ``GOALS``, for each seed, repeat and fold; they have mean
    0 over the classes. See :func:`adjusted` for the parameters.
    """
    goal = GOALS[setting["goal"]]

    def centred(log_p: np.ndarray, labels: np.ndarray) -> Fit:
        fit = goal(log_p, labels)

        def mean_0(own: np.ndarray, known: np.ndarray) -> np.ndarray:
            b = fit(own, known)
            return b - b.mean()

        return mean_0

    out, rows = adjusted(predictions, groups, setting, where, centred, lambda log_p, b: softmax(log_p + b, axis=1))
    classes = classes_of(predictions).names
    return out, [
        r | {"quantity": "offset", "class": c, "value": float(b)}
        for r in rows
        for c, b in zip(classes, r["value"], strict=True)
    ]


def adjusted(
    predictions: pd.DataFrame,
    groups: pd.DataFrame,
    setting: Mapping,
    where: str,
    fits: Callable[[np.ndarray, np.ndarray], Fit],
    apply: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> tuple[pd.DataFrame, list[Row]]:
    """Fit an adjustment on each group's validation faces and apply it to all faces of the group.

    Parameters
    ----------
    predictions : pandas.DataFrame
        Table ``predictions`` of one arm, n rows.
    groups : pandas.DataFrame
        (faces, attributes) text by image id, ``unknown`` where there is no group.
    setting : mapping
        ``by``, an attribute or a combination as ``gender*age``, or nothing for all faces together; ``minimum``: groups
        with fewer validation faces, and faces of no group, have what is fitted on all validation faces of their fold;
        ``strength`` in 0 … 1, by which what was fitted is multiplied: 0 leaves every bit as it was.
    where : str
        The place in the config, for errors.
    fits : callable
        From the log-probabilities and labels of all validation faces of a fold to the fit of a group.
    apply : callable
        From log-probabilities (m, classes) and adjustments (m, k) to probabilities (m, classes).

    Returns
    -------
    predictions : pandas.DataFrame
        Probabilities as adjusted, and the likeliest class, in rows whose adjustment is not 0.
    adjustments : list of dict
        One row per seed, repeat, fold and group, and one for all faces: ``value`` holds what was applied, (k,);
        ``n`` the group's validation faces, ``status`` ``ok``, or why that of all faces is taken.

    Raises
    ------
    UserError
        There is no such attribute, or a fold has no validation face.
    """
    classes, columns = classes_of(predictions)
    by, strength, least = setting.get("by"), setting.get("strength", 1), setting.get("minimum", 20)
    names: tuple[str, ...] = ()
    codes = np.full(len(predictions), -1)
    if by:
        found = groups_of(groups, by, f"{where}: by")
        names, codes = found.names, found.codes[groups.index.get_indexer(predictions["image_id"])]
    out = predictions.reset_index(drop=True)
    before, predicted = out[columns].to_numpy(float), out["predicted"].to_numpy(object, copy=True)
    after, rows = before.copy(), []
    labels = pd.Index(classes).get_indexer(out["true"])
    held = (out["role"] == "validation").to_numpy()
    for unit, part in out.groupby(UNIT, sort=False).indices.items():
        log_p = np.log(np.maximum(before[part], LEAST))
        inside = np.flatnonzero(held[part])
        if not len(inside):
            raise UserError(f"fold {unit[2]} has no validation face", where=where, expected="some to fit on")
        fit = fits(log_p[inside], labels[part][inside])
        pooled = strength * fit(log_p[inside], labels[part][inside])
        head = dict(zip(UNIT, map(int, unit), strict=True)) | {"attribute": by}
        rows.append(head | {"group": ALL, "n": len(inside), "value": pooled, "status": "ok"})
        chosen = [pooled] * (len(names) + 1)  # the last is that of faces of no group
        for code, name in enumerate(names):
            own = inside[codes[part][inside] == code]
            status = "ok" if len(own) >= least else f"that of all faces: {len(own)} validation faces"
            if status == "ok":
                chosen[code] = strength * fit(log_p[own], labels[part][own])
            rows.append(head | {"group": name, "n": len(own), "value": chosen[code], "status": status})
        mine = np.stack(chosen)[codes[part]]
        moved = np.flatnonzero((mine != 0).any(1))
        after[part[moved]] = apply(log_p[moved], mine[moved])
        predicted[part[moved]] = np.array(classes, object)[after[part[moved]].argmax(1)]
    out[columns], out["predicted"] = after, predicted
    return out, rows


AFTERWARDS = {"ensemble": ensemble, "temperature": temperature, "thresholds": thresholds}


def derive(
    predictions: pd.DataFrame, groups: pd.DataFrame, arm: Mapping[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Apply an arm's options to another arm's predictions, in the order of ``AFTERWARDS``.

    Parameters
    ----------
    predictions : pandas.DataFrame
        Table ``predictions`` of the arm ``from``, with every role.
    groups : pandas.DataFrame
        (faces, attributes) text by image id, as :func:`fergap.training.groups.wide_groups` gives it.
    arm : mapping
        From :func:`fergap.training.plan.derived_settings`.

    Returns
    -------
    predictions, adjustments : pandas.DataFrame
        The tables of these names.

    Raises
    ------
    UserError
        See :func:`ensemble` and :func:`adjusted`.
    """
    frame, rows = predictions.reset_index(drop=True), []
    for name, function in AFTERWARDS.items():
        if arm.get(name) is not None:
            frame, found = function(frame, groups, arm[name], f"arms: {arm['name']}: {name}")
            rows += found
    made = pd.DataFrame(rows).assign(arm=arm["name"])
    return frame.assign(arm=arm["name"]), made[list(tables.TABLES["adjustments"].columns)]


def told(adjustments: pd.DataFrame) -> list[str]:
    """Return in words, for the log, which groups were too small for a fit of their own."""
    shared = adjustments[adjustments["status"].str.startswith("that of all faces")]
    shared = shared.drop_duplicates([*UNIT, "attribute", "group", "quantity"])
    units = len(adjustments[UNIT].drop_duplicates())
    return [
        f"{quantity} of {attribute} {group}: that of all faces in {len(part)} of {units} networks, where it has only "
        f"{' to '.join(map(str, sorted({int(part['n'].min()), int(part['n'].max())})))} validation faces"
        for (quantity, attribute, group), part in shared.groupby(["quantity", "attribute", "group"], sort=False)
    ]


def derive_predictions(
    arm: Mapping[str, Any],
    packs: Sequence[str | os.PathLike],
    people: str | os.PathLike,
    predictions: str | os.PathLike,
    adjustments: str | os.PathLike,
) -> None:
    """Write what an arm makes of the predictions of the jobs ``packs`` of another: see :func:`derive`."""
    given = pd.concat([tables.read(p, "predictions") for p in packs], ignore_index=True)
    faces = pd.Series(given["image_id"].unique())
    groups = wide_groups(tables.read(people, "people"), faces).set_axis(pd.Index(faces))
    said, made = derive(given, groups, arm)
    for line in told(made):
        print(f"arm {arm['name']}: {line}", file=sys.stderr)
    tables.write(said, predictions, "predictions")
    tables.write(made, adjustments, "adjustments")
