"""Put the learning curves, compositions and run records of all trained arms into one table each."""

from fergap.job import job

with job(snakemake.log[0]):
    from fergap.training.collect import collect_tables

    for name, path in snakemake.output.items():
        collect_tables(snakemake.input[name], name, path)
