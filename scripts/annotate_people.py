"""Annotate gender, age and other attributes of every face."""

from fergap.job import job

# a worker process imports this file again, and must not start the job again
if __name__ == "__main__":
    with job(snakemake.log[0], known=snakemake.params.failures):
        from fergap.people.annotation import annotate_people

        settings = snakemake.params.people
        annotate_people(
            sources=settings["sources"],
            age_groups=settings["age_groups"],
            sample_per_class=settings["sample_per_class"],
            owners_ages=snakemake.params.ages,
            seed=snakemake.params.seed,
            faces=snakemake.input.get("faces"),
            pixels=snakemake.input.get("pixels"),
            drawn=dict(zip(snakemake.params.drawn, snakemake.input.get("drawn", []), strict=True)),
            fairface=snakemake.input.get("fairface"),
            compare=settings["compare"],
            rename=settings["rename"],
            workers=snakemake.threads,
            people=snakemake.output.people,
            raters=snakemake.output.raters,
            adjudication=snakemake.output.adjudication,
        )
