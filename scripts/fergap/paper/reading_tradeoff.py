"""What the comparison of interventions says in this study."""

import pandas as pd

from fergap.paper.cells import pair, told
from fergap.paper.markdown import name, sentence
from fergap.paper.numbers import count
from fergap.paper.reading import some, was
from fergap.paper.results import Results
from fergap.paper.tables_tradeoff import compared_arms, gap_pairs, lines, of_pair

MOST_TOLD = 6  # sentences; of more, arms that are indistinguishable from the baseline are left to the summary


def sentences(results: Results) -> list[str]:
    """Return one sentence for each arm and gap, word for word from ``tradeoff``; none where the table is shorter."""
    rows = lines(results)
    if len(rows) > MOST_TOLD:
        rows = [row for row in rows if not row.indistinguishable]
    if len(rows) > MOST_TOLD:
        return []
    return [results.cite(sentence(told(row.sentence)), "tradeoff", row, "sentence") for row in rows]


def summary(results: Results) -> str:
    """Say for each gap which arms cannot be told from their baseline, and which are on the Pareto front."""
    parts, rows = [], compared_arms(results)
    for gap in gap_pairs(results):
        own = of_pair(rows, gap)
        of, families = pair(next(own.itertuples())), own.groupby("baseline", sort=False)
        said = [against(results, baseline, arms, len(families) > 1) for baseline, arms in families if len(arms) > 1]
        front = own[own["front"] == 1]
        marked = results.cite(some([name(a) for a in front["arm"]]), "tradeoff", front.index, "front")
        on = f"on the Pareto front {'is' if len(front) == 1 else 'are'} {marked}"
        parts.append(f"By accuracy and the gap {of}, {'; '.join([*said, on])}.")
    return " ".join(parts)


def against(results: Results, baseline: str, arms: pd.DataFrame, several: bool) -> str:
    """Say which of the arms held against a baseline cannot be told from it; ``several``: others have another."""
    others = arms[arms["arm"] != baseline]
    same = others[others["indistinguishable"] == 1]
    found = "none"
    if len(same):
        found = results.cite(count(len(same)), "tradeoff", same.index, "indistinguishable")
    verb = "are" if len(same) > 1 else "is"
    which = f": {some([name(a) for a in same['arm']])}" if len(same) else ""
    if several:
        total = was(len(others), "arm", "arms")
        return f"of {total} held against {name(baseline)}, {found} {verb} indistinguishable from it{which}"
    total = was(len(others), "other arm", "other arms")
    return f"{found} of {total} {verb} indistinguishable from {name(baseline)}{which}"
