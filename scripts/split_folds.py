"""Deal the faces into folds."""

from fergap.job import job

with job(snakemake.log[0]):
    from fergap import tables
    from fergap.training.folds import split_folds

    settings = snakemake.params.folds
    folds = split_folds(
        tables.read(snakemake.input.faces, "faces"),
        tables.read(snakemake.input.people, "people"),
        snakemake.params.seed,
        count=settings["count"],
        repeats=settings["repeats"],
        keep_together=settings["keep_together"],
        split=settings["split"],
    )
    tables.write(folds, snakemake.output.folds, "folds")
