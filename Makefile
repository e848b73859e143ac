# Two commands do everything, each from a clean clone: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
PIP_INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --editable
# Where pip is set up to use an index in a folder, it warns of every package that this one lacks, whoever has it.
NOT_THERE := 2>&1 | sed "/^WARNING: Location 'file:.* is ignored: it is neither a file nor a directory/d"

.PHONY: demo test test-slow lint types clean

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) . $(NOT_THERE)
	touch $@

$(VENV)/.installed-dev: $(INSTALLED)
	$(PIP_INSTALL) '.[dev]' $(NOT_THERE)
	touch $@

demo: $(INSTALLED)  ## the main job on the built-in phantom patient, into demo/
	$(BIN)/cardiotwin demo demo

test: $(VENV)/.installed-dev
	OMP_WAIT_POLICY=PASSIVE $(BIN)/pytest -q -n 2 -m 'not slow'

test-slow: $(VENV)/.installed-dev
	OMP_WAIT_POLICY=PASSIVE $(BIN)/pytest -q -n 2

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy
	MYPYPATH=benchmarks $(BIN)/mypy benchmarks/*.py

clean:
	rm -rf $(VENV) build dist *.egg-info demo
