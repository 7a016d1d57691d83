PYTHON ?= python3
VENV ?= .venv
PRESET ?= quick
MINUTES ?= 30
BIN := $(VENV)/bin

.PHONY: help test test-slow test-hours test-peers test-browser lint types figures bench gpu mutants docs notebooks notebooks-check clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@

test: lint types ## lint, types, tests, README examples
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow and not peers and not browser" --durations=15

test-slow: $(VENV)/.installed ## what takes longer
	$(BIN)/pytest -m "slow and not hours" --durations=15

test-hours: $(VENV)/.installed ## what takes hours
	$(BIN)/pytest -m hours --durations=15

test-peers: ## against Axelrod, EGTtools, Gambit and QuantEcon, in an environment of its own
	$(PYTHON) -m venv $(VENV)-peers
	$(VENV)-peers/bin/python -m pip install --quiet --editable '.[test,peers]'
	$(VENV)-peers/bin/pytest tests/peers -m peers

test-browser: $(VENV)/.installed ## the explorer, in the Chromium that is on the path or in IPD_THEORY_CHROMIUM
	$(BIN)/python -m pip install --quiet --editable '.[test,browser]'
	$(BIN)/pytest tests/browser -n 2 --dist worksteal -m browser --durations=15

lint: $(VENV)/.installed ## ruff: rules and layout
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed ## mypy, strict
	$(BIN)/mypy

notebooks: $(VENV)/.installed ## run the notebooks in full and write them
	$(BIN)/python notebooks/execute.py

notebooks-check: $(VENV)/.installed ## run every cell of them quickly: do they print what is stored?
	$(BIN)/python notebooks/execute.py --check

docs: $(VENV)/.installed ## the site, in site/
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

mutants: $(VENV)/.installed ## break one formula at a time: do the tests notice?
	$(BIN)/python -m tests.mutants

figures: $(VENV)/.installed ## the theory figures, PRESET=quick or paper
	$(BIN)/ipd-theory figures --preset $(PRESET)

bench: $(VENV)/.installed ## speed against peers, as a table
	$(BIN)/python -m tests.benchmarks

gpu: $(VENV)/.installed ## everything that is owed to a GPU, resumable; MINUTES=30
	$(BIN)/python -m tests.gpu --minutes $(MINUTES)

clean: ## remove what these commands made
	rm -rf $(VENV) $(VENV)-peers figures site .pytest_cache .mypy_cache .ruff_cache .hypothesis
