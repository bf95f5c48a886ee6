# Two commands do everything: `make demo` and `make test`. Both make .venv when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# More than there are cores: half of a test's time is spent waiting for a server, a process or a timeout.
WORKERS ?= 4
COVERED ?= 85
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

.PHONY: help demo test test-fast test-all constraints hooks check lint format types imports bench fuzz fuzz-inputs fuzz-restore \
  soak week test-n8n docs release-check install clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

demo: $(VENV)/.runs ## A simulated launch in 15 seconds, and its report
	$(BIN)/socap demo

test: $(VENV)/.dev ## The suite, on a real mongod, over real HTTP and SMTP
	$(PYTEST) -m "not exhaustive and not alone"
	$(BIN)/python -m pytest -m alone

test-fast: $(VENV)/.dev ## Rules, words and pages, without any server, in under 30 seconds
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not server and not slow and not exhaustive" --hypothesis-profile fast

WITNESSES := .witnesses
test-all: $(VENV)/.dev $(WITNESSES)/.installed ## Everything, with coverage: the simulated week, every kill, wheels, the site, odd folder names (half an hour)
	TEST_WITNESSES=$(CURDIR)/$(WITNESSES)/bin/python SOCAP_SOAK=16 $(PYTEST) -m "not alone" --durations=30 --cov --cov-report=term --cov-fail-under=$(COVERED)
	$(BIN)/python -m pytest -m alone

$(WITNESSES)/.installed:
	$(PYTHON) -m venv $(WITNESSES)
	$(WITNESSES)/bin/python -m pip install --quiet --disable-pip-version-check tweepy==4.* twarc==2.* xdk==0.*
	@touch $@

check: SHELL := /bin/bash
check: lint types imports ## What CI runs; how long each test took is in durations.txt
	set -o pipefail; $(PYTEST) -m "not exhaustive and not alone" --durations=0 --durations-min=0.5 | tee durations.txt
	set -o pipefail; $(BIN)/python -m pytest -m alone --durations=0 --durations-min=0.5 | tee -a durations.txt

lint: $(VENV)/.dev ## Style and mistakes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.dev ## Mend style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev ## Strict types
	$(BIN)/mypy

imports: $(VENV)/.dev ## Imports go down only
	$(BIN)/lint-imports

bench: $(VENV)/.dev ## Performance, as ratios in one run; ONLY="queue cycles" runs some
	PYTHONPATH=tests $(BIN)/python -m bench $(ONLY)

fuzz: $(VENV)/.dev ## Thousands of crash histories against the simulator's truth, and of alerts against what is owed
	SOCAP_FUZZ=3000 $(BIN)/python -m pytest -n $(WORKERS) tests/test_crash_histories.py tests/test_alert_histories.py --timeout 7200

fuzz-inputs: $(VENV)/.dev ## A hundred thousand argument lines; tens of thousands of configurations, answers, webhooks, mail servers
	SOCAP_FUZZ=1000 $(BIN)/python -m pytest -n $(WORKERS) tests/test_provider_mutations.py tests/test_cleaning.py \
	  tests/test_hostile_texts.py tests/test_argument_lines.py tests/test_configurations.py tests/test_channels.py --timeout 7200

fuzz-restore: $(VENV)/.dev ## A thousand broken backups, and two hundred restores that are killed
	SOCAP_FUZZ_RESTORE=1000 $(BIN)/python -m pytest -n $(WORKERS) tests/test_backups.py --timeout 7200

soak: $(VENV)/.dev ## Hundreds of kill -9 on workers and mongod
	SOCAP_SOAK=200 $(BIN)/python -m pytest tests/test_kills.py --timeout 7200

week: $(VENV)/.dev ## Seven days by the lines of crontab.example, with everything that goes wrong in them (an hour)
	SOCAP_WEEK_HOURS=168 SOCAP_WEEK_TWEETS=100 $(BIN)/python -m pytest -n0 tests/test_simulated_week.py

N8N := .n8n
test-n8n: $(VENV)/.dev $(N8N)/.installed ## The workflows in a real n8n (npm installs it: 1,900 packages, minutes), two of them over a real sshd
	TEST_N8N=$(CURDIR)/$(N8N)/node_modules/.bin/n8n $(BIN)/python -m pytest -n0 -rs tests/test_n8n.py

$(N8N)/.installed:
	mkdir -p $(N8N)
	printf '{"private": true, "dependencies": {"n8n": "1.123.5"}, "overrides": {"xlsx": "0.18.5"}}' > $(N8N)/package.json
	cd $(N8N) && npm install --ignore-scripts --no-audit --no-fund && npm rebuild sqlite3
	@touch $@

docs: $(VENV)/.dev ## The site, in site/; a warning fails it
	$(BIN)/python tools/reference.py
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

release-check: $(VENV)/.dev ## Wheel and sdist as they would be released: whole, with metadata that render, a list of parts and licences (SBOM), the demo from the wheel
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[release]'
	rm -rf dist && $(BIN)/python -m build --quiet && $(BIN)/twine check --strict dist/*
	rm -rf dist/venv && $(PYTHON) -m venv dist/venv && dist/venv/bin/pip install --quiet "$$(ls dist/*.whl)[embedded]"
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o dist/socap.cdx.json dist/venv/bin/python
	cd dist && venv/bin/socap demo --tweets 15 --cycles 4 --out demo

install: $(VENV)/.runs ## Make .venv and install socap with its embedded database

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "socap needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.runs: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[embedded]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[embedded,dev]'
	@touch $@ $(VENV)/.runs

constraints: $(VENV)/.dev ## Write down the versions that are installed, for everybody's next install
	{ echo "# What 'make constraints' found installed; pip installs these versions and no others."; \
	  $(BIN)/python -m pip freeze --exclude-editable | grep -v ' @ '; } > constraints.txt

hooks: $(VENV)/.dev ## Check style, types and imports before each commit
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt pre-commit
	$(BIN)/pre-commit install

clean: ## Remove what was made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache socap-demo socap-report site dist .n8n .witnesses
