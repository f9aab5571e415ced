"""Draw the faces of the study's drawn sources and write them as FER2013 and FER+ write theirs."""

from fergap.job import job

with job(snakemake.log[0], known=snakemake.params.failures):
    from pathlib import Path

    from fergap.faces.drawn import draw, write
    from fergap.seeds import derive

    seed = snakemake.params.seed
    for (prefix, truth), pixels in zip(snakemake.params.drawn.items(), snakemake.output.pixels, strict=True):
        # a source among several has random numbers of its own, or two of one truth would show the same people
        write(draw(truth, derive(seed, prefix) if prefix else seed), Path(pixels).parent)
