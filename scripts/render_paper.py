"""Render the study's paper to HTML and PDF."""

from fergap.job import job

with job(snakemake.log[0]):
    from fergap.paper.binding import render_study

    render_study(
        snakemake.input.document,
        snakemake.params.study,
        {
            name: snakemake.input.get(name, [])
            for name in ("audit", "figures", "faces", "training", "calibration", "people")
        },
        {form: snakemake.output[form] for form in snakemake.params.study["paper"]["formats"]},
        {"values.csv": snakemake.output["values"], "tables": snakemake.output["tables"]},
        f"logs/{snakemake.wildcards.study}",
    )
