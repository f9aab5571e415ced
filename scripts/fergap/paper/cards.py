"""A study on one page, and as a model card and a data sheet, from the paper's own tables and sentences."""

import re
import textwrap

import pandas as pd
from matplotlib.figure import Figure

from fergap.paper import dataset, methods, reading, reading_arms, reading_sensitivity
from fergap.paper.cells import find, told
from fergap.paper.figures_arms import SIDE_BY_SIDE, draw_arms, panels_of
from fergap.paper.figures_gaps import forest, forest_lines
from fergap.paper.markdown import listing, sentence
from fergap.paper.numbers import count, level, percent, points
from fergap.paper.results import WHOLE, Results
from fergap.paper.style import CM, FAINT, INK, sheet
from fergap.paper.tables import TABLES
from fergap.study import all_drawn

MOST_LINES = 12  # of the forest plot on the summary card
TALLEST = 0.42  # share of the card's height that the figure of all arms may take
TEXT, SMALLEST = 9.0, 7.5  # points
LETTERS, LINE, APART = 104, 0.0145, 0.006  # of a line of TEXT points: letters, height, and what a paragraph adds
HEAD, BETWEEN, FOOT = 0.025, 0.012, 0.05  # height of a heading, of the space between lists, of the foot
LETTER = r"\\.|[^\[\]\\]"
MARK = re.compile(rf'\[((?:{LETTER}|\[(?:{LETTER})*\])*)\]\{{title="[^"]*"\}}')


def plain(text: str) -> str:
    """Return the paper's Markdown as plain words: no tooltips, no citations, no escapes."""
    text = re.sub(r" ?\[@[^\]]*\]", "", MARK.sub(r"\1", text))
    return re.sub(r"\\(.)", r"\1", text).replace("\N{ZERO WIDTH SPACE}", "")


def sentences(results: Results) -> list[str]:
    """Return the verdicts on plain attributes: of the first arm told in full, then of the contrasts.

    Of many arms, one sentence for each gap on all of its contrasts, without contrasts on all arms.
    """
    detail, rows = results.detail(), results.verdicts()
    rows = rows[rows["attribute"].isin(results.plain)]
    own = rows[rows["contrast"].isna() & rows["arm"].isin(detail.headline[:1])]
    if detail is results:
        shown = pd.concat([own, rows[rows["contrast"].notna()]])["sentence"]
        return [plain(sentence(told(s))) for s in shown]
    others = reading_arms.changes_of_arms(results) or reading_arms.verdicts_of_arms(results)
    return [*(plain(sentence(told(s))) for s in own["sentence"]), *map(plain, others)]


def draw_gaps(figure: Figure, results: Results, top: float) -> tuple[float, str]:
    """Draw the gaps of the arms told in full, or accuracy and gaps of many arms, below ``top``.

    Returns
    -------
    bottom : float
        Where the axes end, as a share of the figure's height.
    note : str
        What did not fit, in words; empty where everything did.
    """
    if results.detail() is not results:
        found = panels_of(results)
        panels, arms = found[:SIDE_BY_SIDE], len(results.arms)
        height, width = min(TALLEST, 0.03 + 0.017 * arms), 0.7 / len(panels)
        grid = [
            figure.add_axes((0.24 + i * (width + 0.01), top - height, width - 0.03, height)) for i in range(len(panels))
        ]
        draw_arms(grid, results, panels, len(panels))
        grid[0].tick_params(axis="y", labelsize=min(7.5, 7.5 * TALLEST / (0.017 * arms)))
        left = len(found) - len(panels)
        return top - height, f"{count(left)} more gaps are in the paper." if left else ""
    lines = [line for line in forest_lines(results)[0] if line[0] in results.plain and line[3] in results.headline]
    left, lines = len(lines) - MOST_LINES, lines[:MOST_LINES]
    blocks = len({line[:3] for line in lines})
    height = min(0.34, 0.05 + 0.024 * (len(lines) + (blocks if len(lines) > blocks else 0)))
    forest(figure.add_axes((0.25, top - height, 0.38, height)), results, lines)
    return top - height, f"{count(left)} more are in the paper." if left > 0 else ""


def lines_of(texts: list[str], size: float) -> list[list[str]]:
    """Return each text as lines that fit between the card's margins at a size in points."""
    return [textwrap.wrap(text, int(LETTERS * TEXT / size)) for text in texts]


