"""Ask a model behind an address for the expression of every face."""

from fergap.job import job

with job(snakemake.log[0]):
    from pathlib import Path

    from fergap.training.answers import ask_endpoint

    arm = snakemake.params.arm
    ask_endpoint(
        arm,
        faces=snakemake.input.faces,
        pixels=snakemake.input.pixels,
        seed=snakemake.params.seed,
        cache=Path(snakemake.output.answers).parents[2] / "asked" / f"{arm['name']}.jsonl",
        predictions=snakemake.output.predictions,
        answers=snakemake.output.answers,
    )
