"""Draw every figure that the study has tables for."""

from fergap.job import job

with job(snakemake.log[0]):
    from pathlib import Path

    from fergap.paper.figures import draw
    from fergap.paper.results import Results
    from fergap.paper.style import save

    folder = Path("results", snakemake.wildcards.study)
    for name, figure in draw(Results(folder, snakemake.params.study)).items():
        save(figure, Path(snakemake.output[0], f"{name}.svg"))
