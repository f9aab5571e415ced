"""Figures show what the tables hold."""

import re

import numpy as np
import pytest
from made_up import study_config, write_study
from matplotlib.colors import to_rgb

from fergap.paper.descriptions import DESCRIPTIONS
from fergap.paper.drawing import group_looks
from fergap.paper.figures import FIGURES, draw
from fergap.paper.figures_data import class_shares
from fergap.paper.results import Results
from fergap.paper.style import COLOURS, save, sheet

# no pixels; only two attributes; every arm is told in full; one source of faces
HIDDEN = {"montage", "shares_by_three", "arms", "recognition", "unseen"}


def svgs(folder):
    """The bytes of every figure of a study's folder, by name."""
    made = {}
    for name, figure in draw(Results(folder)).items():
        save(figure, folder / f"{name}.svg")
        made[name] = (folder / f"{name}.svg").read_bytes()
    return made


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return svgs(write_study(tmp_path_factory.mktemp("study")))


def test_every_figure_is_drawn_and_described(drawn):
    assert set(drawn) == set(FIGURES) - HIDDEN
    assert set(FIGURES) == set(DESCRIPTIONS)


def test_same_tables_same_bytes(drawn, tmp_path):
    assert svgs(write_study(tmp_path)) == drawn


def test_text_is_drawn_as_paths_without_a_date(drawn):
    for svg in drawn.values():
        assert b"<text" not in svg
        assert b"dc:date" not in svg


CHANGES = {
    "confusion": ("classes_by_group", "confusion_matrices"),
    "history": ("learning_curves",),
    "gaps": ("gap_forest", "class_gaps", "gap_changes"),
    "label_noise": ("label_noise",),
    "sensitivity": ("sensitivity",),
    "correction": ("correction",),
    "by_ambiguity": ("ambiguity",),
    "agreement": ("agreement",),
    "verdicts": ("gap_forest",),
    "replicates": ("fold_gaps",),
    "calibration": ("calibration",),
    "optimism": ("optimism",),
    "changes": ("changes",),
    "tradeoff": ("tradeoff",),
    "dataset_shares": ("shares_by_one",),
    "model_bias": ("model_bias",),
}
COLUMN = {
    "confusion": "count",
    "history": "validation_accuracy",
    "gaps": "estimate",
    "replicates": "gap",
    "calibration": "estimate",
    "label_noise": "estimate",
    "sensitivity": "estimate",
    "correction": "estimate",
    "by_ambiguity": "estimate",
    "agreement": "estimate",
    "verdicts": "minimum_detectable_gap",
    "optimism": "out_of_fold",
    "changes": "n01",
    "tradeoff": "gap",
    "dataset_shares": "duchers_z",
    "model_bias": "estimate",
}


@pytest.mark.parametrize("table", CHANGES)
def test_a_changed_value_changes_the_figures_of_its_table(drawn, tmp_path, table):
    def edit(tables):
        frame = tables[table]
        row = frame.index[frame["attribute"] == "age"][0] if "attribute" in frame else frame.index[0]
        if table == "correction":  # of which only gaps are drawn
            row = frame.index[(frame["attribute"] == "age") & frame["reference"].notna()][0]
        if table == "by_ambiguity":  # the first band has no child
            row = frame.index[(frame["attribute"] == "age") & frame["estimate"].notna()][0]
        if table == "model_bias":
            row = frame.index[(frame["attribute"] == "age") & (frame["metric"] == "bias_score")][0]
        if table == "confusion":  # a count of all faces too
            frame.loc[frame.index[0], "count"] += 40
            frame.loc[row, "count"] += 40
        else:
            frame.loc[row, COLUMN[table]] *= 0.9 if table != "changes" else 2

    made = svgs(write_study(tmp_path, edit=edit))
    assert {name for name in made if made[name] != drawn[name]} == set(CHANGES[table])


def test_a_study_without_training_or_contrast_draws_the_rest(tmp_path):
    study = study_config(arms=[{"name": "theirs", "predictions": "theirs.csv"}], audit={"contrasts": []})
    made = svgs(write_study(tmp_path, study, faces=False, training=False, n=300))
    assert set(made) == set(FIGURES) - HIDDEN - {"learning_curves", "changes", "gap_changes", "tradeoff"}


@pytest.mark.parametrize(("classes", "arms"), [(("yes", "no"), 1), (tuple(f"expression {i}" for i in range(9)), 3)])
def test_sizes_fit_a_page(tmp_path, classes, arms):
    study = study_config(
        arms=[{"name": f"arm_{i}", "network": "pyramid"} for i in range(arms)],
        audit={"contrasts": [{"before": "arm_0", "after": f"arm_{i}"} for i in range(1, arms)]},
    )
    groups = (("gender", ("male", "female")), ("age", tuple(f"{10 * i} to {10 * i + 9}" for i in range(9))))
    study["audit"]["reference"] = {"gender": "male", "age": "20 to 29"}
    for name, figure in draw(Results(write_study(tmp_path, study, classes=classes, groups=groups, n=2000))).items():
        width, height = figure.get_size_inches() * 2.54
        assert width <= 16.01, name
        assert height <= 23.5, name
        with sheet():
            figure.draw_without_rendering()
            box = figure.get_tightbbox()
        assert box.width * 2.54 <= 16.4, name
        assert box.height * 2.54 <= 24, name


