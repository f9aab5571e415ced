"""The annotation page in a browser, worked by its keys. Needs Chromium; else it is skipped."""

import csv
import io
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from devtools import Browser
from tests.viewers import AXE, CHROMIUM, NO_AXE, NO_CHROMIUM

from fergap.people.page.building import build_page, questions
from fergap.people.raters import from_page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
ASKED = questions({"gender": ["female", "male"], "age": ["child", "adult"]}, {"child": [0, 14], "adult": [15, 120]}, {})
BEGIN = "document.getElementById('rater').value = {!r}; document.querySelector('#start form').requestSubmit()"


def picture(i: int) -> np.ndarray:
    """A face of one grey, by which a test tells faces apart, with some texture."""
    return (np.arange(48 * 48).reshape(48, 48) % 7 + i % 200).astype(np.uint8)


def page(folder: Path, n: int, **changes) -> Path:
    given = {
        "study": "drawn",
        "image_ids": [f'face {i:05d}, or"so"' if i == 3 else f"face {i:05d}" for i in range(n)],
        "pixels": np.stack([picture(i) for i in range(n)]),
        "asked": ASKED,
        "raters": [],
        "repeats": 0.1,
        "suggestions": None,
        "disputed": None,
        "seed": 7,
    }
    path = folder / "annotate.html"
    path.write_text(build_page(**given | changes), encoding="utf-8")
    return path


@pytest.fixture
def browser(tmp_path: Path):
    opened = Browser(tmp_path / "browser")
    yield opened
    opened.close()


def begin(browser: Browser, path: Path, rater: str = "anna") -> None:
    browser.open(path)
    begin_here(browser, rater)


def begin_here(browser: Browser, rater: str = "anna") -> None:
    browser.wait("document.getElementById('start') && document.getElementById('start').open")
    browser.run(BEGIN.format(rater))
    browser.wait("document.documentElement.dataset.ready")


def done(browser: Browser) -> int:
    return int(browser.run("document.getElementById('progress').value"))


def saved(browser: Browser, name: str) -> str:
    browser.run(f"document.getElementById('save-{name.rpartition('.')[2]}').click()")
    return browser.downloaded(name).read_text(encoding="utf-8")


def load(browser: Browser, path: Path) -> None:
    document = browser.send("DOM.getDocument")["root"]["nodeId"]
    node = browser.send("DOM.querySelector", nodeId=document, selector="#load")["nodeId"]
    browser.send("DOM.setFileInputFiles", nodeId=node, files=[str(path)])


