# The two commands: `make demo` and `make test`. Each sets everything up first; the environment is made once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2
export OMP_NUM_THREADS ?= 2
export TOKENIZERS_PARALLELISM = false
export HF_HUB_OFFLINE = 1

.PHONY: demo test test-long lint bench bench-ranking bench-extraction neo4j lock clean

demo: $(READY)
	$(BIN)/clew demo

test: $(READY) lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not long" $(ARGS)

test-long: $(READY)
	$(BIN)/python -m pytest -m long $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(READY)
	$(BIN)/python -m benchmarks $(ARGS)

bench-ranking: $(READY)
	$(BIN)/python -m benchmarks ranking $(ARGS)

bench-extraction: $(READY)
	$(BIN)/python -m benchmarks extraction $(ARGS)

neo4j: $(READY)
	$(BIN)/python -m kg.stores.launcher $(ARGS)

# pip alone, so that whatever index and certificates the machine is set up with are used.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("clew needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Setting up $(VENV): about 7 GB, two to four minutes, once."
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(READY)

# Writes requirements.lock anew from pyproject.toml: every version and hash, for all platforms, and no index in it.
lock: $(READY)
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --no-header --no-emit-index-url --no-emit-find-links --quiet --upgrade -o requirements.lock

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache
