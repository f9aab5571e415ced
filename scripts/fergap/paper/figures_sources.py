"""Figures of several data sets: what each source's faces are taken for, and accuracy on a source never seen."""

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fergap.paper.cells import any_few, faces, told
from fergap.paper.data_sets import compared, recognisers
from fergap.paper.drawing import breaks, dumbbells, label
from fergap.paper.numbers import count, level, percent, with_interval
from fergap.paper.results import WHOLE, Results
from fergap.paper.style import INK, new_figure, sheet


def recognition(results: Results) -> Figure:
    """Draw for each arm what the faces of each source are taken for: row percent with their intervals."""
    with sheet():
        table, arms = results.table("source_recognition"), recognisers(results)
        table = table[table["metric"] == "share"]
        sources = list(dict.fromkeys(table["true"]))
        side = 1.6 + 1.5 * len(sources)
        figure = new_figure(side, min(16.0, len(arms) * (3.0 + 2.6 * len(sources))))
        for axes, arm in zip(figure.subplots(1, len(arms), squeeze=False).flat, arms, strict=True):
            own = table[table["arm"] == arm]
            shares = own.pivot(index="true", columns="predicted", values="estimate").loc[sources, sources].to_numpy()
            axes.imshow(shares.astype(float), cmap="Blues", vmin=0, vmax=1, aspect="auto")
            for row in own.itertuples():
                if math.isnan(row.estimate):
                    continue
                place = sources.index(row.predicted), sources.index(row.true)
                look = {"ha": "center", "va": "center", "textcoords": "offset points"}
                look["color"] = "white" if row.estimate > 0.55 else INK
                bold = "bold" if row.true == row.predicted else "normal"
                axes.annotate(percent(row.estimate), place, xytext=(0, 5), fontsize=8, fontweight=bold, **look)
                around = f"{100 * row.ci_low:.1f} … {100 * row.ci_high:.1f}"
                axes.annotate(around, place, xytext=(0, -6), fontsize=6.5, **look)
            sizes = own.drop_duplicates("true").set_index("true")["n"]
            axes.set_xticks(range(len(sources)), sources)
            axes.set_yticks(range(len(sources)), [f"{s}\n(n = {count(sizes[s])})" for s in sources])
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
            axes.set_title(arm)
        figure.supxlabel("taken for", fontsize=8)
        figure.supylabel("source", fontsize=8)
        return figure


def unseen(results: Results) -> Figure:
    """Draw the accuracy on each source, of all faces and of groups, by networks that saw it and by others."""
    with sheet():
        rows = compared(results).copy()
        several = rows["arm"].nunique() > 1
        source = rows["source"].where(rows["source"] != WHOLE, "all sources")
        group = rows["group"].map(label).where(rows["attribute"] != WHOLE, "")
        names = source.where(rows["attribute"] == WHOLE, group)
        rows["line"] = names + (" (" + rows["arm"] + ")" if several else "")
        rows["note"] = [
            told(r.status)
            if math.isnan(r.estimate)
            else "–"
            if any_few(r)
            else f"{with_interval(r.estimate, r.ci_low, r.ci_high)} (n = {faces(r.n)})"
            for r in rows.itertuples()
        ]
        few = np.array([any_few(r) for r in rows.itertuples()])
        for column in ("accuracy_seen", "accuracy_unseen"):
            rows[column] = pd.to_numeric(rows[column]).mask(few)
        rows["break"] = breaks(rows, ["arm", "source"])
        return dumbbells(
            results,
            rows,
            "accuracy_seen",
            "accuracy_unseen",
            "accuracy, percent (open: by networks that saw the source; filled: by others that never did)",
            f"change, points [{level(results.confidence)} interval]",
            True,
        )