def height_of(texts: list[str], size: float) -> float:
    """Return the height of texts below one another at a size in points, as a share of the card's."""
    return size / TEXT * sum(LINE * len(lines) + APART for lines in lines_of(texts, size))


def fitted(found: list[str], limits: list[str], room: float) -> tuple[list[str], float]:
    """Return the findings that leave room for all limits, and the size in points at which both fit.

    Letters grow smaller before a finding is cut, and a last line says how many were.
    """
    for size in (TEXT, 8.5, 8.0, SMALLEST):
        if height_of([*found, *limits], size) <= room:
            return found, size
    for kept in range(len(found) - 1, 0, -1):
        shown = [*found[:kept], f"{count(len(found) - kept)} more verdicts are in the paper."]
        if height_of([*shown, *limits], SMALLEST) <= room:
            return shown, SMALLEST
    return [f"The {count(len(found))} verdicts are in the paper."] if len(found) > 1 else found, SMALLEST


def write_lists(figure: Figure, top: float, found: list[str], limits: list[str]) -> None:
    """Write findings and limits below ``top``, each below its heading."""
    shown, size = fitted(found, limits, top - FOOT - 2 * HEAD - BETWEEN)
    y = top
    for head, texts in (("What was found", shown), ("What to keep in mind", limits)):
        figure.text(0.08, y, head, fontsize=11, fontweight="bold", va="top")
        y -= HEAD
        for lines in lines_of(texts, size):
            figure.text(0.08, y, "•", fontsize=size, va="top")
            figure.text(0.095, y, "\n".join(lines), fontsize=size, va="top", linespacing=1.4, color=INK)
            y -= size / TEXT * (LINE * len(lines) + APART)
        y -= BETWEEN


def summary_card(results: Results) -> Figure:
    """Draw the study on one page: what was asked, the gaps, the verdicts and their limits."""
    study = results.study
    if not study["arms"]:
        return data_card(results)
    first = results.detail().headline[0]
    row = find(results.accuracy(), arm=first, attribute=WHOLE)
    by = " and ".join(results.plain)
    by += f" under {count(len(results.arms))} arms" if results.detail() is not results else ""
    asked = (
        f"{count(row.n) if row else 'No'} faces, {count(len(results.classes))} classes; gaps in accuracy by "
        f"{by}, margin ±{points(study['audit']['margin'], signed=False)} points declared "
        f"before the run, intervals at {level(study['audit']['confidence'])}."
    )
    if row is not None and pd.notna(row.estimate):
        asked += f" {first}: {percent(row.estimate)} right {methods.seen_as(study, [first])}."
    limits = [plain(text) for text in methods.limitations(study, "", [], results.detail())][:3]
    with sheet():
        figure = Figure(figsize=(21.0 * CM, 29.7 * CM))
        figure.text(0.08, 0.955, methods.title_of(study), fontsize=15, fontweight="bold", va="top")
        figure.text(0.08, 0.92, textwrap.fill(asked, 100), fontsize=9, va="top", color=FAINT, linespacing=1.5)
        bottom, note = draw_gaps(figure, results, 0.845)
        figure.text(0.08, bottom - 0.05, note, fontsize=7.5, color=FAINT)
        write_lists(figure, bottom - 0.075, sentences(results), limits)
        figure.text(0.08, 0.03, f"Study {study['study']}, seed {study['seed']}.", fontsize=7.5, color=FAINT)
    return figure


def data_card(results: Results) -> Figure:
    """Draw a study without arms on one page: what was asked of the data, what was found, and its limits."""
    study, values = results.study, {"class count": count(len(results.classes)), "attributes": listing(results.plain)}
    shares = results.table("dataset_shares")
    values["faces"] = count(shares.loc[shares["attribute"] == WHOLE, "n"].max())
    said = plain(dataset.found(results)).replace("\N{NO-BREAK SPACE}", " ")
    texts = [plain(methods.question(study, values)), *re.split(r"(?<=\.) (?=[A-Z])", said)]
    texts += [plain(text) for text in methods.limitations(study, "", [], results)]
    with sheet():
        figure = Figure(figsize=(21.0 * CM, 29.7 * CM))
        figure.text(0.08, 0.955, methods.title_of(study), fontsize=15, fontweight="bold", va="top")
        y = 0.92
        for text in texts:
            wrapped = textwrap.wrap(text, 104)
            if y - 0.0145 * len(wrapped) < 0.05:
                break
            figure.text(0.08, y, "\n".join(wrapped), fontsize=9, va="top", linespacing=1.4, color=INK)
            y -= 0.0145 * len(wrapped) + 0.01
        figure.text(0.08, 0.03, f"Study {study['study']}, seed {study['seed']}.", fontsize=7.5, color=FAINT)
    return figure