def test_two_hundred_faces_by_keyboard_with_a_reload_and_undo_come_out_and_in_alike(browser, tmp_path: Path) -> None:
    path = page(tmp_path, 182)  # and 18 of them again: 200
    begin(browser, path)
    plan = ["fc", "fa", "mc", "ma", "u", "x", "fu", "mu", "cu", "af"]  # age before gender, too
    for i in range(90):
        for key in plan[i % 10]:
            browser.press(key)
    assert done(browser) == 90
    browser.press("z")
    browser.press("z")
    assert done(browser) == 89  # place 90 lost its second answer, then its first
    for key in plan[9]:
        browser.press(key)
    begin(browser, path)  # closed in the middle, opened again
    assert done(browser) == 90
    for i in range(90, 200):
        for key in plan[i % 10]:
            browser.press(key)
    assert done(browser) == 200
    text = saved(browser, "drawn-anna.csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [int(row["order"]) for row in rows] == list(range(1, 201))
    words = {"f": "female", "m": "male", "c": "child", "a": "adult"}
    for i, row in enumerate(rows):
        keys = plan[i % 10]
        rest = "not a face" if keys == "x" else "unclear"
        assert row["gender"] == next((words[k] for k in keys if k in "fm"), rest)
        assert row["age"] == next((words[k] for k in keys if k in "ca"), rest)
        assert row["rater"] == "anna"
        assert row["suggestion_shown"] == "0"
    repeats = [row["image_id"] for row in rows if row["repeat"] == "1"]
    first = {row["image_id"]: int(row["order"]) for row in rows if row["repeat"] == "0"}
    assert len(first) == 182
    assert len(repeats) == 18
    assert all(int(row["order"]) - first[row["image_id"]] > 182 / 6 for row in rows if row["repeat"] == "1")
    lines = [json.loads(line) for line in saved(browser, "drawn-anna.jsonl").splitlines()]
    assert [{k: str(v) for k, v in line.items()} for line in lines] == rows
    # into the study
    ratings = from_page(browser.downloads / "drawn-anna.csv")
    pd.testing.assert_frame_equal(ratings, from_page(browser.downloads / "drawn-anna.jsonl"))
    answers = ratings.pivot(index="order", columns="attribute", values="answer")
    assert answers["gender"].tolist() == [row["gender"] for row in rows]
    assert answers["age"].tolist() == [row["age"] for row in rows]
    # into a browser that knows nothing of it
    for name in ("drawn-anna.csv", "drawn-anna.jsonl"):
        other = Browser(tmp_path / name)
        try:
            begin(other, path)
            assert done(other) == 0
            load(other, browser.downloads / name)
            other.wait("document.getElementById('progress').value === 200")
            assert saved(other, "drawn-anna.csv") == text
        finally:
            other.close()


def test_files_of_others_are_refused_with_a_word(browser, tmp_path: Path) -> None:
    path = page(tmp_path, 30)
    begin(browser, path)
    for key in "fcma":
        browser.press(key)
    good = saved(browser, "drawn-anna.csv")
    for bad, said in {
        good.replace(",anna,", ",ben,"): "row 1 is by ben, and you are anna",
        good.replace("female", "feline"): "feline is no answer here",
        good[: good.index("\n") + 1]: "the file holds no answers",
        "hello": "the file holds no answers",
        "image_id,gender\nface 00001,female\n": "bad.csv was not loaded: it is not a file of this page.",
        good.replace(good.splitlines()[1].rsplit(",", 1)[1], "0123"): "was answered on another page (0123)",
        '{"image_id": ': "was not loaded",
        good.replace("face 0", "fade 0"): "names no face here",
    }.items():
        (tmp_path / "bad.csv").write_text(bad, encoding="utf-8")
        load(browser, tmp_path / "bad.csv")
        browser.wait(f"document.getElementById('warning').textContent.includes({said!r})")
        assert done(browser) == 2
    browser.press("m")
    assert browser.run("document.getElementById('warning').hidden")  # it was about a file, and the work goes on


def test_shift_marks_many_and_delete_takes_away(browser, tmp_path: Path) -> None:
    begin(browser, page(tmp_path, 40))
    for _ in range(4):
        browser.press("ArrowRight", shift=True)
    browser.press("f")
    browser.press("c")
    assert done(browser) == 5
    assert browser.run("document.querySelector('.current').dataset.place") == "5"
    browser.press("ArrowLeft")
    browser.press("Delete")
    assert done(browser) == 4
    browser.press("z")
    assert done(browser) == 5
    browser.press("y")
    assert done(browser) == 4
    browser.press("p")
    browser.press("f")  # nothing happens behind the curtain
    assert browser.run("document.querySelector('main').inert")
    browser.press("p")
    browser.press("n")
    assert browser.run("document.activeElement.id") == "grid"
    assert browser.run("document.querySelector('.current').dataset.place") == "5"


def test_what_the_browser_no_longer_keeps_is_told(browser, tmp_path: Path) -> None:
    begin(browser, page(tmp_path, 40))
    browser.press("f")
    assert browser.run("document.getElementById('warning').hidden")
    fill = """for (let i = 0, text = 'x'.repeat(1 << 20); text; i++) {
      try { localStorage[`full ${i}`] = text; } catch { text = text.slice(text.length / 2 + 1); } }"""
    browser.run(fill)
    for key in "cfcfcfc" * 3:
        browser.press(key)
    assert "save a file" in browser.run("document.getElementById('warning').textContent")
    assert done(browser) > 8  # the work goes on
    assert len(saved(browser, "drawn-anna.csv").splitlines()) > 8


def test_the_order_is_each_raters_own_and_the_picture_is_that_of_the_id(browser, tmp_path: Path) -> None:
    path = page(tmp_path, 50)
    orders = {}
    for rater in ("anna", "ben", "anna"):
        begin(browser, path, rater)
        for _ in range(3):
            browser.press("x")
        ids = [row["image_id"] for row in csv.DictReader(io.StringIO(saved(browser, f"drawn-{rater}.csv")))]
        assert orders.setdefault(rater, ids) == ids[: len(orders.get(rater, ids))]
        (browser.downloads / f"drawn-{rater}.csv").unlink()
    assert orders["anna"] != orders["ben"]
    sheet = browser.run(
        """(async () => {
        const cell = document.querySelector('#place-1 .face'), style = cell.style;
        const blob = await new Promise(done => { const i = new Image(); i.onload = () => done(i);
          i.src = style.backgroundImage.slice(5, -2); });
        const [x, y] = style.backgroundPosition.split(' ').map(parseFloat), size = parseFloat(style.width);
        const canvas = document.createElement('canvas'); canvas.width = blob.width; canvas.height = blob.height;
        const context = canvas.getContext('2d'); context.drawImage(blob, 0, 0);
        return context.getImageData(-x / size * 48, -y / size * 48, 1, 1).data[0]; })()"""
    )
    assert sheet == int(orders["anna"][1].split()[1].strip(",")) % 200  # the grey of its first pixel


def shown(browser: Browser) -> str | None:
    """Return what the page tells in sight, None where it tells nothing."""
    return browser.run("(note => note.hidden ? null : note.textContent)(document.getElementById('note'))")


def warned(browser: Browser) -> bool:
    return not browser.run("document.getElementById('warning').hidden")


def current(browser: Browser) -> int:
    return int(browser.run("document.querySelector('.current').dataset.place"))


def test_what_was_saved_and_what_is_left_is_shown(browser, tmp_path: Path) -> None:
    begin(browser, page(tmp_path, 3, repeats=0))
    browser.run("document.getElementById('save-csv').click()")
    assert shown(browser) == "There is no answer to save yet."
    for key in "fcm":
        browser.press(key)
    assert shown(browser) is None
    saved(browser, "drawn-anna.csv")
    assert shown(browser) == "Saved drawn-anna.csv: 1 of 3. 2 faces lack an answer (N goes there)."
    browser.press("a")
    assert shown(browser) is None
    browser.press("x")
    assert shown(browser) == "All faces have an answer: save the file now."
    assert not warned(browser)
    (browser.downloads / "drawn-anna.csv").unlink()
    saved(browser, "drawn-anna.csv")
    assert shown(browser) == "Saved drawn-anna.csv: 3 of 3. Give the file to the study (people.sources)."
    assert browser.run("document.getElementById('live').textContent") == shown(browser)
    browser.press("ArrowLeft")
    assert shown(browser) is None
    begin(browser, page(tmp_path, 3, repeats=0))
    load(browser, browser.downloads / "drawn-anna.csv")
    browser.wait("!document.getElementById('note').hidden")
    assert shown(browser) == "3 answers loaded from drawn-anna.csv."
    assert browser.run("document.activeElement.id") == "grid"


def test_who_passes_over_the_face_that_came_by_itself_is_told_once(browser, tmp_path: Path) -> None:
    begin(browser, page(tmp_path, 30))
    assert "the next comes by itself" in browser.run("document.getElementById('start').textContent")
    assert "the next comes by itself" in browser.run("document.getElementById('how').textContent")
    for key in "fa":
        browser.press(key)
    assert current(browser) == 1
    browser.press("ArrowRight")
    assert current(browser) == 2
    assert shown(browser).startswith("Face 2 has no answer yet. When a face has all its answers, the next comes by")
    assert "Face 3 of" in browser.run("document.getElementById('live').textContent")
    for key in "fa":
        browser.press(key)
    browser.press("ArrowRight")  # so it is meant
    assert shown(browser) is None


def test_a_click_on_a_button_leaves_the_keys_to_the_grid(browser, tmp_path: Path) -> None:
    begin(browser, page(tmp_path, 30))
    theme = browser.run("document.documentElement.dataset.theme")
    browser.click("#theme")
    other = browser.run("document.documentElement.dataset.theme")
    assert other != theme
    browser.press("Enter")
    assert browser.run("document.documentElement.dataset.theme") == other
    assert not browser.run("document.getElementById('zoom').hidden")
    browser.press("Escape")
    for key in "fa":
        browser.press(key)
    browser.click("#undo")
    browser.click("#undo")  # nothing is left to be undone, and the button goes out
    browser.press("ArrowRight")
    assert current(browser) == 1
    browser.click("#pause")
    assert browser.run("document.activeElement.id") == "resume"
    browser.click("#resume")
    assert browser.run("document.activeElement.id") == "grid"
    browser.run("document.getElementById('theme').focus()")  # by Tab
    browser.press("Enter")
    assert browser.run("document.documentElement.dataset.theme") == theme
    assert browser.run("document.activeElement.id") == "theme"


def test_undo_after_a_reload_says_why_nothing_happens(browser, tmp_path: Path) -> None:
    path = page(tmp_path, 30)
    begin(browser, path)
    for key in "fa":
        browser.press(key)
    begin(browser, path)
    browser.press("z")
    assert shown(browser) == "Nothing to undo: only answers given since the page was opened can be."
    assert done(browser) == 1
    browser.press("y")
    assert shown(browser) == "Nothing to do again."


@pytest.mark.parametrize(("n", "repeats"), [(100, 0.1), (15, 0.1), (5, 0.3), (4, 0.1), (1, 0.1)])
def test_the_start_says_how_many_answers_there_will_be(browser, tmp_path: Path, n: int, repeats: float) -> None:
    path = page(tmp_path, n, repeats=repeats)
    begin(browser, path)
    count = browser.run("document.getElementById('progress').max")
    told = browser.run("document.getElementById('start').textContent")
    assert f"{n} face{'s' if n > 1 else ''} of the study drawn" in told
    assert (f"some of them twice ({count:g} in all)" in told) == (count > n)
    assert ("Some faces come again" in browser.run("document.getElementById('how').textContent")) == (count > n)


def test_light_or_dark_is_the_systems_until_somebody_chooses(browser, tmp_path: Path) -> None:
    def system(theme: str) -> None:
        feature = {"name": "prefers-color-scheme", "value": theme}
        browser.send("Emulation.setEmulatedMedia", features=[feature])

    path, theme = page(tmp_path, 30), "document.documentElement.dataset.theme"
    for one in ("light", "dark"):
        system(one)
        browser.open(path)
        assert browser.run(theme) == one
        assert browser.run("document.getElementById('theme').innerText") == {"light": "Dark", "dark": "Light"}[one]
    system("light")
    browser.wait(f"{theme} === 'light'")  # at sunrise, say
    begin(browser, path)
    browser.click("#theme")
    assert browser.run(theme) == "dark"
    browser.open(path)
    browser.wait(f"{theme} === 'dark'")


LATE = """
  const answer = Promise.withResolvers(), kept = Object.getOwnPropertyDescriptor(window, "localStorage");
  window.asked = 0;
  window.takeOver = answer.resolve;
  indexedDB.databases = () => answer.promise;
  Object.defineProperty(window, "localStorage", { get() { asked += 1; return kept.get.call(window); } });
"""


def test_nothing_is_kept_before_the_browser_has_taken_the_page_over(browser, tmp_path: Path) -> None:
    browser.send("Page.enable")
    browser.send("Page.addScriptToEvaluateOnNewDocument", source=LATE)
    path = page(tmp_path, 30)
    browser.open(path)
    browser.press("f")
    assert browser.run("new Promise((done) => setTimeout(() => done([asked, start.open]), 300))") == [0, False]
    browser.run("takeOver()")
    begin_here(browser)
    assert browser.run("asked") > 0


@pytest.mark.parametrize(
    "source", ["indexedDB.databases = () => Promise.reject(Error())", "delete IDBFactory.prototype.databases"]
)
def test_a_browser_without_databases_opens_the_page_too(browser, tmp_path: Path, source: str) -> None:
    browser.send("Page.enable")
    browser.send("Page.addScriptToEvaluateOnNewDocument", source=source)
    begin(browser, page(tmp_path, 30))


def test_enter_begins_under_the_name_of_last_time(browser, tmp_path: Path) -> None:
    begin(browser, page(tmp_path, 30, raters=["anna", "ben"]), "ben")
    browser.press("f")
    browser.open(page(tmp_path, 30, raters=["anna", "ben"]))
    browser.wait("document.getElementById('start').open")
    assert browser.run("document.getElementById('rater').value") == "ben"
    browser.press("Enter")
    browser.wait("document.documentElement.dataset.ready")
    browser.press("c")
    assert done(browser) == 1
    # a list without that name
    browser.open(page(tmp_path, 30, raters=["anna", "cleo"]))
    browser.wait("document.getElementById('start').open")
    assert browser.run("document.getElementById('rater').value") == "anna"


def test_who_decides_need_not_be_one_of_the_raters(browser, tmp_path: Path) -> None:
    browser.open(page(tmp_path, 6, disputed=[["gender"]] * 6, repeats=0, raters=["anna", "ben"]))
    browser.wait("document.getElementById('start').open")
    assert browser.run("[...document.getElementById('rater').list.options].map(o => o.value)") == ["anna", "ben"]
    for key in "dora":
        browser.press(key)
    browser.press("Enter")
    browser.wait("document.documentElement.dataset.ready")
    browser.press("f")
    assert len(saved(browser, "drawn-adjudication-dora.csv").splitlines()) == 2


def test_the_faces_have_the_room(browser, tmp_path: Path) -> None:
    begin(browser, page(tmp_path, 60))
    for key in "famcuxf":
        browser.press(key)
    look = """(() => { const box = (row, what) => document.querySelector(`[aria-rowindex="${row}"] ${what}`)
      .getBoundingClientRect(), cut = [...document.querySelectorAll('.caption')].filter(
        c => c.scrollWidth > c.clientWidth || c.scrollHeight > c.clientHeight).map(c => c.textContent);
      const of = id => document.getElementById(id).getBoundingClientRect(), panel = of('panel'), face = of('preview');
      return {band: box(2, '.face').top - box(1, '.face').bottom, cut, panel: panel.width / innerWidth,
        inside: face.left >= panel.left && face.right <= panel.left + document.getElementById('panel').clientWidth,
        told: [...document.querySelectorAll('.caption')].slice(0, 5).map(c => c.textContent)}; })()"""
    seen = browser.run(look)
    assert seen["told"] == ["female, adult", "male, child", "unclear", "not a face", "female"]
    assert seen["cut"] == []
    assert seen["band"] <= 30
    browser.resize(800, 900)
    browser.wait("innerWidth === 800 && document.getElementById('preview').offsetWidth < 224")
    seen = browser.run(look)
    assert seen["panel"] <= 0.3
    assert seen["inside"]
    assert seen["cut"] == []
    for _ in range(4):
        browser.press("-")
    assert browser.run(look)["cut"] == []  # on several lines


def test_shown_suggestions_are_seen_and_recorded(browser, tmp_path: Path) -> None:
    begin(browser, page(tmp_path, 12, suggestions=[{"gender": "male", "age": "unknown"}] * 12, raters=["anna", "ben"]))
    assert "suggested: male" in browser.run("document.querySelector('.current').getAttribute('aria-label')")
    browser.press("f")
    browser.press("c")
    row = next(csv.DictReader(io.StringIO(saved(browser, "drawn-anna.csv"))))
    assert row["suggestion_shown"] == "1"


def test_an_adjudication_asks_only_what_differs_and_is_saved_as_that(browser, tmp_path: Path) -> None:
    disputed = [["gender"], ["age"], ["gender", "age"]] * 4
    path = page(tmp_path, 12, disputed=disputed, repeats=0)
    begin(browser, path, "cleo")
    for place in range(12):
        label = browser.run("document.querySelector('.current').getAttribute('aria-label')")
        asked = label.partition("asked: ")[2].split(", ")
        captions = browser.run("document.querySelector('.current .caption').textContent")
        assert captions.split(", ") == [f"{name}?" for name in asked]
        enabled = browser.run(
            "[...document.querySelectorAll('fieldset[data-attribute]')].filter(b => !b.disabled)"
            ".map(b => b.dataset.attribute)"
        )
        assert enabled == asked
        if asked == ["age"]:
            browser.press("f")
            assert "not asked" in browser.run("document.getElementById('live').textContent")
            browser.press("c")
        elif asked == ["gender"]:
            browser.press("m" if place % 2 else "u")
        else:
            browser.press("x")
        assert done(browser) == place + 1
    text = saved(browser, "drawn-adjudication-cleo.csv")
    answers = from_page(browser.downloads / "drawn-adjudication-cleo.csv")
    assert (answers["adjudication"] == 1).all()
    by_face = answers.groupby("image_id")["attribute"].agg(list)
    ids = [f'face {i:05d}, or"so"' if i == 3 else f"face {i:05d}" for i in range(12)]
    assert by_face[ids].tolist() == disputed
    begin(browser, path, "cleo")
    assert done(browser) == 12
    load(browser, browser.downloads / "drawn-adjudication-cleo.csv")
    browser.wait("document.getElementById('note').textContent.startsWith('12 answers loaded')")
    (browser.downloads / "drawn-adjudication-cleo.csv").unlink()
    assert saved(browser, "drawn-adjudication-cleo.csv") == text


def test_a_screen_reader_finds_a_grid_and_hears_what_happens(browser, tmp_path: Path) -> None:
    begin(browser, page(tmp_path, 300))
    for _ in range(4):
        browser.press("PageDown")
    grid = browser.run(
        """(() => { const grid = document.querySelector('[role=grid]');
        const active = document.getElementById(grid.getAttribute('aria-activedescendant'));
        const rows = [...grid.querySelectorAll('[role=row]')].map(r => Number(r.getAttribute('aria-rowindex')));
        return {label: active.getAttribute('aria-label'), role: active.getAttribute('role'), rows,
          count: Number(grid.getAttribute('aria-rowcount')), shown: grid.querySelectorAll('.cell').length,
          parent: active.parentElement.getAttribute('role')}; })()"""
    )
    assert grid["role"] == "gridcell"
    assert grid["parent"] == "row"
    assert grid["rows"] == sorted(grid["rows"])
    assert grid["count"] > len(grid["rows"])
    assert grid["shown"] < 150
    assert "no answer" in grid["label"]
    browser.press("m")
    assert browser.run("document.getElementById('live').textContent") == "male"
    nodes = browser.send("Accessibility.getFullAXTree")["nodes"]
    nameless = [
        node
        for node in nodes
        if not node["ignored"]
        and node.get("role", {}).get("value") in ("button", "gridcell", "grid", "textbox", "progressbar", "dialog")
        and not node.get("name", {}).get("value")
    ]
    assert nameless == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_sticks_out_and_words_stand_out(browser, tmp_path: Path, width: int, theme: str) -> None:
    browser.resize(width, 800)
    begin(browser, page(tmp_path, 60))
    if browser.run("document.documentElement.dataset.theme") != theme:
        browser.run("document.getElementById('theme').click()")
    browser.press("f")
    browser.press("u")
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.getElementById('grid').scrollWidth <= document.getElementById('grid').clientWidth")
    assert (
        browser.run("performance.getEntriesByType('resource').filter(r => !/^(data|blob):/.test(r.name)).length") == 0
    )
    # WCAG 2.2, 1.4.3: text against what it stands on
    colours = browser.run(
        """(() => { const c = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
        const read = name => { c.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name);
          c.fillRect(0, 0, 1, 1); return [...c.getImageData(0, 0, 1, 1).data].slice(0, 3); };
        return Object.fromEntries(['paper', 'raised', 'marked', 'ink', 'soft', 'done', 'odd', 'warn', 'accent',
          'on-accent'].map(n => [n, read('--' + n)])); })()"""
    )

    def luminance(rgb: list[int]) -> float:
        linear = [v / 255 / 12.92 if v / 255 <= 0.04045 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in rgb]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one: str, other: str) -> float:
        low, high = sorted((luminance(colours[one]), luminance(colours[other])))
        return (high + 0.05) / (low + 0.05)

    for text in ("ink", "soft", "done", "odd"):
        for ground in ("paper", "raised", "marked"):
            assert contrast(text, ground) >= 4.5, (text, ground)
    assert contrast("warn", "paper") >= 4.5
    assert contrast("on-accent", "accent") >= 4.5


