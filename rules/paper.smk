rule draw_figures:
    input:
        unpack(paper_files),
        lib=library("paper", "audit", "training"),
        audit=rules.audit.output,
    output:
        directory("results/{study}/paper/figures"),
    log:
        "logs/{study}/draw_figures.log",
    benchmark:
        "logs/{study}/draw_figures.benchmark.tsv"
    conda:
        "../envs/paper.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        study={"arms": config["arms"], "audit": config["audit"]},
    script:
        "../scripts/draw_figures.py"


rule render_paper:
    input:
        unpack(paper_files),
        lib=library("paper", "audit", "training"),
        document=f"{REPORT}/paper.qmd",
        report=collect(
            f"{REPORT}/{{file}}",
            file=("_quarto.yml", "published.yaml", "references.bib", "references.csl"),
        ),
        audit=rules.audit.output,
        figures=rules.draw_figures.output,
    output:
        **{
            form: f"results/{{study}}/paper/paper.{form}"
            for form in config["paper"]["formats"]
        },
    log:
        "logs/{study}/render_paper.log",
    benchmark:
        "logs/{study}/render_paper.benchmark.tsv"
    conda:
        "../envs/paper.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        study=config,
    script:
        "../scripts/render_paper.py"
