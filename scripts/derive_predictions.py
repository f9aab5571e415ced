"""Make an arm's predictions of another arm's: seeds averaged, temperatures and thresholds fitted."""

from fergap.job import job

with job(snakemake.log[0]):
    from fergap.training.afterwards import derive_predictions

    derive_predictions(
        snakemake.params.arm,
        snakemake.input.packs,
        snakemake.input.people,
        snakemake.output.predictions,
        snakemake.output.adjustments,
    )
