"""Write who is in the faces for Label Studio, CVAT, FiftyOne and in FairFace's columns."""

from pathlib import Path

from fergap.job import job

with job(snakemake.log[0]):
    from fergap import tables
    from fergap.people.exchange import export_people

    people = tables.read(snakemake.input.people, "people")
    export_people(people, snakemake.params.size, Path(snakemake.output.folder))
