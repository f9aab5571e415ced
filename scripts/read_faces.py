"""Clean, label and read the faces of the study's source, and find their duplicate sets."""

from fergap.job import job

with job(snakemake.log[0], known=snakemake.params.failures):
    from fergap.faces.reading import read_faces

    read_faces(
        snakemake.params.faces,
        dict(zip(snakemake.params.names, snakemake.input.files, strict=True)),
        pixels=snakemake.output.pixels,
        table=snakemake.output.faces,
        dropped=snakemake.output.dropped,
        labels=snakemake.output.labels,
        overlaps=snakemake.output.overlaps,
        threads=snakemake.threads,
    )
