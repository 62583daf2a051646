# `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# What DVC and the stages run is the environment's own, never another one that happens to be on PATH.
export PATH := $(abspath $(BIN)):$(PATH)
export DVC_NO_ANALYTICS := 1

.PHONY: help setup repro verify drill release test check bench lint types docs schemas allowlist fuzz kills lock clean

help: ## List every target
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

setup: $(STAMP) ## Make the environment (skipped when nothing changed)

$(STAMP): requirements.lock requirements-setup.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-setup.lock
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q src stages
	@touch $@

repro: setup ## Run the whole pipeline: prepare, train, reload, compare, judge, gate
	dvc repro

verify: setup ## Verify the bytes that lie in models/ now, whatever DVC thinks of them
	reloadgate verify

drill: setup ## Damage copies of every version, and fail where a damage would pass
	reloadgate drill --min-score 1 --thorough

release: setup ## Tag the version of NAME=<model> with GTO, if it passed and is committed
	reloadgate release $(NAME)

test: setup ## Run every test
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

check: setup lint types ## Lint, types, layers and the tests without TensorFlow, in under a minute
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal -m "not keras and not pipeline"

bench: setup ## Measure the rows of docs/performance.md (minutes; nothing else should run)
	@for row in marginal fleet growth memory save inspecting pipeline drill cluster; do $(BIN)/python -m bench.$$row 2>/dev/null || echo "| $$row | broke | | |"; done

lint: setup ## Style, format and the layers of the package
	ruff check .
	ruff format --check .
	lint-imports

types: setup ## mypy, strict
	mypy

allowlist: setup ## Write again what inspection allows, from the installed Keras and TensorFlow
	$(BIN)/python tools/allow_lists.py

fuzz: setup ## Feed inspection damaged artifacts for ten minutes or so
	RELOADGATE_FUZZ=20000 $(BIN)/python -m pytest -q tests/inspection/test_fuzz.py

kills: setup ## Kill save, reload and judge at 200 random moments and look at what is left (a quarter of an hour)
	$(BIN)/python tools/kills.py 200

lock: setup ## Lock again: versions and hashes, no addresses
	printf 'uv\n' | uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11 - -o requirements-setup.lock
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra dev pyproject.toml -o requirements.lock

docs: setup ## Build the documentation in site/, without the network
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict

schemas: setup ## Write the JSON Schemas of what a run leaves
	$(BIN)/python -m reloadgate.schemas docs/schemas

clean: ## Remove the environment and everything that the tools cached
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
