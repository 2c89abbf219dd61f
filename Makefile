# `make help` lists the targets. INPUT, OUTPUT and OPTIONS are for colorize-archive:
#   make colorize-archive INPUT=~/scans OUTPUT=~/colour OPTIONS="--jobs 4"

PYTHON  ?= python3
VENV    ?= .venv
INPUT   ?=
OUTPUT  ?= colour-out
OPTIONS ?=
EXTRAS  ?=
BIN     := $(VENV)/bin
comma   := ,

# A mistyped `input=` must not colour the sample into OUTPUT, nor an INPUT that came out empty.
KNOWN   := PYTHON VENV INPUT OUTPUT OPTIONS EXTRAS SHELL
GIVEN   := $(foreach name,$(.VARIABLES),$(if $(findstring command line,$(origin $(name))),$(name)))
UNKNOWN := $(filter-out $(KNOWN) MAKE%,$(GIVEN))
ifneq ($(UNKNOWN),)
$(error There is no variable $(UNKNOWN); there are $(filter-out SHELL,$(KNOWN)), in capitals)
endif
ifeq ($(origin INPUT)$(strip $(value INPUT)),command line)
$(error INPUT is empty: name a folder, or leave INPUT away for the sample archive)
endif

# As they were typed, whatever stands in them; recipes take them from the environment, so no shell reads them again.
override INPUT := $(value INPUT)
override OUTPUT := $(value OUTPUT)
export INPUT OUTPUT

.DEFAULT_GOAL := help
.PHONY: help setup colorize-archive test lint reference docs soak wheel-test bench clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: | $(BIN)/python ## Make the virtual environment, install colorize (and EXTRAS=openvino)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[deflate,film,sample$(if $(EXTRAS),$(comma)$(EXTRAS))]'
	@touch $(VENV)/.installed

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "colorize needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  rm -rf $(VENV); echo "The virtual environment could not be made; on Debian: apt install python3-venv" >&2; exit 1; }

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[deflate,film,sample]'
	@touch $@

$(VENV)/.developer: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.installed

ifeq ($(strip $(INPUT)),)
colorize-archive: $(VENV)/.installed ## Colorize INPUT into OUTPUT (without INPUT: a small sample archive)
	@test -d sample || $(BIN)/python tools/sample_archive.py sample
	$(BIN)/colorize run sample -o "$$OUTPUT" $(OPTIONS)
else
colorize-archive: $(VENV)/.installed
	$(BIN)/colorize run -o "$$OUTPUT" $(OPTIONS) -- "$$INPUT"
endif

test: lint ## Run lint, types and tests
	$(BIN)/pytest

lint: $(VENV)/.developer ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

reference: $(VENV)/.developer ## Draw the reference pages, man pages and completion from the program
	$(BIN)/python -m tools.reference

docs: $(VENV)/.developer ## Build the documentation as a site, into build/site; a link that leads nowhere fails
	$(BIN)/python -m tools.reference
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "The site is in build/site/index.html; to search it too: $(PYTHON) -m http.server -b 127.0.0.1 -d build/site"

$(VENV)/.soak: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[soak]'
	@touch $@ $(VENV)/.developer $(VENV)/.installed

soak: $(VENV)/.soak ## Run the tests that take minutes
	$(BIN)/pytest -m soak
	$(BIN)/python tools/mutation_score.py

wheel-test: $(VENV)/.developer ## Install the wheel into an empty environment of every Python that is here, and use it
	$(BIN)/pytest -m 'soak or not soak' tests/test_wheel.py

bench: $(VENV)/.developer ## Measure speed against the tutorial's way, into bench-out/
	$(BIN)/python -m benchmarks --output bench-out $(OPTIONS)

clean: ## Remove the environment, caches and the sample (never OUTPUT)
	rm -rf $(VENV) sample build dist mutants .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
