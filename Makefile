# Everything runs in .venv; `make run` and `make test` set it up first and again when the lock changes.
.DEFAULT_GOAL := run
.PHONY: setup run test lint format bench demo lock clean shots

VENV   := .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
PYTEST_ARGS ?=

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Callgate needs Python 3.11 or newer; this is " + sys.version.split()[0])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: setup
	$(BIN)/callgate serve $(ARGS)

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python -m bench $(ARGS)

demo: setup
	$(BIN)/callgate demo $(ARGS)

shots: setup
	$(BIN)/python -m tests.shots $(ARGS)

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-annotate --custom-compile-command "make lock"

# Of everything for development; for the container, of what runs and of what builds. One version of each in all.
lock: setup
	$(LOCK) pyproject.toml --group dev -o requirements.lock
	$(LOCK) pyproject.toml --constraint requirements.lock -o deploy/requirements.lock
	$(LOCK) --group build --constraint requirements.lock -o deploy/build.lock

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache
