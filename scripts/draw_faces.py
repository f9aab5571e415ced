"""Draw the embedded study's faces and write them as FER2013 and FER+ write theirs."""

from fergap.job import job

with job(snakemake.log[0], known=snakemake.params.failures):
    from pathlib import Path

    from fergap.faces.drawn import draw, write

    write(draw(snakemake.params.drawn, snakemake.params.seed), Path(snakemake.output.pixels).parent)
