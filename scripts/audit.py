"""Audit every arm's predictions for gaps between groups of people and write every table."""

from fergap.job import job

with job(snakemake.log[0], known=snakemake.params.failures):
    import sys

    from fergap import tables
    from fergap.audit import audit

    settings = snakemake.params.audit
    people = tables.read(snakemake.input.people, "people")
    clusters, duplicates = None, {}
    if snakemake.input.faces:
        sets = tables.read(snakemake.input.faces, "faces").set_index("image_id")[["exact_set", "duplicate_set"]]
        duplicates = {"exact": sets["exact_set"], "near": sets["duplicate_set"]}
        clusters = None if "cluster_id" in people.columns else sets["duplicate_set"]
    validation = snakemake.input.validation
    found = audit(
        tables.read(snakemake.input.predictions, "predictions"),
        people,
        attributes=settings["attributes"],
        reference=settings["reference"],
        margin=settings["margin"],
        confidence=settings["confidence"],
        resamples=settings["resamples"],
        minimum_faces=settings["minimum_faces"],
        contrasts=settings["contrasts"],
        groups=snakemake.params.groups,
        arms=snakemake.params.arms,
        classes=settings["classes"],
        bootstrap=settings["bootstrap"],
        clusters=clusters,
        duplicates=duplicates,
        confidence_thresholds=settings["confidence_thresholds"],
        validation=tables.read(validation, "validation") if validation else None,
        tried=snakemake.params.tried,
        seed=snakemake.params.seed,
    )
    for name, frame in found.items():
        tables.write(frame, snakemake.output[name], name)
    for row in found["checks"].query("verdict == 'look'").itertuples():
        where = ", ".join(part for part in (row.arm, row.attribute, row.group) if isinstance(part, str))
        print(f"look at {row.check}{f' ({where})' if where else ''}: {row.value}", file=sys.stderr)
    print(*found["verdicts"]["sentence"], sep="\n", file=sys.stderr)
