# The commands of a contributor. Python packages are installed into .venv; tests/testbed/install.sh names the Debian
# packages that some targets need, and installs them. To use another Python: make PYTHON=python3.12 ...
# SEED=7 runs the tests in another order and on other generated examples, the same for the same number.

PYTHON ?= python3
GATE ?= --cov-fail-under=0
BIN := .venv/bin
STAMP := .venv/installed
PACKAGES := dockerproto dockerproto_asyncio dockerproto_trio dockerproto_httpx dockerproto_local dockerproto_cli \
    dockerproto_testing
DEMO_NEEDS := any-engine registry busybox
ENGINES := docker-20.10 docker-26.1 docker-26.1-containerd docker-28.5 docker-28.5-containerd \
    podman-4.3 podman-5.8 podman-6.1
NEW_ENGINE := docker-28.5-containerd
PYTHONS := 3.11 3.12 3.13 3.14

SUMMARY := .venv/summary
# Several processes run the tests, a file each at a time; WORKERS=0 runs them in one.
WORKERS ?= auto
PYTEST := $(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder

export PYTHON
ifdef SEED
PYTEST += --seed=$(SEED) --hypothesis-seed=$(SEED)
endif
# All processes must find the same tests.
export PYTHONHASHSEED := $(or $(SEED),0)

.PHONY: help demo unit test test-engines test-pythons coverage bench check docs browser dist clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    build, push and pull images with each client, on this machine's engine or a private one"
	@echo "make unit    run the tests that need no engine: no root, no Docker, no Debian packages"
	@echo "make test    run all tests; starts private engines and registries, which needs root"
	@echo "make test-engines"
	@echo "             run the tests that depend on the engine, on each of:"
	@echo $(ENGINES) | fold -s -w 100 | sed 's/^/             /'
	@echo "make test-pythons"
	@echo "             run the tests that depend on the Python, on each of: $(PYTHONS)"
	@echo "make coverage"
	@echo "             run all tests; fail unless those without generated examples reach every line and branch"
	@echo "make bench   compare this library with others, and write docs/benchmarks.md"
	@echo "make check   check formatting, lint and types"
	@echo "make docs    build the documentation into docs/_build/html and run its examples"
	@echo "make browser build the documentation, and look at each page in a browser, wide and narrow"
	@echo "make dist    build the wheel and the sdist, check them, and try the wheel on each supported Python"
	@echo "make clean   remove everything that these commands created, .venv included"

demo: $(STAMP)
	tests/testbed/install.sh $(DEMO_NEEDS)
	$(BIN)/python docs/examples/demo.py

unit: $(STAMP)
	$(PYTEST) -m "not engine"

test: $(STAMP)
	tests/testbed/install.sh
	@rm -f $(SUMMARY)
	$(PYTEST) --summary=$(SUMMARY) --cov $(GATE)
	$(PYTEST) --summary=$(SUMMARY) -m on_engine --engine=$(NEW_ENGINE)
	@echo "ran: $$(paste -s -d';' $(SUMMARY) | sed 's/;/; /g')"

coverage: $(STAMP)
	tests/testbed/install.sh
	$(PYTEST) -m "not random" --cov
	$(PYTEST) -m random

test-engines: $(STAMP)
	tests/testbed/install.sh engine podman trees registry ssh busybox
	@rm -f $(SUMMARY)
	failed=; for engine in $(ENGINES); do \
	    echo "== $$engine"; \
	    $(PYTEST) -m on_engine --engine=$$engine --summary=$(SUMMARY) || failed="$$failed $$engine"; \
	done; \
	cat $(SUMMARY); \
	[ -z "$$failed" ] || { echo "failed on:$$failed"; exit 1; }

test-pythons: $(STAMP)
	tests/testbed/install.sh engine trees ssh busybox
	$(BIN)/python -m tests.testbed.pythons $(PYTHONS)

bench: $(STAMP)
	tests/testbed/install.sh engine compiler
	$(BIN)/python -m pip install --quiet --group bench
	$(BIN)/python -m benchmarks.run docs/benchmarks.md

check: $(STAMP)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/pyright
	set -e; for package in $(PACKAGES); do PATH="$(CURDIR)/$(BIN):$$PATH" pyright --verifytypes $$package --ignoreexternal; done

docs: $(STAMP)
	$(BIN)/sphinx-build -nW --keep-going -b html docs docs/_build/html
	$(BIN)/sphinx-build -nW --keep-going -b doctest docs docs/_build/doctest

browser: $(STAMP)
	tests/testbed/install.sh browser
	$(BIN)/python -m pip install --quiet --group browser
	rm -rf docs/_build/html docs/_build/screenshots
	$(BIN)/sphinx-build -nWq --keep-going -b html docs docs/_build/html
	$(BIN)/python -m pytest -x tests/browser/pages.py

dist: $(STAMP)
	tests/testbed/install.sh engine trees busybox
	$(BIN)/python -m pip install --quiet --group dist
	rm -rf dist
	$(BIN)/python -m build --quiet
	$(BIN)/twine check --strict dist/*
	$(BIN)/python -m tests.testbed.distribution dist $(PYTHONS)

$(STAMP): pyproject.toml
	@tests/testbed/install.sh python
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Python must be 3.11 or newer, not $$($(PYTHON) --version 2>&1) ('$(PYTHON)')."; \
	    echo "Choose another one: make PYTHON=python3.12 ..."; \
	    exit 1; \
	}
	tests/testbed/install.sh venv
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

clean:
	rm -rf .venv .coverage htmlcov build dist docs/_build .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