@pytest.mark.skipif(not AXE.exists(), reason=NO_AXE)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("disputed", [None, [["gender"], ["age"]] * 30])
def test_axe_core_finds_nothing(browser, tmp_path: Path, theme: str, disputed: list | None) -> None:
    def look(state: str) -> None:
        browser.run(AXE.read_text(encoding="utf-8") + "; 0")
        faults = browser.run(
            "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.flatMap("
            "v => v.nodes.map(n => [v.id, n.html.slice(0, 200), n.failureSummary.slice(0, 300)])))"
        )
        assert faults == [], state

    path = page(tmp_path, 60, disputed=disputed, repeats=0)
    browser.open(path)
    browser.wait("document.getElementById('start').open")
    browser.run(f"document.documentElement.dataset.theme = '{theme}'")
    look("start")
    begin(browser, path)
    if browser.run("document.documentElement.dataset.theme") != theme:
        browser.run("document.getElementById('theme').click()")
    for key in "fumcxx":
        browser.press(key)
    browser.press("ArrowRight", shift=True)
    time.sleep(0.3)  # the faces' fading
    look("answering")
    browser.press("Enter")
    look("enlarged")
    browser.press("Escape")
    browser.press("p")
    look("paused")


def test_sixteen_thousand_faces_open_in_under_three_seconds(browser, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (16000, 12, 12), dtype=np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    noisy = coarse // 2 + rng.integers(0, 64, coarse.shape, dtype=np.uint8)  # as little to be compressed as photographs
    path = page(tmp_path, 16000, image_ids=[f"face {i:05d}" for i in range(16000)], pixels=noisy)
    assert path.stat().st_size > 20e6
    seconds = []
    for _ in range(3):  # what else the machine does is not the page's doing
        start = time.monotonic()
        begin(browser, path)
        browser.wait("document.querySelectorAll('.cell').length > 20")
        seconds.append(time.monotonic() - start)
    assert min(seconds) < 3
    frames = browser.run(
        """(async () => { const grid = document.getElementById('grid'), frames = []; let last = performance.now();
        for (let i = 0; i < 120; i++) { grid.scrollTop += 600; await new Promise(requestAnimationFrame);
          const now = performance.now(); frames.push(now - last); last = now; }
        return frames.sort((a, b) => a - b); })()"""
    )
    assert frames[60] < 50  # milliseconds: twenty pictures a second at least, also on a busy machine
    assert int(browser.run("document.querySelector('[role=row]').getAttribute('aria-rowindex')")) > 100
    start = time.monotonic()
    browser.press("End")
    browser.press("f")
    browser.press("c")
    assert time.monotonic() - start < 1
    assert browser.run("document.querySelectorAll('.cell').length") < 150
    assert done(browser) == 1
