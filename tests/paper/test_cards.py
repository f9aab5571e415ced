"""The summary card, the model card and the data sheet: what the tables say, in plain words."""

import itertools
import re

import pytest
from made_up import study_config, write_study
from test_document import STUDIES

from fergap.paper.cards import data_sheet, model_card, plain, sentences, summary_card
from fergap.paper.document import Document
from fergap.paper.methods import limitations, seen_as
from fergap.paper.results import Results
from fergap.paper.style import save

MODEL = ("Model details", "Intended use", "Factors", "Metrics", "Evaluation data", "Quantitative analyses", "Caveats")
SHEET = ("Motivation", "Composition", "Collection process", "Uses", "Distribution", "Maintenance")


@pytest.mark.parametrize("name", STUDIES)
def test_the_cards_have_the_usual_headings_and_no_markup_of_the_paper(tmp_path, name):
    study, options = STUDIES[name]
    results = Results(write_study(tmp_path, study, **options))
    for card, headings in ((model_card(results), MODEL), (data_sheet(results), SHEET)):
        assert all(f"\n## {heading}" in card for heading in headings)
        assert not re.search(r"\{title=|\[@|\bnan\b|\bNone\b|\\[_*|]", card)
    texts = [text.get_text() for text in summary_card(results).texts]
    assert "What was found" in texts
    assert "What to keep in mind" in texts


def test_a_summary_without_arms_shows_no_markup(tmp_path):
    study = study_config()
    results = Results(write_study(tmp_path, study), study | {"arms": []})
    texts = " ".join(text.get_text() for text in summary_card(results).texts)
    assert "would come by chance" in words([texts])
    assert not re.search(r"\{title=|\]\{|\[\[|\\", texts)


def words(texts):
    """Texts as words, whatever the spaces between."""
    return " ".join(" ".join(texts).split())


def test_the_verdicts_stand_on_every_card(tmp_path):
    results = Results(write_study(tmp_path))
    said = [words([s]) for s in sentences(results)]
    assert len(said) == 4
    drawn = words(t.get_text() for t in summary_card(results).texts)
    assert all(s in drawn for s in said)
    assert all(s in words([model_card(results)]) for s in said)


def test_a_changed_sentence_changes_the_cards(tmp_path):
    def edit(found):
        found["verdicts"].loc[0, "sentence"] = "Nothing at all was found."

    results = Results(write_study(tmp_path, edit=edit))
    assert "Nothing at all was found." in model_card(results)
    assert "Nothing at all was found." in [t.get_text() for t in summary_card(results).texts]


def test_the_summary_fits_one_page_and_keeps_its_bytes(tmp_path):
    groups = (("gender", ("male", "female")), ("age", tuple(f"{10 * i} to {10 * i + 9}" for i in range(9))))
    study = study_config(audit={"reference": {"gender": "male", "age": "20 to 29"}})
    results = Results(write_study(tmp_path, study, groups=groups, n=2000))
    figure = summary_card(results)
    figure.draw_without_rendering()
    for text in figure.texts:
        box = text.get_window_extent().transformed(figure.transFigure.inverted())
        assert box.x0 > 0.05
        assert box.x1 < 0.97, text.get_text()
        assert box.y0 > 0.01
    for form in ("pdf", "png"):
        save(figure, tmp_path / f"a.{form}")
        save(summary_card(results), tmp_path / f"b.{form}")
        assert (tmp_path / f"a.{form}").read_bytes() == (tmp_path / f"b.{form}").read_bytes()


def test_what_to_keep_in_mind_is_never_cut(tmp_path):
    study = study_config(audit={"contrasts": [{"before": "baseline", "after": a} for a in ("child_oversampled", "b")]})
    study["arms"] = [*study["arms"], {"name": "b", "network": "pyramid"}]
    results = Results(write_study(tmp_path, study, n=600))
    found = results.table("verdicts")
    for more in (1, 3):
        results.tables["verdicts"] = found.assign(sentence=[" ".join([s] * more) for s in found["sentence"]])
        figure = summary_card(results)
        texts = [t for t in figure.texts if t.get_text() != "•"]
        head = next(i for i, t in enumerate(texts) if t.get_text() == "What to keep in mind")
        limits = [plain(text) for text in limitations(study, "", [], results)][:3]
        assert words(t.get_text() for t in texts[head + 1 : -1]) == words(limits)
        figure.draw_without_rendering()
        boxes = [t.get_window_extent().transformed(figure.transFigure.inverted()) for t in texts[head + 1 :]]
        assert all(above.y0 > below.y1 for above, below in itertools.pairwise(boxes))
        cut = [t.get_text() for t in texts if "in the paper." in t.get_text()]
        assert len(cut) == (more > 1)


def test_predictions_that_were_given_are_not_said_to_be_out_of_fold(tmp_path):
    study = study_config()
    study["arms"] = [{"name": a["name"], "predictions": f"{a['name']}.csv"} for a in study["arms"]]
    write_study(tmp_path, study, training=False)
    document, results = Document(tmp_path), Results(tmp_path)
    said = [document.abstract(), model_card(results), words(t.get_text() for t in summary_card(results).texts)]
    for text in said:
        assert "out of fold" not in text.lower()
        assert "as given" in text.lower()
    assert "We audit two given sets of predictions of facial expression on" in said[0]
    assert document.seen_as == "as given"
    assert seen_as(study_config()) == "out of fold"
    mixed = [*study["arms"][:1], {"name": "b", "network": "pyramid"}, {"name": "c", "from": study["arms"][0]["name"]}]
    assert seen_as(study | {"arms": mixed}) == "as given or out of fold"
    assert seen_as(study | {"arms": mixed}, ["c"]) == "as given"


def test_one_or_two_faces_are_not_told_on_the_cards(tmp_path):
    results = Results(write_study(tmp_path, few=2, n=400))
    for text in (model_card(results), data_sheet(results), words(t.get_text() for t in summary_card(results).texts)):
        assert not re.search(r"(?<![\d,.])2 faces", text)


def test_plain_words():
    marked = '[−4.1 \\[−6, −2\\]]{title="v1: audit/gaps.csv, line 2"} points [@wilson1927] of child\\_oversampled'
    assert plain(marked) == "−4.1 [−6, −2] points of child_oversampled"
    assert plain('(2.9 % [[0.0, 5.5]]{title="v2: audit/dataset_bias.csv, line 4"}; p)') == "(2.9 % [0.0, 5.5]; p)"
