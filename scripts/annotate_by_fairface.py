"""Ask FairFace's model about every face that is annotated."""

from fergap.job import job

with job(snakemake.log[0], known=snakemake.params.failures):
    from pathlib import Path

    import numpy as np
    import pandas as pd

    from fergap import tables
    from fergap.models.fairface import COLUMNS, answers
    from fergap.people.sampling import sample

    faces = tables.read(snakemake.input.faces, "faces")
    asked = np.flatnonzero(sample(faces["label"], snakemake.params.sample_per_class, snakemake.params.seed))
    pixels = tables.load_pixels(snakemake.input.pixels, faces["row"])
    rows = faces["row"].to_numpy()[asked]
    found = answers(pixels, rows, Path(snakemake.input.weights), snakemake.params.sha256, snakemake.threads)
    table = pd.DataFrame(found, columns=COLUMNS)
    table.insert(0, "image_id", faces["image_id"].to_numpy()[asked])
    tables.write(table, snakemake.output.answers, "fairface")
