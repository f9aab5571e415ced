"""Make the README's pictures from finished runs: python docs/pictures.py (after make demo and the FER2013 study).

The pages of the paper need poppler's pdftoppm and pdftotext, the annotation page Chromium (and make annotate before);
both are of the embedded study, whose faces are drawn.
"""

import io
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT)]

from tests.people.devtools import Browser

from fergap.faces.drawn import EXPRESSIONS, contact_sheet, draw
from fergap.paper.figures_gaps import gap_forest
from fergap.paper.results import Results

PAGES = ("Abstract", "Gaps in accuracy with their intervals", "(a) Each gap before and after")  # what they show
KINDS = ("women", "men", "girls", "boys")  # of the contact sheet's columns
HEAD, LEFT, BETWEEN = 24, 84, 6  # pixels above the faces, left of them, and between the kinds


def labelled(sheet: np.ndarray) -> Image.Image:
    """Return a contact sheet of drawn faces with the kinds above its columns and the expressions beside its rows."""
    height, width = sheet.shape[0] // len(EXPRESSIONS), sheet.shape[1] // len(KINDS)
    board = Image.new("L", (LEFT + len(KINDS) * (width + BETWEEN) - BETWEEN, HEAD + sheet.shape[0]), 255)
    pen, font = ImageDraw.Draw(board), ImageFont.load_default(15)
    for i, kind in enumerate(KINDS):
        left = LEFT + i * (width + BETWEEN)
        board.paste(Image.fromarray(sheet[:, i * width : (i + 1) * width]), (left, HEAD))
        pen.text((left + width / 2, HEAD / 2), kind, fill=0, font=font, anchor="mm")
    for i, expression in enumerate(EXPRESSIONS):
        pen.text((LEFT - 8, HEAD + (i + 0.5) * height), expression, fill=0, font=font, anchor="rm")
    return board


def pages(paper: Path, target: Path) -> None:
    """Write the pages of a PDF on which the texts of ``PAGES`` first stand, side by side."""
    text = subprocess.run(["pdftotext", "-layout", paper, "-"], capture_output=True, text=True, check=True).stdout
    whole = [" ".join(page.split()) for page in text.split("\f")]
    shown = []
    for words in PAGES:
        number = next(i for i, page in enumerate(whole, 1) if words in page)
        command = ["pdftoppm", "-r", "80", "-png", "-f", str(number), "-l", str(number), paper]
        shown.append(Image.open(io.BytesIO(subprocess.run(command, capture_output=True, check=True).stdout)))
    width, height = shown[0].size
    board = Image.new("RGB", (len(shown) * width + 12 * (len(shown) - 1), height), "#d0d0d0")
    for i, page in enumerate(shown):
        board.paste(page, (i * (width + 12), 0))
    board.quantize(128, method=Image.Quantize.MAXCOVERAGE).save(target, optimize=True)


def annotation(page: Path, light: Path, dark: Path) -> None:
    """Write the annotation page as it is in use: some faces answered, and several marked in the dark."""
    with tempfile.TemporaryDirectory() as folder:
        browser = Browser(Path(folder), 1180, 640)
        try:
            browser.open(page)
            browser.wait("document.getElementById('start').open")
            browser.run(
                "document.getElementById('rater').value = 'anna'; document.querySelector('#start form').requestSubmit()"
            )
            browser.wait("document.documentElement.dataset.ready")
            for keys in ("ma", "fc", "fa", "fa", "u", "fc", "fa", "mc", "ma", "fa", "mc", "ma", "m"):
                for key in keys:
                    browser.press(key)
                    time.sleep(0.75)  # as fast as a person
            for target, theme in ((light, "light"), (dark, "dark")):
                if browser.run("document.documentElement.dataset.theme") != theme:
                    browser.run("document.getElementById('theme').click()")
                if target == dark:
                    for _ in range(3):
                        browser.press("ArrowRight", shift=True)
                time.sleep(0.5)  # the faces' fading
                browser.screenshot(target)
                Image.open(target).convert("RGB").save(target, optimize=True)
        finally:
            browser.close()


def main() -> None:
    """Write the pictures whose studies are finished: drawn faces, gaps, pages of the paper, the annotation page."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    sheet = contact_sheet(draw(config["faces"]["drawn"], config["seed"]), faces=4)
    labelled(sheet).save(ROOT / "docs" / "drawn-faces.png", optimize=True)
    for study, file in (("demo", "config.yaml"), ("fer2013-cpu", "studies/fer2013-cpu.yaml")):
        folder = ROOT / "results" / study
        if (folder / "audit" / "verdicts.csv").exists():
            own = config | yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))
            asked = {"arms": own["arms"], "audit": config["audit"] | own["audit"]}
            figure = gap_forest(Results(folder, asked))
            figure.savefig(ROOT / "docs" / f"{study}-gaps.png", dpi=150)
    paper = ROOT / "results" / "demo" / "paper" / "paper.pdf"
    if paper.exists():
        pages(paper, ROOT / "docs" / "paper-pages.png")
    page = ROOT / "results" / "demo" / "people" / "annotate.html"
    if page.exists():
        annotation(page, ROOT / "docs" / "annotate.png", ROOT / "docs" / "annotate-dark.png")


if __name__ == "__main__":
    main()