def test_a_group_that_cannot_be_estimated_is_named_in_the_forest_plot(tmp_path):
    study = study_config(audit={"minimum_faces": 400})
    results = Results(write_study(tmp_path, study, n=1500))
    assert results.gaps().query("attribute == 'age'")["estimate"].isna().all()
    figure = draw(results)["gap_forest"]
    assert any("not estimable" in text.get_text() for text in figure.findobj(match=lambda a: hasattr(a, "get_text")))
    assert "not estimable" in DESCRIPTIONS["gap_forest"](results)


def test_a_group_has_one_look_of_its_own(tmp_path):
    styles = group_looks(Results(write_study(tmp_path, n=300)))
    assert len(set(styles.values())) == len(styles) == 4


def test_colours_differ_in_lightness_from_their_neighbours():
    def lightness(colour):  # CIE L*, 0 … 100
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return 116 * np.dot(linear, [0.2126, 0.7152, 0.0722]) ** (1 / 3) - 16

    assert (np.abs(np.diff([lightness(c) for c in COLOURS])) > 15).all()


def test_shares_of_a_group_sum_to_one(tmp_path):
    shares = class_shares(Results(write_study(tmp_path, n=300)), "age")
    np.testing.assert_allclose(shares.groupby("group")["share"].sum(), 1)


def test_descriptions_name_every_group_and_use_true_minus_signs(tmp_path):
    results = Results(write_study(tmp_path))
    for name, describe in DESCRIPTIONS.items():
        text = describe(results)
        assert text.endswith(".")
        assert not re.search(r"(?<![\w-])-\d", text), name
        silent = ("confusion_matrices", "learning_curves", "class_gaps", "fold_gaps", "calibration", "model_bias")
        if name not in (*HIDDEN, *silent, "agreement"):
            assert all(group in text for groups in results.groups.values() for group in groups), name


def test_faces_are_shown_only_from_pixels_that_may_be(tmp_path):
    results = Results(write_study(tmp_path, n=300))
    assert "montage" not in draw(results)
    np.save(tmp_path / "pixels.npy", np.random.default_rng(1).integers(0, 255, (300, 24, 24), dtype=np.uint8))
    results.pixels = tmp_path / "pixels.npy"
    figure = draw(results)["montage"]
    board = figure.axes[0].images[0].get_array()
    assert board.shape == (len(results.classes) * 24, 14 * 24)
    first = results.table("faces").query("label == @results.classes[0]")["row"].iloc[0]
    np.testing.assert_array_equal(board[:24, :24], np.load(results.pixels)[first])


def test_colour_pictures_are_shown_as_the_mean_of_their_channels(tmp_path):
    results = Results(write_study(tmp_path, n=300))
    pixels = np.random.default_rng(1).integers(0, 255, (300, 3, 24, 24), dtype=np.uint8)
    np.save(tmp_path / "pixels.npy", pixels)
    results.pixels = tmp_path / "pixels.npy"
    board = draw(results)["montage"].axes[0].images[0].get_array()
    assert board.shape == (len(results.classes) * 24, 14 * 24)
    first = results.table("faces").query("label == @results.classes[0]")["row"].iloc[0]
    red, green, blue = pixels[first].astype(int)
    assert np.abs(board[:24, :24] - (red + green + blue) / 3).max() < 1


@pytest.mark.parametrize("heights", [[0.0, 0.1, 0.2], [-5.0, 0.0, 0.0, 0.0, 9.0], [1.0], []])
def test_labels_are_moved_apart(heights):
    from fergap.paper.figures_sensitivity import apart

    moved = apart(heights, 1.0)
    assert (np.diff(moved) > 0.99).all()
    assert sum(moved) == pytest.approx(sum(heights), abs=0.1)


def test_faces_of_several_sources_stand_in_blocks(tmp_path):
    results = Results(write_study(tmp_path, n=300))
    np.save(tmp_path / "pixels.npy", np.random.default_rng(1).integers(0, 255, (300, 24, 24), dtype=np.uint8))
    results.pixels = tmp_path / "pixels.npy"
    faces = results.table("faces")
    results.tables["faces"] = faces.assign(source=np.where(faces.index % 2, "street", "studio"))
    axes = draw(results)["montage"].axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["studio", "street"]
    own = results.table("faces").query("label == @results.classes[0] and source == 'street'")["row"].iloc[0]
    np.testing.assert_array_equal(axes.images[0].get_array()[:24, 168:192], np.load(results.pixels)[own])
