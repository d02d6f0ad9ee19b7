# make sweep | test | check — each makes .venv first. Nothing but Python 3.11+ and make is needed.
PYTHON ?= python3
VENV   ?= .venv
CONFIG ?= config.yaml
ARGS   ?=
EXECUTOR ?=
BENCH  ?=
QUICK  ?=
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PEERS  := $(wildcard $(patsubst %,benchmarks/%/requirements.txt,$(or $(BENCH),*)))

.DEFAULT_GOAL := help
.PHONY: help venv sweep test soak lint format type docs bench peers bench-works check clean

help:            ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

venv: $(VENV)/.installed        ## make the environment
$(VENV)/.installed: constraints.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "llr needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $@"; exit 1; }
	@echo "Making $(VENV) and installing into it: a minute or two"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) -r requirements-dev.txt
	@touch $@

sweep: venv      ## run the sweep of config.yaml (CONFIG=..., EXECUTOR=ray, ARGS="training.lr=0.05")
	$(BIN)/llr sweep --config $(CONFIG) $(if $(EXECUTOR),execution.executor=$(EXECUTOR)) $(ARGS)

test: venv       ## run the whole test suite
	$(BIN)/python -m pytest -n auto --dist loadfile

soak: venv       ## minutes of faults: kills, full disks, lost nodes, damaged files; tests/soak/results.json
	LLR_SOAK=1 $(BIN)/python -m pytest tests/soak

lint: venv       ## ruff and import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

format: venv     ## let ruff format and mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

type: venv       ## basedpyright
	$(BIN)/basedpyright

docs: venv       ## build the documentation; every warning is an error
	$(BIN)/sphinx-build -W --keep-going -q docs docs/_build/html

bench: peers     ## measure every speed claim beside its peers (BENCH=rank: only that; QUICK=1: smallest cases)
	$(BIN)/python benchmarks/run.py $(BENCH) $(if $(QUICK),--quick)

peers: venv
	$(if $(PEERS),$(PIP) -c constraints.txt $(addprefix -r ,$(PEERS)))

bench-works: peers              # every peer installs, and a benchmark runs
	$(BIN)/python benchmarks/run.py rank --quick

check: lint type test docs bench-works   ## everything that must hold before a merge

clean:           ## remove build products, never results
	rm -rf $(VENV) docs/_build docs/gallery .pytest_cache .ruff_cache .hypothesis build
