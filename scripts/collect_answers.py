"""Put the answers of all models that were asked into one table."""

from fergap.job import job

with job(snakemake.log[0]):
    from fergap.training.collect import collect_tables

    collect_tables(snakemake.input.answers, "answers", snakemake.output.answers)
