rule draw_figures:
    input:
        unpack(paper_files),
        lib=library("paper", "audit", "models", "study"),
        audit=rules.audit.output,
        calibration=CALIBRATION,
        pixels=shown_pixels,
    output:
        figures=report(
            directory("results/{study}/paper/figures"),
            patterns=["{name}.svg"],
            caption="../report/captions/figures.rst",
            category="Figures",
            labels={"figure": "{name}"},
        ),
        pdf="results/{study}/paper/summary.pdf",
        png=report(
            "results/{study}/paper/summary.png",
            caption="../report/captions/paper.rst",
            category="Paper",
            labels={"format": "summary card"},
        ),
        model_card="results/{study}/paper/model_card.md",
        data_sheet="results/{study}/paper/data_sheet.md",
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
        study=config,
    script:
        "../scripts/draw_figures.py"


rule render_paper:
    input:
        unpack(paper_files),
        lib=library("paper", "audit", "models", "study"),
        document=f"{REPORT}/paper.qmd",
        report=collect(
            f"{REPORT}/{{file}}",
            file=("_quarto.yml", "published.yaml", "references.bib", "references.csl"),
        ),
        audit=rules.audit.output,
        calibration=CALIBRATION,
        figures=rules.draw_figures.output.figures,
    output:
        **{
            form: report(
                f"results/{{study}}/paper/paper.{form}",
                caption="../report/captions/paper.rst",
                category="Paper",
                labels={"format": form},
            )
            for form in config["paper"]["formats"]
        },
        values=report(
            "results/{study}/paper/values.csv",
            caption="../report/captions/values.rst",
            category="Tables",
            labels={"table": "values"},
        ),
        tables=report(
            directory("results/{study}/paper/tables"),
            patterns=["{name}.csv"],
            caption="../report/captions/tables.rst",
            category="Tables",
            labels={"table": "{name}"},
        ),
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
