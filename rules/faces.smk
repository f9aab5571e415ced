rule draw_faces:
    input:
        lib=library("faces"),
    output:
        pixels=update(
            collect(
                "results/{{study}}/faces/drawn/{prefix}fer2013.csv",
                prefix=DRAWN or [""],
            )
        ),
        votes=update(
            collect(
                "results/{{study}}/faces/drawn/{prefix}fer2013new.csv",
                prefix=DRAWN or [""],
            )
        ),
        people=update(
            collect(
                "results/{{study}}/faces/drawn/{prefix}people.csv",
                prefix=DRAWN or [""],
            )
        ),
    log:
        "logs/{study}/draw_faces.log",
    benchmark:
        "logs/{study}/draw_faces.benchmark.tsv"
    conda:
        "../envs/faces.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        drawn=DRAWN,
        seed=lookup(dpath="seed", within=config),
        failures=failed_before("draw_faces"),
    script:
        "../scripts/draw_faces.py"


rule read_faces:
    input:
        lib=library("faces", "study"),
        files=list(FACE_FILES.values()),
    output:
        pixels=update("results/{study}/faces/pixels.npy"),
        faces=update("results/{study}/faces/faces.parquet"),
        dropped=update("results/{study}/faces/dropped.csv"),
        labels=update("results/{study}/faces/labels.csv"),
        overlaps=update("results/{study}/faces/overlaps.csv"),
    log:
        "logs/{study}/read_faces.log",
    benchmark:
        "logs/{study}/read_faces.benchmark.tsv"
    conda:
        "../envs/faces.yaml"
    threads: 2
    resources:
        mem_mb=reading_memory,
        runtime=reading_minutes,
    params:
        faces=lookup(dpath="faces", within=config),
        names=list(FACE_FILES),
        failures=failed_before("read_faces"),
    script:
        "../scripts/read_faces.py"
