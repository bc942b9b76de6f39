# make run: set up all and run the platform.   make test: set up all and run the tests.
# make test-fast: only the tests that start no process and no browser, without those that try many inputs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SWEEPS := api/test_description.py chaos clients hostile journeys parity
export PORT STATE_DIR

.PHONY: run test test-fast check format bench clean

run: $(VENV)/run.stamp
	@$(BIN)/python -m engagement.local

test: $(VENV)/dev.stamp
	@$(BIN)/python -m engagement.local.browser
	$(BIN)/python -m pytest -n 2 $(ARGS)

test-fast: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n 2 -m "not process and not slow and not hypothesis" $(SWEEPS:%=--ignore=tests/%) $(ARGS)

check: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(MAKE) test

format: $(VENV)/dev.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make run PYTHON=python3.12")'
	@echo "Making the virtual environment"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Making it failed. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/run.stamp: requirements.txt | $(VENV)/bin/python
	@echo "Installing (about half a minute, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt requirements.txt | $(VENV)/bin/python
	@echo "Installing with the tools for tests (about a minute, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $(VENV)/run.stamp $@
