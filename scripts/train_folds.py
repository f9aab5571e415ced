"""Train some of an arm's networks and predict all faces with each."""

from fergap.job import job

# a worker process imports this file again, and must not start the job again
if __name__ == "__main__":
    asked = snakemake.params.job
    about = f"training {asked['arm']['name']}: study seed {asked['seed']}, device {asked['device']}"
    with job(snakemake.log[0], about):
        from pathlib import Path

        from fergap.training.pack import train_pack

        out = {name: Path(path) for name, path in snakemake.output.items()}
        train_pack(
            asked,
            faces=Path(snakemake.input.faces),
            people=Path(snakemake.input.people),
            folds=Path(snakemake.input.folds),
            pixels=Path(snakemake.input.pixels),
            workers=snakemake.threads,
            checkpoints=out["weights"].parents[1] / "checkpoints",
            **out,
        )
