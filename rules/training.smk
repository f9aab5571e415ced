rule split_folds:
    input:
        lib=library("training", "study"),
        faces="results/{study}/faces/faces.parquet",
        people="results/{study}/people/people.parquet",
    output:
        folds="results/{study}/training/folds.parquet",
    log:
        "logs/{study}/split_folds.log",
    conda:
        f"../envs/{TRAINING_ENV}.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        folds=lookup(dpath="folds", within=config),
        seed=lookup(dpath="seed", within=config),
    script:
        "../scripts/split_folds.py"


rule train_folds:
    input:
        lib=library("training", "models", "faces", "study"),
        faces="results/{study}/faces/faces.parquet",
        pixels="results/{study}/faces/pixels.npy",
        people="results/{study}/people/people.parquet",
        folds="results/{study}/training/folds.parquet",
        pretrained=pretrained_weights,
    output:
        predictions="results/{study}/training/{arm}/pack_{pack}/predictions.parquet",
        history="results/{study}/training/{arm}/pack_{pack}/history.csv",
        composition="results/{study}/training/{arm}/pack_{pack}/composition.csv",
        runs="results/{study}/training/{arm}/pack_{pack}/runs.csv",
        weights=directory("results/{study}/training/{arm}/pack_{pack}/weights"),
    log:
        "logs/{study}/train_folds/{arm}_{pack}.log",
    benchmark:
        "logs/{study}/train_folds/{arm}_{pack}.benchmark.tsv"
    conda:
        f"../envs/{TRAINING_ENV}.yaml"
    threads: training_threads
    resources:
        mem_mb=lambda wildcards, threads: 1000 + 1000 * threads,
        runtime=1440,
        gpu=1 if config["training"]["device"] == "cuda" else 0,
    params:
        job=training_job,
    script:
        "../scripts/train_folds.py"


rule derive_predictions:
    input:
        lib=library("training"),
        packs=derived_from,
        people="results/{study}/people/people.parquet",
    output:
        predictions="results/{study}/training/{arm}/predictions.parquet",
        adjustments="results/{study}/training/{arm}/adjustments.csv",
    log:
        "logs/{study}/derive_predictions/{arm}.log",
    benchmark:
        "logs/{study}/derive_predictions/{arm}.benchmark.tsv"
    conda:
        "../envs/audit.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        arm=derived_arm,
    script:
        "../scripts/derive_predictions.py"


rule ask_endpoint:
    input:
        lib=library("training", "faces", "study"),
        faces="results/{study}/faces/faces.parquet",
        pixels="results/{study}/faces/pixels.npy",
    output:
        predictions="results/{study}/training/{arm}/asked/predictions.parquet",
        answers="results/{study}/training/{arm}/asked/answers.csv",
    log:
        "logs/{study}/ask_endpoint/{arm}.log",
    benchmark:
        "logs/{study}/ask_endpoint/{arm}.benchmark.tsv"
    conda:
        "../envs/faces.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=1440,
    params:
        arm=asked_arm,
        seed=lookup(dpath="training/seeds", within=config)[0],
    script:
        "../scripts/ask_endpoint.py"


rule collect_answers:
    input:
        lib=library("training", "faces", "study"),
        answers=asked_paths(config, "answers.csv"),
    output:
        answers="results/{study}/training/answers.csv",
    log:
        "logs/{study}/collect_answers.log",
    conda:
        "../envs/audit.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    script:
        "../scripts/collect_answers.py"


rule collect_predictions:
    input:
        lib=library("training", "faces", "study"),
        packs=pack_paths(config, "predictions.parquet", CLASSIFYING),
        derived=derived_paths(config, "predictions.parquet"),
        asked=asked_paths(config, "predictions.parquet"),
        external=list(external_arms(config).values()),
        faces=branch(
            HAS_FACES, then="results/{study}/faces/faces.parquet", otherwise=[]
        ),
    output:
        predictions=update("results/{study}/training/predictions.parquet"),
    log:
        "logs/{study}/collect_predictions.log",
    benchmark:
        "logs/{study}/collect_predictions.benchmark.tsv"
    conda:
        "../envs/audit.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        external=external_arms(config),
        seed=lookup(dpath="training/seeds", within=config)[0],
        classes=lookup(dpath="audit/classes", within=config),
        failures=failed_before("collect_predictions"),
    script:
        "../scripts/collect_predictions.py"


rule collect_history:
    input:
        lib=library("training", "faces", "study"),
        history=pack_paths(config, "history.csv"),
        composition=pack_paths(config, "composition.csv"),
        runs=pack_paths(config, "runs.csv"),
    output:
        history="results/{study}/training/history.csv",
        composition="results/{study}/training/composition.csv",
        runs="results/{study}/training/runs.csv",
    log:
        "logs/{study}/collect_history.log",
    conda:
        "../envs/audit.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    script:
        "../scripts/collect_history.py"
