# make test      lint, types, tests, README examples      make figures   the theory figures, quick preset
# make test-slow what takes longer                        make bench     speed against peers, as a table
# make test-hours what takes hours
PYTHON ?= python3
VENV ?= .venv
PRESET ?= quick
BIN := $(VENV)/bin

.PHONY: test test-slow test-hours lint types figures bench notebooks clean

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/mypy

test: lint types
	$(BIN)/pytest -n 2 -m "not slow" --durations=15

test-slow: $(VENV)/.installed
	$(BIN)/pytest -m "slow and not hours" --durations=15

test-hours: $(VENV)/.installed
	$(BIN)/pytest -m hours --durations=15

figures: $(VENV)/.installed
	$(BIN)/ipd-theory figures --preset $(PRESET)

bench: $(VENV)/.installed
	$(BIN)/python -m tests.benchmarks

notebooks: $(VENV)/.installed
	$(BIN)/python notebooks/execute.py

clean:
	rm -rf $(VENV) figures .pytest_cache .mypy_cache .ruff_cache .hypothesis
