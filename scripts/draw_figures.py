"""Draw every figure that the study has tables for."""

from fergap.job import job

with job(snakemake.log[0]):
    from pathlib import Path

    from fergap.files import whole
    from fergap.paper.cards import data_sheet, model_card, summary_card
    from fergap.paper.figures import draw
    from fergap.paper.results import Results
    from fergap.paper.style import save

    folder = Path("results", snakemake.wildcards.study)
    results = Results(folder, snakemake.params.study, {"calibration": snakemake.input.calibration})
    results.pixels = snakemake.input.pixels or None
    for name, figure in draw(results).items():
        save(figure, Path(snakemake.output.figures, f"{name}.svg"))
    card = summary_card(results)
    for form in ("pdf", "png"):
        save(card, snakemake.output[form])
    for name, make in (("model_card", model_card), ("data_sheet", data_sheet)):
        with whole(snakemake.output[name]) as draft:
            draft.write_text(make(results), encoding="utf-8")
