"""Audit every arm's predictions for gaps between groups of people and write every table."""

from fergap.job import job

with job(snakemake.log[0], known=snakemake.params.failures):
    import sys

    from fergap import tables
    from fergap.audit import audit
    from fergap.faces.leave_one_out import face_readings

    settings = snakemake.params.audit
    taken = ("attributes", "reference", "margin", "confidence", "resamples", "minimum_faces", "contrasts", "classes")
    people = tables.read(snakemake.input.people, "people")
    clusters, duplicates, taggers, labels = None, {}, None, None
    if snakemake.input.faces:
        faces = tables.read(snakemake.input.faces, "faces")
        taggers = face_readings(faces, snakemake.params.labels, snakemake.params.schemes)
        sets = faces.set_index("image_id")
        labels, duplicates = sets["label"], {"exact": sets["exact_set"], "near": sets["duplicate_set"]}
        clusters = None if "cluster_id" in people.columns else sets["duplicate_set"]
    validation = snakemake.input.validation
    found = audit(
        tables.read(snakemake.input.predictions, "predictions"),
        people,
        **{key: settings[key] for key in (*taken, "bootstrap", "confidence_thresholds")},
        groups=snakemake.params.groups,
        arms=snakemake.params.arms,
        labels=labels,
        clusters=clusters,
        duplicates=duplicates,
        validation=tables.read(validation, "validation") if validation else None,
        tried=snakemake.params.tried,
        taggers=taggers,
        raters=tables.read(snakemake.input.raters, "raters"),
        recognition=tables.joined(snakemake.input.recognition, "predictions"),
        unseen=snakemake.params.unseen,
        answers=tables.read(snakemake.input.answers, "answers") if snakemake.input.answers else None,
        seed=snakemake.params.seed,
    )
    for name, frame in found.items():
        tables.write(frame, snakemake.output[name], name)
    for row in found["checks"].query("verdict == 'look'").itertuples():
        where = ", ".join(part for part in (row.arm, row.attribute, row.group) if isinstance(part, str))
        print(f"look at {row.check}{f' ({where})' if where else ''}: {row.value}", file=sys.stderr)
    print(*found["verdicts"]["sentence"], sep="\n", file=sys.stderr)
