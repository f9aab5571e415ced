"""The HTML in a browser, wide and narrow: nothing overflows, nothing is fetched. Needs Chromium; else it is skipped."""

import html
import json
import re
import subprocess

import pytest
from made_up import ROOT, study_config, write_study
from tests.viewers import CHROMIUM, NO_CHROMIUM

from fergap.paper.binding import render_study
from fergap.paper.figures import draw
from fergap.paper.results import FOLDERS, Results
from fergap.paper.style import save

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
# what the page says of itself: parts that stick out at the right unless they scroll in a box, and what it fetched
PROBE = """<script>
addEventListener("load", () => {
  const wide = document.documentElement.clientWidth, out = [];
  for (const e of document.querySelectorAll("main *, header *, nav *")) {
    const box = e.getBoundingClientRect();
    if (box.width && box.right > wide + 1 && !e.closest(".table, pre, .equation, math, svg"))
      out.push(e.tagName + " " + (e.id || e.textContent.slice(0, 40)));
  }
  const fetched = performance.getEntriesByType("resource").map(r => r.name).filter(n => !n.startsWith("data:"));
  const report = {wide, scroll: document.documentElement.scrollWidth, out: out.slice(0, 5), fetched,
    tooltips: document.querySelectorAll("main span[title]").length};
  parent.postMessage(JSON.stringify(report), "*");
});
</script>"""
FRAME = """<!doctype html><body><iframe src="page.html" width="{width}" height="3000"></iframe><script>
addEventListener("message", m => {{ const p = document.createElement("pre"); p.id = "report"; p.textContent = m.data;
  document.body.append(p); }});
</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    study = study_config()
    made = write_study(folder / "study", study, n=800)
    for name, figure in draw(Results(made)).items():
        save(figure, folder / "figures" / f"{name}.svg")
    tables = {f: sorted((made / f).glob("*.*")) for f in (*FOLDERS, "audit") if (made / f).is_dir()}
    del study["versions"], study["engine"]
    study["paper"] |= {"engine": "fallback"}
    render_study(
        ROOT / "report" / "paper.qmd",
        study,
        tables | {"figures": folder / "figures"},
        {"html": folder / "paper.html"},
        {"values.csv": folder / "values.csv", "tables": folder / "tables"},
    )
    text = (folder / "paper.html").read_text(encoding="utf-8")
    (folder / "page.html").write_text(text.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    return folder


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_sticks_out_and_nothing_is_fetched(page, width):
    (page / "frame.html").write_text(FRAME.format(width=width), encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]
    command += [f"--user-data-dir={page / 'profile'}", "--virtual-time-budget=20000", "--dump-dom"]
    command += [f"--window-size={width + 60},1200", (page / "frame.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
    found = re.search(r'<pre id="report">(.*?)</pre>', done.stdout, re.S)
    assert found, done.stderr[-1000:]
    report = json.loads(html.unescape(found[1]))
    assert abs(report["wide"] - width) <= 20
    assert report["out"] == []
    assert report["scroll"] <= report["wide"] + 1
    assert report["fetched"] == []
    assert report["tooltips"] > 30
