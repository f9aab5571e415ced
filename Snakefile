from snakemake.utils import min_version

min_version("9.19")


configfile: f"{workflow.basedir}/config.yaml"


include: "rules/common.smk"
include: "rules/faces.smk"
include: "rules/people.smk"
include: "rules/training.smk"
include: "rules/audit.smk"
include: "rules/paper.smk"


rule all:
    default_target: True
    input:
        collect(
            "results/{study}/paper/paper.{format}",
            study=STUDY,
            format=config["paper"]["formats"],
        ),
    localrule: True


rule annotate:
    input:
        f"results/{STUDY}/people/annotate.html",
    localrule: True


rule adjudicate:
    input:
        f"results/{STUDY}/people/adjudicate.html",
    localrule: True


rule exchange:
    input:
        f"results/{STUDY}/people/exchange",
    localrule: True


onstart:
    check_gpu()


onerror:
    print(after_error(STUDY, STARTED), file=sys.stderr)


onsuccess:
    print(summary(Path(f"results/{STUDY}"), config["paper"]["formats"], targets()))
