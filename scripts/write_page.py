"""Write the page on which people say who is in the faces, and open it where there is a screen."""

from fergap.job import job

with job(snakemake.log[0], known=snakemake.params.failures):
    from fergap.people.page.building import show_page, write_page

    settings = snakemake.params.people
    write_page(
        study=snakemake.wildcards.study,
        settings=settings["annotation"],
        sample_per_class=settings["sample_per_class"],
        age_groups=settings["age_groups"],
        groups=snakemake.params.groups,
        seed=snakemake.params.seed,
        faces=snakemake.input.faces,
        pixels=snakemake.input.pixels,
        people=snakemake.input.people,
        page=snakemake.output.page,
        drawn=snakemake.output.sample,
    )
    show_page(snakemake.output.page)
