"""Write the page on which somebody decides where answers differ, and open it where there is a screen."""

from fergap.job import job

with job(snakemake.log[0], known=snakemake.params.failures):
    from fergap.people.page.building import show_page, write_adjudication

    settings = snakemake.params.people
    write_adjudication(
        study=snakemake.wildcards.study,
        settings=settings["annotation"],
        age_groups=settings["age_groups"],
        groups=snakemake.params.groups,
        seed=snakemake.params.seed,
        faces=snakemake.input.faces,
        pixels=snakemake.input.pixels,
        adjudication=snakemake.input.adjudication,
        page=snakemake.output.page,
    )
    show_page(snakemake.output.page)
