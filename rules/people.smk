rule annotate_by_fairface:
    input:
        lib=library("models", "people"),
        faces="results/{study}/faces/faces.parquet",
        pixels="results/{study}/faces/pixels.npy",
        weights=fairface_of(config["people"]["sources"]).get("weights", []),
    output:
        answers=update("results/{study}/people/fairface.parquet"),
    log:
        "logs/{study}/annotate_by_fairface.log",
    benchmark:
        "logs/{study}/annotate_by_fairface.benchmark.tsv"
    conda:
        f"../envs/{TRAINING_ENV}.yaml"
    threads: 16
    resources:
        mem_mb=4000,
        runtime=600,
    params:
        sha256=fairface_of(config["people"]["sources"]).get("sha256", ""),
        sample_per_class=lookup(dpath="people/sample_per_class", within=config),
        seed=lookup(dpath="seed", within=config),
        failures=failed_before("annotate_by_fairface"),
    script:
        "../scripts/annotate_by_fairface.py"


rule annotate_people:
    input:
        unpack(people_files),
        lib=library("people", "study"),
    output:
        people=update("results/{study}/people/people.parquet"),
        raters=update("results/{study}/people/raters.parquet"),
        adjudication=update("results/{study}/people/adjudication.csv"),
    log:
        "logs/{study}/annotate_people.log",
    benchmark:
        "logs/{study}/annotate_people.benchmark.tsv"
    conda:
        "../envs/people.yaml"
    threads: people_threads
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        people=lookup(dpath="people", within=config),
        ages=owners_ages(config),
        drawn=list(DRAWN) if know_drawing(config["people"]["sources"]) else [],
        seed=lookup(dpath="seed", within=config),
        failures=failed_before("annotate_people"),
    script:
        "../scripts/annotate_people.py"


rule write_page:
    input:
        lib=library("people", "people/page", "study"),
        faces=shown_faces,
        pixels="results/{study}/faces/pixels.npy",
        people="results/{study}/people/people.parquet",
        listed=config["people"]["annotation"]["faces"] or [],
    output:
        page=update("results/{study}/people/annotate.html"),
        sample=update("results/{study}/people/annotation_sample.csv"),
    log:
        "logs/{study}/write_page.log",
    benchmark:
        "logs/{study}/write_page.benchmark.tsv"
    conda:
        "../envs/people.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        people=lookup(dpath="people", within=config),
        groups=declared_groups(config),
        seed=lookup(dpath="seed", within=config),
        failures=failed_before("write_page"),
    script:
        "../scripts/write_page.py"


rule write_adjudication:
    input:
        lib=library("people", "people/page", "study"),
        faces=shown_faces,
        pixels="results/{study}/faces/pixels.npy",
        adjudication="results/{study}/people/adjudication.csv",
    output:
        page=update("results/{study}/people/adjudicate.html"),
    log:
        "logs/{study}/write_adjudication.log",
    benchmark:
        "logs/{study}/write_adjudication.benchmark.tsv"
    conda:
        "../envs/people.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        people=lookup(dpath="people", within=config),
        groups=declared_groups(config),
        seed=lookup(dpath="seed", within=config),
        failures=failed_before("write_adjudication"),
    script:
        "../scripts/write_adjudication.py"


rule export_people:
    input:
        lib=library("people"),
        people="results/{study}/people/people.parquet",
    output:
        folder=directory("results/{study}/people/exchange"),
    log:
        "logs/{study}/export_people.log",
    benchmark:
        "logs/{study}/export_people.benchmark.tsv"
    conda:
        "../envs/people.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        size=lookup(dpath="faces/size", within=config),
    script:
        "../scripts/export_people.py"
