"""Audit every arm's predictions for gaps between groups of people and write every table."""

from fergap.job import job

with job(snakemake.log[0], known=snakemake.params.failures):
    import sys

    from fergap import tables
    from fergap.audit import audit
    from fergap.audit.reading import read_inputs

    params, settings = snakemake.params, snakemake.params.audit
    taken = ("attributes", "reference", "margin", "confidence", "resamples", "minimum_faces", "contrasts", "classes")
    found = audit(
        **read_inputs(snakemake.input),
        **{key: settings[key] for key in (*taken, "bootstrap", "confidence_thresholds")},
        groups=params.groups,
        arms=params.arms,
        tried=params.tried,
        model_raters=params.model_raters,
        unseen=params.unseen,
        seed=params.seed,
    )
    for name, frame in found.items():
        tables.write(frame, snakemake.output[name], name)
    for row in found["checks"].query("verdict == 'look'").itertuples():
        where = ", ".join(part for part in (row.arm, row.attribute, row.group) if isinstance(part, str))
        print(f"look at {row.check}{f' ({where})' if where else ''}: {row.value}", file=sys.stderr)
    print(*found["verdicts"]["sentence"], sep="\n", file=sys.stderr)
