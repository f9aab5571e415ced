# Everything runs in .venv, made from requirements.lock: no root, conda, Quarto or GPU needed.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo annotate adjudicate test test-slurm fuzz lint bench calibrate check-paper clean

demo: .venv/installed
	$(BIN)/snakemake --cores all

# the page on which people say who is in the faces: make annotate STUDY=studies/fer2013.yaml
annotate: .venv/installed
	$(BIN)/snakemake annotate --cores all $(if $(STUDY),--configfile $(STUDY))

# the same page with only the faces on which answers differ, without who said what
adjudicate: .venv/installed
	$(BIN)/snakemake adjudicate --cores all $(if $(STUDY),--configfile $(STUDY))

test: .venv/installed
	$(BIN)/python -m pytest -m "not cluster" --numprocesses auto --dist loadfile

# on a private cluster on this machine, for which root installs Debian's SLURM where it is missing
test-slurm: .venv/installed
	$(BIN)/python tests/cluster/local_slurm.py
	$(BIN)/python -m pytest tests/cluster

# property tests with new cases each time, and twenty times as many damaged files as in `make test`
fuzz: .venv/installed
	HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest -m hypothesis --numprocesses auto --dist loadfile

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

bench: .venv/installed
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/audit.py

calibrate: .venv/installed
	$(BIN)/python benchmarks/calibrate.py

# the printed tables of Faces of Fairness; for others: scripts/check_printed.py TABLE.csv
check-paper: .venv/installed
	$(BIN)/python scripts/check_printed.py report/faces_of_fairness.json

clean:
	rm -rf .venv .snakemake results logs .pytest_cache .ruff_cache .hypothesis

.venv/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	@echo "installing requirements.lock into .venv (once, a few minutes)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@touch $@
