# Two commands do everything, each from a clean clone: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test test-slow lint types clean

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.installed-dev: $(INSTALLED)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

demo: $(INSTALLED)  ## the main job on the built-in phantom patient, into demo/
	$(BIN)/cardiotwin demo demo

test: $(VENV)/.installed-dev
	OMP_WAIT_POLICY=PASSIVE $(BIN)/pytest -q -m 'not slow'

test-slow: $(VENV)/.installed-dev
	OMP_WAIT_POLICY=PASSIVE $(BIN)/pytest -q

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist *.egg-info demo
