"""The paper rendered: both outputs agree, mistakes stop it with the line where they stand, bytes do not change."""

import html
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fergap.errors import UserError
from fergap.paper import quarto
from fergap.paper.rendering import render

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="360" height="120" viewBox="0 0 360 120">'
    '<defs><path id="tick" d="M0 0V8" stroke="#000"/></defs><path d="M40 60H160M220 90H340" stroke="#1f4e79"/>'
    '<use href="#tick" x="100" y="56"/></svg>'
)
METADATA = {
    "title": "Do *both* groups get the same accuracy?",
    "author": ["Ada Lovelace", {"name": "Bo Meyer", "affiliation": "University of Samples"}],
    "date": "2 May 2025",
    "abstract": "What @fig-gaps shows.\n\nIn two paragraphs.",
}


class Sample:
    """A report folder and a study's data that a test may change before it renders them."""

    def __init__(self, folder: Path, root: Path):
        self.report, self.data, self.out = folder / "report", folder / "data", folder / "out"
        shutil.copytree(root / "tests" / "paper" / "sample", self.report)
        for name in ("_quarto.yml", "references.csl"):
            shutil.copy(root / "report" / name, self.report)
        (self.data / "audit").mkdir(parents=True)
        (self.data / "audit" / "gaps.csv").write_text("attribute,gap\nage,-0.103\ngender,0.004\n")
        (self.data / "study.json").write_text(json.dumps({"name": "sample_study"}))
        (self.data / "gaps.svg").write_text(SVG)
        self.source = self.report / "paper.qmd"

    def write(self, body: str) -> None:
        self.source.write_text(f"---\ntitle: A title\njupyter: python3\n---\n{body}\n", encoding="utf-8")

    def replace(self, old: str, new: str) -> None:
        text = self.source.read_text(encoding="utf-8")
        assert old in text
        self.source.write_text(text.replace(old, new, 1), encoding="utf-8")

    def line_of(self, text: str) -> int:
        lines = self.source.read_text(encoding="utf-8").splitlines()
        return next(i for i, line in enumerate(lines, 1) if text in line)

    def render(self, formats: tuple[str, ...] = ("html", "pdf"), engine: str = "fallback", **more) -> str:
        work = {
            "audit": self.data / "audit",
            "study.json": self.data / "study.json",
            "figures/gaps.svg": self.data / "gaps.svg",
        }
        return render(self.source, work, {f: self.out / f"paper.{f}" for f in formats}, engine, **more)


@pytest.fixture
def sample(tmp_path: Path, root: Path) -> Sample:
    return Sample(tmp_path, root)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Sample:
    made = Sample(tmp_path_factory.mktemp("rendered"), root)
    made.before = sorted(p.name for p in made.report.iterdir())
    made.engine = made.render(metadata=METADATA, keep=made.out / "kept")
    made.html = (made.out / "paper.html").read_text(encoding="utf-8")
    made.typ = (made.out / "kept" / "paper.typ").read_text(encoding="utf-8")
    made.pdf = (made.out / "paper.pdf").read_bytes()
    return made


