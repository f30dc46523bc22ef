SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first Python that is new enough and can make a virtual environment; PYTHON=/path/to/python chooses another one.
PYTHON ?= $(shell for python in python3.14 python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)
BIN := .venv/bin
VENV := .venv/.installed
comma := ,
step = @printf '\n\033[1m== %s\033[0m\n' '$(1)'

.PHONY: help demo lab lab-stop test check lint soak explore soak-lab mutants bench crds matrix lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(VENV) ## Bring up a cluster, break it in several ways, tell what the operator does
	@$(BIN)/python -m e2e.demo

lab: $(VENV) ## Bring the same cluster up and leave it running, for kubectl
	@$(BIN)/python -m e2e.lab up

lab-stop: $(VENV) ## End it
	@$(BIN)/python -m e2e.lab stop

test: check ## Run every check and every test, those on a real control plane included; half an hour
	$(call step,programs of the control plane: built once and cached)
	@$(BIN)/python -m e2e.controlplane build
	$(call step,slow tests: simulated$(comma) packaged and generated)
	@$(BIN)/python -m pytest tests -m slow -n auto
	$(call step,tests on a real control plane)
	@$(BIN)/python -m pytest e2e/tests -n 2 --dist loadfile --no-loadscope-reorder

check: lint ## Run the linters and the fast tests, in about three minutes
	$(call step,fast tests)
	@$(BIN)/python -m pytest tests -m 'not slow' -n auto

lint: $(VENV) ## Run the linters alone
	$(call step,ruff)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	$(call step,mypy)
	@$(BIN)/mypy
	$(call step,import-linter: who may import whom)
	@$(BIN)/lint-imports --no-logo
	$(call step,hadolint)
	@$(BIN)/hadolint Dockerfile
	$(call step,definitions generated from the models)
	@$(BIN)/python -m avance.api.crd --check
	$(call step,failure matrix generated from the scenarios)
	@$(BIN)/python -m avance.simulator.matrix --check
	$(call step,dashboards and lists of metrics and alerts)
	@$(BIN)/python -m monitoring --check

STEPS ?= 1000000
SEED ?= 1
soak: $(VENV) ## Simulate a million steps of random faults; STEPS=n and SEED=n choose how many and which
	@AVANCE_SIM_STEPS=$(STEPS) AVANCE_SIM_SEED=$(SEED) $(BIN)/python -m pytest tests/simulator/test_random_faults.py -m slow -n auto

TROUBLES ?= 2
explore: $(VENV) ## Search every state that fencing can reach by two troubles; TROUBLES=n chooses how many
	@AVANCE_TROUBLES=$(TROUBLES) $(BIN)/python -m pytest tests/proof/test_protocol.py -s -k no_troubles

MUTANTS ?=
WORKERS ?= 1
mutants: $(VENV) ## Change the core in every small way and count what the tests notice; MUTANTS='avance.core.licence*' chooses
	@WORKERS=$(WORKERS) $(BIN)/python -m tests.proof.mutants $(MUTANTS)

PAIRS ?= 100
bench: $(VENV) ## Measure beside a bare watch and POST; PAIRS=1000 takes five minutes
	@$(BIN)/python -m bench.plan
	@$(BIN)/python -m bench.scale --pairs $(PAIRS)

CRASHES ?= 200
soak-lab: $(VENV) ## Crash servers of a real control plane again and again; CRASHES=1000 takes two hours
	@$(BIN)/python -m e2e.controlplane build
	@AVANCE_CRASH_LOOPS=$(CRASHES) $(BIN)/python -m pytest e2e/tests/test_operator_soak.py -s

crds: $(VENV) ## Generate crds/ and the copies of the chart from the models
	@$(BIN)/python -m avance.api.crd

.PHONY: monitoring picture recording
monitoring: $(VENV) ## Generate the dashboards of the chart and the lists in docs/monitoring.md
	@$(BIN)/python -m monitoring

picture: $(VENV) ## Draw docs/pictures/monitoring.svg anew, from a crash on the lab
	@AVANCE_PICTURE=docs/pictures/monitoring.svg $(BIN)/python -m pytest e2e/tests/test_monitoring.py -n 0 -k every_query

recording: $(VENV) ## Record docs/pictures/session.svg anew, a terminal session on the lab
	@AVANCE_RECORDING=docs/pictures/session.svg $(BIN)/python -m pytest e2e/tests/test_recording.py -n 0

matrix: $(VENV) ## Generate docs/failure-matrix.md from the scenarios
	@$(BIN)/python -m avance.simulator.matrix

# Markers for every Python and platform, and neither header nor index: the files say what is installed, never from where.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header
lock: ## Resolve the dependencies again into requirements/ (needs uv; UPGRADE=--upgrade takes newer versions)
	@command -v uv >/dev/null || { echo 'make lock needs uv: pip install uv' >&2; exit 1; }
	@$(LOCK) $(UPGRADE) pyproject.toml -o requirements/operator.txt
	@$(LOCK) $(UPGRADE) pyproject.toml --extra dev -o requirements/dev.txt

clean: ## Remove what was made here; the cached programs in .cache stay
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build operator/*.egg-info
	@find operator e2e tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV): requirements/dev.txt pyproject.toml
	$(call step,virtual environment with the locked dependencies)
	@[ -n '$(PYTHON)' ] || { echo 'avance needs Python 3.11 or newer with its venv module (Debian: python3-venv);' \
		'install one, or name it: make PYTHON=/path/to/python' >&2; exit 1; }
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --no-index -e .
	@touch $@
