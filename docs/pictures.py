"""Make the README's pictures from finished runs: python docs/pictures.py (after make demo and the FER2013 study)."""

import sys
from pathlib import Path

import yaml
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from fergap.faces.drawn import contact_sheet, draw
from fergap.paper.figures import gap_forest
from fergap.paper.results import Results


def main() -> None:
    """Write docs/drawn-faces.png and one docs/<study>-gaps.png for each finished study."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    sheet = contact_sheet(draw(config["faces"]["drawn"], config["seed"]), faces=4)
    Image.fromarray(sheet).save(ROOT / "docs" / "drawn-faces.png", optimize=True)
    for study, file in (("demo", "config.yaml"), ("fer2013-cpu", "studies/fer2013-cpu.yaml")):
        folder = ROOT / "results" / study
        if (folder / "audit" / "verdicts.csv").exists():
            own = config | yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))
            asked = {"arms": own["arms"], "audit": config["audit"] | own["audit"]}
            figure = gap_forest(Results(folder, asked))
            figure.savefig(ROOT / "docs" / f"{study}-gaps.png", dpi=150)


if __name__ == "__main__":
    main()
