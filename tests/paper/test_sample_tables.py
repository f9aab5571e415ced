"""Tables of the sample, of the networks and of the time; and the list of values with the chain behind each."""

import hashlib

import numpy as np
import pandas as pd
import pytest
import torch
from made_up import write_study

from fergap.errors import UserError
from fergap.models.names import NAMED, OF_ONE_SIZE, PRETRAINED
from fergap.models.registry import build
from fergap.paper.binding import timings
from fergap.paper.document import Document
from fergap.paper.layers import layers
from fergap.paper.results import Results
from fergap.paper.sources import COLUMNS
from fergap.paper.tables import TABLES
from fergap.paper.why import chain, rules_of, why


def cells(text):
    """The rows of a pipe table below its heading, as lists of cells."""
    return [[c.strip() for c in line.strip("| ").split(" | ")] for line in text.splitlines()[2:]]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return Results(write_study(tmp_path_factory.mktemp("study")))


def test_the_steps_add_up(results):
    rows = cells(TABLES["steps"](results))
    kept, dropped = len(results.table("faces")), int(results.table("dropped")["count"].sum())
    assert rows[0][-1] == f"{kept + dropped:,}"
    assert rows[-1][-1] == f"{kept:,}"


def test_copies_are_counted_by_class(results):
    rows, faces = cells(TABLES["duplicates"](results)), results.table("faces")
    sizes = faces["duplicate_set"].map(faces["duplicate_set"].value_counts())
    assert rows[-1][3] == f"{(sizes > 1).sum():,}"
    assert sum(int(r[2].replace(",", "")) for r in rows[:-1]) == int(rows[-1][2].replace(",", ""))


def test_ambiguity_is_that_of_the_group(results):
    rows = {r[1]: r for r in cells(TABLES["ambiguity"](results))}
    people, faces = results.table("people"), results.table("faces").set_index("image_id")
    own = people.loc[people["group"] == "child", "image_id"]
    assert rows["child"][2] == f"{len(own):,}"
    assert float(rows["child"][3]) == pytest.approx(faces.loc[own, "ambiguity"].mean(), abs=0.005)


@pytest.mark.parametrize("network", [*NAMED, "b16_n8_k5", "B32_N4_FC1_K3_AP20", "b8_n1_k3"])
@pytest.mark.parametrize(("classes", "size"), [(7, 48), (4, 30)])
def test_the_layers_hold_the_weights_of_the_network(network, classes, size):
    model = build(network, classes, 1, size)
    assert sum(layer.weights for layer in layers(network, classes, size)) == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("network", PRETRAINED)
@pytest.mark.parametrize("size", [48, 90])
def test_the_outputs_are_those_of_the_networks_modules(network, size):
    model, shapes = build(network, 4, 1, size).eval(), set()
    for module in model.body.modules():
        # attention gives a pair
        module.register_forward_hook(lambda module, given, out: shapes.add(getattr(out, "shape", (0,))[1:]))
    with torch.no_grad():
        model(torch.zeros(1, 1, size, size))
    rows = [layer for layer in layers(network, 4, size) if layer.what not in ("enlarging", "making smaller")]
    rows = [layer for layer in rows if layer.side > 1 and not layer.what.startswith("class token")]
    assert len(rows) > (2 if network in OF_ONE_SIZE else 4)
    for layer in rows:
        # the blocks of a transformer hold the patches one after the other, and the class token before them
        of_tokens = network in OF_ONE_SIZE and not layer.what.startswith("patches")
        shape = (layer.side**2 + 1, layer.channels) if of_tokens else (layer.channels, layer.side, layer.side)
        assert shape in shapes, layer


def test_a_network_of_another_name_has_no_table():
    assert layers("resnet-of-somebody", 7, 48) is None


def test_timings_add_up_the_jobs_of_a_rule(tmp_path):
    (tmp_path / "train_folds").mkdir()
    for name, seconds in (("audit", 3.5), ("train_folds/a_0", 10.0), ("train_folds/a_1", 12.0)):
        line = f"s\th:m:s\tmax_rss\n{seconds}\t0:00:10\t{-1 if name == 'audit' else 250.0}\n".replace("-1", "-")
        (tmp_path / f"{name}.benchmark.tsv").write_text(line)
    found = timings(tmp_path).set_index("rule")
    assert list(found.loc["train_folds", ["jobs", "seconds", "memory"]]) == [2, 22.0, 250.0]
    assert np.isnan(found.loc["audit", "memory"])
    assert len(timings(tmp_path / "none")) == 0


SUMMARY = """\
output_file\tdate\trule\tlog-file(s)\tinput-file(s)\tshellcmd\tstatus\tplan
audit/gaps.csv\t-\taudit\t-\tgiven.csv,scripts/fergap/audit/gaps.py\t-\tok\tno update
paper/paper.html\t-\trender_paper\t-\taudit/gaps.csv\t-\tok\tupdate pending
"""


def test_a_chain_goes_back_to_what_was_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "gaps.csv").write_text("estimate\n0.1\n")
    (tmp_path / "given.csv").write_text("a\n")
    made = rules_of(SUMMARY)
    lines = [text for _, text in chain("audit/gaps.csv", made)]
    assert hashlib.sha256(b"estimate\n0.1\n").hexdigest()[:16] in lines[0]
    assert lines[1] == "made by rule audit from 1 files of code"
    assert lines[2].endswith("(given)")
    assert "update pending" in list(chain("paper/paper.html", made))[1][1]


def test_every_value_of_the_text_can_be_followed(tmp_path, monkeypatch):
    folder = write_study(tmp_path / "study", n=400)
    monkeypatch.chdir(folder)
    document = Document(folder)
    (folder / "paper").mkdir()
    document.abstract()
    document.value("margin")
    document.list_values()
    values = pd.read_csv("values.csv", dtype=str, keep_default_na=False)
    assert list(values.columns) == list(COLUMNS)
    (folder / "values.csv").rename(folder / "paper" / "values.csv")
    first = values[values["table"] == "audit/group_metrics.csv"].iloc[0]
    told = "\n".join(why(first["id"], folder, {}, "0123abc"))
    estimate = float(results_of(folder, first))
    assert first["value"].replace("\N{NO-BREAK SPACE}", " ") == f"{100 * estimate:.1f} %"
    assert f"estimate={estimate}" in told
    assert "commit 0123abc" in told
    margin = values[values["column"] == "audit.margin"].iloc[-1]
    assert "from the configuration: audit.margin" in why(margin["id"], folder, {}, None)
    with pytest.raises(UserError, match="no value 'v0'"):
        why("v0", folder, {}, None)


def results_of(folder, row):
    """The cell that a row of the values names."""
    return pd.read_csv(folder / row["table"]).loc[int(row["line"]) - 2, row["column"]]


def test_values_of_a_paper_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="values are not there"):
        why("v1", tmp_path, {}, None)
