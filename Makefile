# make run, make test: all set-up included, from a bare clone with Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes

.PHONY: run test lint format bench shots docs lock

run: $(VENV)/run.stamp  ## start everything on this machine
	@exec $(BIN)/python manage.py up

test: $(VENV)/dev.stamp  ## the whole suite, on embedded Postgres and a real Redis
	$(BIN)/pytest -n 2 --dist loadgroup --ignore tests/browser
	$(BIN)/pytest -n 2 --dist loadgroup tests/browser

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint templates --lint --quiet

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: $(VENV)/dev.stamp  ## every benchmark: figure, baseline, ratio, goal
	$(BIN)/python -m bench

shots: $(VENV)/dev.stamp  ## screenshots of every page, three widths, light and dark, into shots/
	$(BIN)/python -m bench.shots

docs: $(VENV)/dev.stamp  ## write what is made from the classes: docs/events.md and docs/asyncapi.json
	@$(BIN)/python manage.py document

lock: $(VENV)/dev.stamp  ## write the lock files from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-annotate pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-annotate pyproject.toml --group dev -o requirements-dev.txt

$(VENV)/run.stamp: requirements.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what Chatcore needs (once, about a minute)..."
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what Chatcore and its tests need (once, about a minute)..."
	@$(PIP) -r requirements-dev.txt
	@touch $@ $(VENV)/run.stamp
