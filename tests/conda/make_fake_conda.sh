#!/usr/bin/env bash
# Install the stand-in:  make_fake_conda.sh PREFIX PYTHON     (PYTHON: one with PyYAML and packaging, and uv beside it,
# e.g. Snakemake's own).  Then:  PATH=PREFIX/bin:$PATH snakemake --cores all --use-conda
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); mkdir -p "$1/bin"; prefix=$(cd "$1" && pwd); py=$2
cp "$here/fake_conda.py" "$here/guard.py" "$prefix/"
printf '#!/bin/sh\nFAKE_CONDA_PREFIX=%q exec %q -I %q "$@"\n' "$prefix" "$py" "$prefix/fake_conda.py" >"$prefix/bin/conda"
# sourced by Snakemake:  source PREFIX/bin/activate 'ENV'
cat >"$prefix/bin/activate" <<'ACT'
if [ ! -d "${1:?}/conda-meta" ]; then echo "EnvironmentLocationNotFound: Not a conda environment: $1" >&2; return 1; fi
export CONDA_SHLVL=1 CONDA_PREFIX="$1" CONDA_DEFAULT_ENV="$1" CONDA_PROMPT_MODIFIER="($1) "
export PATH="$1/bin:$PATH"; unset VIRTUAL_ENV
for _f in "$1"/etc/conda/activate.d/*.sh; do [ -e "$_f" ] && . "$_f"; done; unset _f; hash -r
ACT
chmod +x "$prefix/bin/conda"; "$prefix/bin/conda" --version