def sections(head: str, parts: dict[str, str]) -> str:
    """Return a Markdown page with a heading and sections; empty ones are left out."""
    return "\n\n".join([f"# {head}", *(f"## {k}\n\n{v.strip()}" for k, v in parts.items() if v.strip())]) + "\n"


def bullets(texts: list[str]) -> str:
    """Return a Markdown list of plain texts."""
    return "\n".join(f"- {text}" for text in texts)


def model_card(results: Results) -> str:
    """Return the model card (Mitchell and others 2019) of the study's arms."""
    study, trained = results.study, results.has("history")
    if not study["arms"]:
        return sections(f"Model card: {methods.title_of(study)}", {"Model details": "There is no model in this study."})
    details = [plain(methods.networks(study, results.arms)) if trained else "The predictions of every arm were given."]
    if trained:
        details += [plain(methods.spread(results)), plain(methods.protocol(study))]
    fairness = [
        plain(reading_sensitivity.fairness(results.detail(), a))
        for a in results.plain
        if (results.table("fairness")["attribute"] == a).any()
    ]
    limits = [plain(text) for text in methods.limitations(study, "", [], results.detail())]
    return sections(
        f"Model card: {methods.title_of(study)}",
        {
            "Model details": plain(TABLES["arms"](results)) + "\n\n" + " ".join(details),
            "Intended use": "To study how evenly facial expressions are recognised in groups of people. Not to judge "
            "a person's feelings, health or fitness for anything.",
            "Factors": f"Groups: {', '.join(g for a in results.plain for g in results.groups[a])}. "
            + plain(methods.people(study)),
            "Metrics": f"Accuracy and macro averages {methods.seen_as(study)}; gaps (group minus reference) with "
            "Newcombe's interval, a class-stratified exact test adjusted by Holm, and an equivalence test against the "
            f"margin of {points(study['audit']['margin'], signed=False)} points.",
            "Evaluation data": plain(methods.source(study)) + "\n\n" + plain(TABLES["accuracy"](results)),
            "Training data": "The training part of each fold; see the data sheet." if trained else "Not known here.",
            "Quantitative analyses": bullets(sentences(results)) + "\n\n" + plain(TABLES["groups"](results.detail())),
            "Ethical considerations": "Gender and age are attributes that others assigned to a face, not what a person "
            "says of themselves. " + " ".join(fairness),
            "Caveats and recommendations": bullets(limits),
        },
    )


def data_sheet(results: Results) -> str:
    """Return the data sheet (Gebru and others 2021) of the faces that were audited."""
    study = results.study
    drawn, tables = all_drawn(study["faces"]), []
    for make, table in (("steps", "faces"), ("labels", "labels"), ("duplicates", "faces")):
        if results.has(table):
            tables.append(plain(TABLES[make](results)))
    ambiguity = plain(TABLES["ambiguity"](results)) if results.has("faces") and results.has("people") else ""
    return sections(
        f"Data sheet: {methods.title_of(study)}",
        {
            "Motivation": "To measure accuracy gaps of facial-expression classifiers between groups of people."
            if study["arms"]
            else "To measure how far classes and groups of people depend on each other in a data set.",
            "Composition": plain(methods.source(study)) + "\n\n" + "\n\n".join(tables),
            "Collection process": plain(methods.people(study)) + "\n\n" + plain(TABLES["annotators"](results)),
            "Preprocessing, cleaning, labelling": (plain(TABLES["dropped"](results)) if results.has("dropped") else "")
            + "\n\n"
            + ambiguity,
            "Uses": plain(reading.adjusted(results.detail()) if study["arms"] else dataset.found(results)),
            "Distribution": "The faces are drawn and may be passed on."
            if drawn
            else "The faces are not part of the results; who has them decides about their use.",
            "Maintenance": f"Made by study {study['study']} with seed {study['seed']}; another run of the same "
            "configuration gives the same tables.",
        },
    )
