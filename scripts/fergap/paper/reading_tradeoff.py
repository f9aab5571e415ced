"""What the comparison of interventions says in this study."""

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
    """Say for each gap which arms cannot be told from the baseline, and which are on the Pareto front."""
    parts, rows = [], compared_arms(results)
    for gap in gap_pairs(results):
        own = of_pair(rows, gap)
        baseline, of = name(own["baseline"].iloc[0]), pair(next(own.itertuples()))
        others = own[own["arm"] != own["baseline"]]
        same = others[others["indistinguishable"] == 1]
        total = was(len(others), "other arm", "other arms")
        if len(same):
            marked = results.cite(count(len(same)), "tradeoff", same.index, "indistinguishable")
            verb = "is" if len(same) == 1 else "are"
            said = (
                f"{marked} of {total} {verb} indistinguishable from {baseline}: {some([name(a) for a in same['arm']])}"
            )
        else:
            said = f"none of {total} is indistinguishable from {baseline}"
        front = own[own["front"] == 1]
        marked = results.cite(some([name(a) for a in front["arm"]]), "tradeoff", front.index, "front")
        parts.append(
            f"By accuracy and the gap {of}, {said}; on the Pareto front {'is' if len(front) == 1 else 'are'} {marked}."
        )
    return " ".join(parts)
