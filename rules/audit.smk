rule audit:
    input:
        lib=library("audit", "study"),
        predictions="results/{study}/training/predictions.parquet",
        people="results/{study}/people/people.parquet",
        raters="results/{study}/people/raters.parquet",
        faces=branch(
            HAS_FACES, then="results/{study}/faces/faces.parquet", otherwise=[]
        ),
        validation=validation_table,
        recognition=pack_paths(config, "predictions.parquet", recognising(config)),
        answers=given_answers,
    output:
        checks=update("results/{study}/audit/checks.csv"),
        group_metrics=update("results/{study}/audit/group_metrics.csv"),
        calibration_metrics=update("results/{study}/audit/calibration_metrics.csv"),
        confusion=update("results/{study}/audit/confusion.csv"),
        gaps=update("results/{study}/audit/gaps.csv"),
        effects=update("results/{study}/audit/effects.csv"),
        decomposition=update("results/{study}/audit/decomposition.csv"),
        pairwise=update("results/{study}/audit/pairwise.csv"),
        models=update("results/{study}/audit/models.csv"),
        tests=update("results/{study}/audit/tests.csv"),
        fairness=update("results/{study}/audit/fairness.csv"),
        optimism=update("results/{study}/audit/optimism.csv"),
        replicates=update("results/{study}/audit/replicates.csv"),
        fold_metrics=update("results/{study}/audit/fold_metrics.csv"),
        annotators=update("results/{study}/audit/annotators.csv"),
        changes=update("results/{study}/audit/changes.csv"),
        gap_changes=update("results/{study}/audit/gap_changes.csv"),
        beyond_placebo=update("results/{study}/audit/beyond_placebo.csv"),
        equivalence=update("results/{study}/audit/equivalence.csv"),
        verdicts=update("results/{study}/audit/verdicts.csv"),
        power=update("results/{study}/audit/power.csv"),
        label_noise=update("results/{study}/audit/label_noise.csv"),
        sensitivity=update("results/{study}/audit/sensitivity.csv"),
        clusters=update("results/{study}/audit/clusters.csv"),
        size_matched=update("results/{study}/audit/size_matched.csv"),
        multiplicity=update("results/{study}/audit/multiplicity.csv"),
        models_compared=update("results/{study}/audit/models_compared.csv"),
        ranking=update("results/{study}/audit/ranking.csv"),
        model_bias=update("results/{study}/audit/model_bias.csv"),
        model_bias_ranks=update("results/{study}/audit/model_bias_ranks.csv"),
        tradeoff=update("results/{study}/audit/tradeoff.csv"),
        not_estimable=update("results/{study}/audit/not_estimable.csv"),
        dataset_bias=update("results/{study}/audit/dataset_bias.csv"),
        dataset_shares=update("results/{study}/audit/dataset_shares.csv"),
        human_reference=update("results/{study}/audit/human_reference.csv"),
        by_ambiguity=update("results/{study}/audit/by_ambiguity.csv"),
        source_recognition=update("results/{study}/audit/source_recognition.csv"),
        unseen_sources=update("results/{study}/audit/unseen_sources.csv"),
        agreement=update("results/{study}/audit/agreement.csv"),
        agreement_confusion=update("results/{study}/audit/agreement_confusion.csv"),
        unanswered=update("results/{study}/audit/unanswered.csv"),
        by_annotator=update("results/{study}/audit/by_annotator.csv"),
        correction=update("results/{study}/audit/correction.csv"),
        misclassification=update("results/{study}/audit/misclassification.csv"),
    log:
        "logs/{study}/audit.log",
    benchmark:
        "logs/{study}/audit.benchmark.tsv"
    conda:
        "../envs/audit.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        audit=lookup(dpath="audit", within=config),
        arms=audited(config),
        unseen=unseen(config),
        groups=declared_groups(config),
        model_raters=model_raters(config["people"]["sources"]),
        tried=tried(config),
        seed=lookup(dpath="seed", within=config),
        failures=failed_before("audit"),
    script:
        "../scripts/audit.py"
