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
SCHEMA := $(BIN)/check-jsonschema --quiet --builtin-schema
PEERS  := $(wildcard $(patsubst %,benchmarks/%/requirements.txt,$(or $(BENCH),*)))

.DEFAULT_GOAL := help
.PHONY: help venv sweep test test-floor soak lint format type docs wheel figures bench peers bench-works check clean

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

test: venv       ## run the tests, but for those marked slow
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow"

soak: venv       ## twenty minutes of faults, into tests/soak/results.json; then every test, slow ones too
	LLR_SOAK=1 $(BIN)/python -m pytest tests/soak
	LLR_SOAK=1 $(BIN)/python -m pytest -n auto --dist loadfile --ignore tests/soak

test-floor:      ## the tests at the lowest versions that pyproject.toml allows, in .venv-floor
	$(PYTHON) -m venv .venv-floor
	.venv-floor/bin/python -m pip install --quiet -c requirements-floor.txt -e ".[ray,parquet,report,test]"
	.venv-floor/bin/python -m pytest -n auto --dist loadfile -W default -m "not browser and not slow"

lint: venv       ## ruff, import-linter, and the schemas of everything under .github
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/zizmor --offline --no-progress --quiet --persona pedantic .
	$(SCHEMA) vendor.github-workflows .github/workflows/*.yml
	$(SCHEMA) custom.github-workflows-require-timeout .github/workflows/*.yml
	$(SCHEMA) vendor.github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	$(SCHEMA) vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(SCHEMA) vendor.dependabot .github/dependabot.yml
	$(SCHEMA) vendor.readthedocs .readthedocs.yaml
	$(SCHEMA) vendor.citation-file-format CITATION.cff
	$(BIN)/pre-commit validate-config

format: venv     ## let ruff format and mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

type: venv       ## basedpyright
	$(BIN)/basedpyright

docs: venv       ## build the documentation; every warning is an error
	$(BIN)/sphinx-build -W --keep-going -q docs docs/_build/html

wheel: venv      ## build dist/ and try the wheel in an empty environment, from another folder
	$(BIN)/python tools/try_wheel.py

figures: venv    ## files, functions, exported names and imports of the package, counted
	$(BIN)/python tools/measure_code.py

bench: peers     ## measure every speed claim beside its peers (BENCH=rank: only that; QUICK=1: smallest cases)
	$(BIN)/python benchmarks/run.py $(BENCH) $(if $(QUICK),--quick)

peers: venv
	$(if $(PEERS),$(PIP) -c constraints.txt $(addprefix -r ,$(PEERS)))

bench-works: peers              # every peer installs, and a benchmark runs
	$(BIN)/python benchmarks/run.py rank --quick

check: lint type test docs wheel bench-works   ## everything that must hold before a merge

clean:           ## remove build products, never results
	rm -rf $(VENV) .venv-floor dist docs/_build docs/gallery .pytest_cache .ruff_cache .hypothesis build
