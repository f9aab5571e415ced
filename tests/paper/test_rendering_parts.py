"""Parts of the rendering by themselves: parsing, blanking of code, escaping of inline values, what a study brings."""

import json
import subprocess

import pypandoc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fergap.errors import UserError
from fergap.paper.binding import beside, title_of, versions
from fergap.paper.checking import Found, bibliography_keys, scan
from fergap.paper.execution import SETUP
from fergap.paper.fallback import authors, options_for
from fergap.paper.qmd import Cell, Text, parse, without_code

DOCUMENT = """---
title: T
---
First

````markdown
```{r}
```
````

```{python}
#| label: a
#| tbl-cap: "A: b"
x = 1
```
Last
"""


def test_parts_know_their_lines():
    document = parse(DOCUMENT)
    first, cell, last = document.parts
    assert document.front == {"title": "T"}
    assert first == Text(4, "First\n\n````markdown\n```{r}\n```\n````\n\n")
    assert cell == Cell(11, "x = 1", {"label": "a", "tbl-cap": "A: b"})
    assert last == Text(16, "Last\n")


def test_code_math_and_comments_hold_no_references():
    text = (
        "a @one `@two` $@three$ <!-- @four\n @five -->\n```\n@six\n```\n$$\n@seven\n$$ {#eq-x} e@x.org [@eight; -@nine]"
    )
    found = Found()
    scan(text, 10, found)
    assert found.used == [(10, "one"), (17, "eight"), (17, "nine")]
    assert found.defined == {"eq-x": [17]}


@given(st.text(alphabet="ab `$@\n~<>!-", max_size=60))
def test_blanking_keeps_every_line_and_column(text):
    blanked = without_code(text)
    assert [len(line) for line in blanked.split("\n")] == [len(line) for line in text.split("\n")]


# quotes, dashes and dots are left out: typography changes them on purpose
@given(st.text(alphabet="ab1 \\`*_{}[]()<>#|~^$@!+:;,%&/=?", min_size=1, max_size=20).map(lambda t: f"x{t}x"))
@settings(max_examples=15, deadline=None)
def test_an_inline_value_reads_as_itself(value):
    shown = []
    space = {"display": lambda data, raw: shown.append(data["text/markdown"])}
    exec(SETUP.split("try:")[0], space)
    space["_inline"](value)
    command = [pypandoc.get_pandoc_path(), "--from=markdown", "--to=plain", "--wrap=none"]
    done = subprocess.run(
        command, input=f"A {shown[0]} z", capture_output=True, text=True, encoding="utf-8", check=True
    )
    assert done.stdout.split() == ["A", *value.split(), "z"]


def test_settings_of_one_output_win_over_the_general_ones():
    general = {"toc": False, "format": {"html": {"toc": True}, "typst": {"papersize": "a4"}}}
    assert options_for(general, "html", "q")["toc"] is True
    assert options_for(general, "typst", "q")["toc"] is False


def test_authors_in_either_form():
    given_ = ["A", {"name": "B", "affiliation": "X"}, {"name": "C", "affiliations": [{"name": "Y"}, "Z"]}]
    assert [(a["name"], a.get("affiliation")) for a in authors(given_)] == [("A", None), ("B", "X"), ("C", "Y, Z")]
    assert authors(None) == []


def test_bibliography_keys(tmp_path):
    file = tmp_path / "a.bib"
    file.write_text("@comment{x, y}\n@Article{one2000, title={A}}\n@misc{ two-b , }\n")
    assert bibliography_keys([file]) == {"one2000", "two-b"}
    file.write_text("@book{a, x}\n@book{a, y}\n")
    with pytest.raises(UserError, match="'a' is there twice"):
        bibliography_keys([file])


def test_what_a_study_brings(tmp_path):
    study = {"study": "mine", "paper": {"title": None}, "audit": {"attributes": ["gender", "age", "gender*age"]}}
    study |= {"arms": [{"name": "theirs", "predictions": "theirs.csv"}]}
    assert title_of(study) == "Accuracy by gender and age: mine"
    assert title_of(study | {"arms": []}) == "Bias of the data set by gender and age: mine"
    assert title_of(study | {"paper": {"title": "T"}}) == "T"
    assert beside("figures", [str(tmp_path)]) == {"figures": str(tmp_path)}
    assert beside("figures", str(tmp_path)) == {"figures": str(tmp_path)}
    assert beside("audit", ["r/a.csv", "r/b.csv"]) == {"audit/a.csv": "r/a.csv", "audit/b.csv": "r/b.csv"}
    assert beside("faces", []) == {}
    assert {"Python", "numpy"} <= set(json.loads(json.dumps(versions())))
