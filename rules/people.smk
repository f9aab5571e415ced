rule annotate_people:
    input:
        unpack(people_files),
        lib=library("people"),
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
        drawn=list(DRAWN) if "drawn" in config["people"]["sources"] else [],
        seed=lookup(dpath="seed", within=config),
        failures=failed_before("annotate_people"),
    script:
        "../scripts/annotate_people.py"