def plain(text: str) -> str:
    """HTML as the text that a reader sees."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", text)).split())


def captions(text: str) -> list[str]:
    return re.findall(r"(?:Figure|Table)[\u00a0~ ]\d+:", text.replace("~", "\u00a0"))


def test_both_outputs_number_alike(rendered):
    in_html = [
        c for f in re.findall(r"<figcaption>(.*?)</figcaption>", rendered.html, re.S) for c in captions(plain(f))
    ]
    in_typst = captions("\n".join(re.findall(r"caption: (?:figure\.caption\([^\[]*)?\[\s*(.{0,20})", rendered.typ)))
    shown = [c.replace("\u00a0", " ") for c in in_html]
    assert shown == ["Figure 1:", "Table 1:", "Figure 2:", "Table 2:", "Figure 3:"]
    assert [c.replace("\u00a0", " ") for c in in_typst] == shown


def test_both_outputs_refer_alike(rendered):
    in_html = re.findall(r'<a href="#([a-z]+-[\w-]+)" class="reference">(.*?)</a>', rendered.html)
    in_typst = re.findall(r"#link\(<((?:fig|tbl|eq|sec)-[\w-]+)>\)\[(.*?)\]", rendered.typ)
    expected = {
        "fig-gaps": "Figure 1",
        "tbl-gaps": "Table 1",
        "eq-gap": "Equation 1",
        "sec-results": "Section 3",
        "tbl-long": "Table 2",
        "fig-asis": "Figure 2",
        "fig-cell": "Figure 3",
        "eq-circle": "Equation 2",
        "sec-details": "Section 2.1",
    }
    for found in (in_html, in_typst):
        texts = {id_: re.sub(r"&nbsp;|[\u00a0~]", " ", text) for id_, text in found if not text.isdigit()}
        assert texts == expected
    assert ("fig-gaps", "1") in in_html
    assert ("fig-gaps", "1") in in_typst
    for id_ in expected:
        assert rendered.html.count(f'id="{id_}"') == 1


def test_headings_carry_the_numbers_that_references_give(rendered):
    numbers = re.findall(r'<h\d[^>]*><span class="header-section-number">([\d.]+)</span> (.*?)</h\d>', rendered.html)
    assert numbers == [("1", "Introduction"), ("2", "Methods"), ("2.1", "Details"), ("3", "Results"), ("4", "Appendix")]
    assert '#set heading(numbering: "1.1")' in rendered.typ
    assert re.search(r"#heading\(level: 1, numbering: none\)\[References\]", rendered.typ)


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext")
def test_pdf_reads_like_the_html(rendered):
    done = subprocess.run(["pdftotext", rendered.out / "paper.pdf", "-"], capture_output=True, text=True, check=True)
    read = " ".join(done.stdout.replace("\u00a0", " ").split())
    for text in (
        "1 Introduction",
        "2.1 Details",
        "Figure 3: A figure that a cell draws.",
        "made by pandoc",
        "*this*_is_not",
    ):
        assert text in read
        assert text.removeprefix("1 ").removeprefix("2.1 ") in plain(rendered.html).replace("\u00a0", " ")
    assert "row 69 with enough words" in read
    assert read.count("a description that is rather long") > 1  # the header row comes again on the next page


def test_inline_values_captions_and_metadata_reach_the_page(rendered):
    text = plain(rendered.html)
    for expected in (
        "The study sample_study follows",
        f"made by {rendered.engine}",
        "bold is Markdown while *this*_is_not is not",
        "the study being sample_study.",
        "What Figure 1 shows.",
        "University of Samples",
        "2 May 2025",
        "The first row was age.",
    ):
        assert expected in text
    assert "<strong>bold</strong>" in rendered.html
    assert "<title>Do both groups get the same accuracy?</title>" in rendered.html
    assert "A sample" not in text
    assert re.fullmatch(r"pandoc [\d.]+ and typst [\d.]+ \(fallback\)", rendered.engine)


def test_html_needs_nothing_from_elsewhere(rendered):
    assert not re.findall(r"<(?:script|link|iframe|object|embed)\b", rendered.html)
    assert not re.findall(r'\b(?:src|srcset|poster)="(?!data:)[^"]*"', rendered.html)
    assert not re.findall(r"@import|url\(\s*['\"]?(?!data:)", rendered.html)
    assert "<math" in rendered.html


def test_pictures_carry_alternative_text(rendered):
    alt = 'Two intervals; the one of "children" lies below zero.'
    images = re.findall(r"<img\b[^>]*>", rendered.html)
    assert len(images) == 3
    assert all(re.search(r'\balt="[^"]+"', image) for image in images)
    assert f'alt="{html.escape(alt)}"' in images[0]
    assert len(re.findall(r'#image\("[^"]+", alt: "', rendered.typ)) == 3
    assert b"/StructTreeRoot" in rendered.pdf


def test_bibliography_knows_articles_proceedings_books_and_tools(rendered):
    entries = [plain(e) for e in re.findall(r'<div id="ref-[^>]*>(.*?)</div>', rendered.html, re.S)]
    assert entries == [
        "Goodall, A., B. Meyer, and C. Ruiz. 2019. “Measuring gaps between groups.” Journal of Examples 4(2), 10–31."
        " https://doi.org/10.1000/xyz",
        "Lee, D. 2021. “Faces and folds.” In Proceedings of Samples, 1–9.",
        "Stone, E. and F. Park. 2003. Intervals. Sample Press.",
        "The Tool Authors. 2024. “A tool.” software. https://example.org/tool",
    ]
    assert "Goodall et al. (2019)" in plain(rendered.html)
    assert "(Lee 2021, p. 3; Stone and Park 2003)" in plain(rendered.html)
    assert "Goodall, A., B. Meyer, and C. Ruiz." in rendered.typ


def test_bytes_do_not_change_from_run_to_run(rendered):
    rendered.out = rendered.out.with_name("again")
    rendered.render(metadata=METADATA)
    assert (rendered.out / "paper.html").read_text(encoding="utf-8") == rendered.html
    assert (rendered.out / "paper.pdf").read_bytes() == rendered.pdf
    rendered.out = rendered.out.with_name("out")


def test_nothing_lands_beside_the_document(rendered):
    assert sorted(p.name for p in rendered.report.iterdir()) == rendered.before
    assert sorted(p.name for p in rendered.out.iterdir()) == ["kept", "paper.html", "paper.pdf"]


FIGURE = '![A](figures/gaps.svg){#fig-a fig-alt="A"}'
ASIS = "```{python}\n#| output: asis\n"
MISTAKES = {
    "unknown reference": ("See @fig-none.", r"unknown reference @fig-none", 5),
    "unknown citation": ("As [@nobody2000].", r"unknown citation @nobody2000", 5),
    "id twice": (f"{FIGURE}\n\n{FIGURE}", r"'fig-a' is defined twice \(lines 5, 7\)", 7),
    "no picture": ('x\n\n![A](figures/none.svg){#fig-a fig-alt="A"}', r"no picture figures/none\.svg", 7),
    "picture from elsewhere": ('![A](https://example.org/a.svg){#fig-a fig-alt="A"}', r"lies outside", 5),
    "unknown option": ("```{python}\n#| fold: true\n1\n```", r"unknown cell option 'fold'", 5),
    "option's value": ("```{python}\n#| echo: true\n1\n```", r"echo: True", 5),
    "other language": ("x\n\n```{r}\n1\n```", r"a cell \{r\}", 7),
    "inline in other language": ("`{r} 1`", r"inline code in 'r'", 5),
    "open fence": ("x\n\n```{python}\n1", r"not closed", 7),
    "shortcode": ("{{< video a.mp4 >}}", r"shortcode", 5),
    "twice, in a cell": (
        f"{FIGURE}\n\n```{{python}}\n#| output: asis\nprint('# B {{#fig-a}}')\n```",
        r"defined twice",
        7,
    ),
    "unknown, in a cell": (f"{ASIS}print('@tbl-none')\n```", r"unknown reference @tbl-none", 5),
    "unknown, beside a cell": (
        "```{python}\n#| output: asis\nprint('x')\n```\n\n@tbl-none",
        r"unknown reference @tbl-none",
        10,
    ),
    "error in a cell": (
        "x\n\n```{python}\n#| label: mine\n{}['key']\n```",
        r"cell 'mine' fails with KeyError: 'key'",
        7,
    ),
    "error in an inline value": ("x\ny `{python} 1 / 0`", r"inline value `1 / 0` fails with ZeroDivisionError", 6),
    "number without format": ("`{python} 0.1`", r"inline value must be text, .*not 0\.1", 5),
    "nothing as value": ("`{python} None`", r"not None", 5),
    "printing": ("```{python}\nprint('a')\n```", r"the cell prints 'a'", 5),
    "other output": ("```{python}\n1 + 1\n```", r"shows text/plain", 5),
    "label on nothing": ("```{python}\n#| label: tbl-a\n#| tbl-cap: A\nNone\n```", r"cell 'tbl-a' shows nothing", 5),
    "dead process": ("```{python}\nimport os\nos._exit(3)\n```", r"the cell stops its Python process", 5),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_told_with_their_line(sample, mistake):
    body, message, line = MISTAKES[mistake]
    sample.write(body)
    with pytest.raises(UserError, match=message) as error:
        sample.render(("html",))
    assert error.value.where == f"{sample.source}, line {line}"
    assert not sample.out.exists()


REFUSED = {
    "no alternative text": ("![A](figures/gaps.svg){#fig-a}", r"'fig-a' has no fig-alt"),
    "raw HTML": ("A <b>bold</b> word.", r"raw html is not supported: <b>"),
    "unnumbered heading": ("# A {#sec-a .unnumbered}\n\nSee @sec-a.", r"@sec-a refers to an unnumbered heading"),
    "brackets": (f"{FIGURE}\n\nSee [@fig-a].", r"write @fig-a without brackets"),
    "block class": ("::: {.content-visible}\nA\n:::", r"block class 'content-visible'"),
    "callout's attribute": ('::: {.callout-note collapse="true"}\nA\n:::', r"attribute 'collapse'"),
    "tab's level": ("::: {.panel-tabset}\n## A\n\nB\n:::", r"level 4: 'A'"),
    "table without table": ("::: {#tbl-a}\nA\n\nB\n:::", r"tbl-a\} holds no table"),
    "two pictures": ("::: {#fig-a}\n![](figures/gaps.svg) ![](figures/gaps.svg)\n\nA\n:::", r"more than one picture"),
    "picture's width": ('![A](figures/gaps.svg){#fig-a fig-alt="A" width=90px}', r"width must be"),
}


@pytest.mark.parametrize("refused", REFUSED)
def test_what_engines_show_differently_is_refused(sample, refused):
    body, message = REFUSED[refused]
    sample.write(body)
    with pytest.raises(UserError, match=message):
        sample.render(("pdf",))


def test_all_outputs_or_none(sample):
    sample.write("$\\undefinedcommand{a}$")
    with pytest.raises(UserError, match=r"pandoc stops|typst stops"):
        sample.render(("html", "pdf"))
    assert not sample.out.exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title: A sample", "titel: A sample", "unknown setting 'titel'"),
        ("title: A sample", "title: A sample\ndate: today", "expected: a date as text"),
        ("title: A sample", "title: A sample\nlang: de", "expected: English"),
        ("title: A sample", "title: [", "cannot be read as YAML"),
        ("title: A sample", "bibliography: none.bib", "no such bibliography"),
    ],
)
def test_front_matter_is_checked(sample, old, new, message):
    sample.replace(old, new)
    with pytest.raises(UserError, match=re.escape(message)):
        sample.render(("html",))


def test_missing_data_and_unknown_formats_are_told(sample):
    with pytest.raises(UserError, match="no such file or folder"):
        render(sample.source, {"audit": sample.data / "none"}, {"html": sample.out / "a.html"})
    with pytest.raises(UserError, match="unknown format 'docx'"):
        sample.render(("docx",))
    with pytest.raises(UserError, match="unknown engine 'latex'"):
        sample.render(engine="latex")


# Quarto itself is not at hand in tests: this program takes its command line and writes what it would
QUARTO = """#!{python}
import os, pathlib, sys
if sys.argv[1:] == ["--version"]:
    print("1.7.34")
    raise SystemExit
