"""Put the predictions of all arms into one table."""

from fergap.job import job

with job(snakemake.log[0], known=snakemake.params.failures):
    from fergap.training.collect import collect_predictions

    collect_predictions(
        [*snakemake.input.packs, *snakemake.input.derived, *snakemake.input.asked],
        snakemake.params.external,
        snakemake.input.get("faces"),
        snakemake.params.seed,
        snakemake.output.predictions,
        snakemake.params.classes,
    )