assert sys.argv[1:3] == ["render", "paper.qmd"], sys.argv
assert sys.argv[3] == "--to" and sys.argv[5] == "--output-dir" and len(sys.argv) == 7, sys.argv
out = pathlib.Path(sys.argv[6])
out.mkdir(exist_ok=True)
body = pathlib.Path("paper.qmd").read_text() + os.environ["FERGAP_ENGINE"] + os.environ["QUARTO_PYTHON"]
assert pathlib.Path("audit/gaps.csv").is_file() and pathlib.Path("_quarto.yml").is_file()
{more}
(out / {{"html": "paper.html", "typst": "paper.pdf"}}[sys.argv[4]]).write_text(body)
"""


@pytest.fixture
def fake(sample, tmp_path, monkeypatch):
    """Put a program named quarto on PATH that does ``more`` before it writes its output."""

    def install(more: str = "pass") -> Sample:
        program = tmp_path / "bin" / "quarto"
        program.parent.mkdir(exist_ok=True)
        program.write_text(QUARTO.format(python=sys.executable, more=more))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        return sample

    return install


def test_quarto_is_taken_where_there_is_one(fake):
    sample = fake()
    assert sample.render(engine="auto", metadata=METADATA) == "Quarto 1.7.34"
    made = (sample.out / "paper.html").read_text(encoding="utf-8")
    assert f"Quarto 1.7.34{sys.executable}" in made
    assert "title: Do *both* groups get the same accuracy?" in made
    assert "A sample" not in made
    assert (sample.out / "paper.pdf").is_file()
    assert sample.render(("html",), engine="fallback") != "Quarto 1.7.34"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("print('WARNING (main.lua) Unable to resolve crossref @fig-x')", "Unable to resolve crossref @fig-x"),
        ("print('[WARNING] Citeproc: citation nobody not found')", "citation nobody not found"),
        ("body += '<p>See ?@fig-x.</p>'", r"unresolved in Quarto's html: \?@fig-x"),
        ("body += '<a class=\"citation\">(<strong>nobody?</strong>)</a>'", "unresolved in Quarto's html: .*nobody"),
        ("print('a bad thing'); sys.exit(1)", "exit code 1: a bad thing"),
        ("sys.exit(0)", "leaves no paper.html"),
    ],
)
def test_what_quarto_only_warns_of_stops_the_rule(fake, more, message):
    sample = fake(more)
    with pytest.raises(UserError, match=message):
        sample.render(engine="quarto")
    assert not sample.out.exists()


def test_a_resource_may_hold_any_character():
    assert quarto.without_resources('<script>?@fig-x</script><img src="data:text/plain,?@fig-x">') == '<img src="">'


def test_quarto_gets_the_same_checks(fake):
    sample = fake()
    sample.write("See @fig-none.")
    with pytest.raises(UserError, match="unknown reference @fig-none"):
        sample.render(engine="auto")


def test_quarto_asked_for_and_absent(sample, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="no quarto on PATH"):
        sample.render(engine="quarto")


def test_files_that_the_document_writes_come_along_or_are_missed(sample):
    lines = ("open('list.csv', 'w').write('a');", "import os; os.mkdir('made')", "open('made/b.csv', 'w').write('b');")
    sample.write("\n".join(("```{python}", *lines, "```")))
    more = {"list.csv": sample.out / "list.csv", "made": sample.out / "made"}
    sample.render(("html",), more=more)
    assert (sample.out / "list.csv").read_text() == "a"
    assert (sample.out / "made" / "b.csv").read_text() == "b"
    with pytest.raises(UserError, match=r"writes no other\.csv"):
        sample.render(("html",), more={"other.csv": sample.out / "other.csv"})
    assert not (sample.out / "other.csv").exists()
