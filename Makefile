# Every verb sets up what it needs: a machine with make and Python 3.10 or newer is enough.

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
UV := $(shell command -v uv)
# The certificates of the system, as pip has them: a proxy with its own is trusted.
export UV_SYSTEM_CERTS ?= true

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-another fuzz faults soak check bench docs site release lock audit findings clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|' 2>/dev/null \
		|| sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/make \1  \2/p' $(MAKEFILE_LIST)

demo: $(VENV)/.demo  ## start a server and run a reply and a request for real
	@$(BIN)/python -m scripts.demo

# Empty: what is compiled is kept, for the other workers and the next time.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(READY)  ## the whole suite, against real servers; ARGS='-k name' runs a part
	$(BIN)/python -m pytest -n auto --maxschedchunk 20 --durations=10 $(ARGS)

fuzz: $(READY)  ## the fuzz tests, with 200,000 examples each, other ones each time
	$(BIN)/python -m pytest -n auto tests/fuzz --hypothesis-profile=fuzz --timeout=0 -o faulthandler_timeout=0 $(ARGS)

faults: $(READY)  ## servers, lines, disks and surroundings that fail, with their figures as a table
	PYNATS_FAULTS_PAUSE=15 $(BIN)/python -m pytest tests/faults $(ARGS)

soak: $(READY)  ## ten minutes of requests while what answers them is killed; ARGS='--seconds 60'
	@$(BIN)/python -m scripts.soak $(ARGS)

test-another: $(READY)  ## what differs most between Pythons, on the newest one here that `make test` does not use
	@$(BIN)/python -m scripts.test_all --another $(ARGS)

test-all:  ## the suite on every Python from 3.10 to 3.14 that is here, the lowest dependencies, the newest nats-py
	@test -n "$(PYTHON)" || { echo "make: needs Python 3.10 or newer" >&2; exit 1; }
	@$(PYTHON) -m scripts.test_all $(ARGS)

check: $(READY)  ## formatting, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file mypy-windows.ini
	$(BIN)/lint-imports

bench: $(READY)  ## speed, as ratios against floors measured side by side
	@$(BIN)/python -m benchmarks $(ARGS)

docs: $(READY)  ## write docs/commands.md, the man pages and the table of findings
	@$(BIN)/python -m scripts.commands_md
	@$(BIN)/python -m scripts.findings

site: $(READY)  ## the documentation as a web site in site/, every link followed
	@$(BIN)/python -m scripts.site

release: $(READY)  ## the files of a release in dist/: built twice and compared, checked, with an SBOM; nothing is published
	@$(BIN)/python -m scripts.release

lock:  ## write requirements-dev.txt: what the tests need, for every Python and system, with hashes (needs uv)
	$(UV) pip compile pyproject.toml --extra dev --universal --python-version 3.10 --generate-hashes --upgrade \
		--no-emit-index-url --no-header --no-annotate --quiet --output-file requirements-dev.txt

audit: $(READY)  ## known vulnerabilities of what requirements-dev.txt names; needs the network
	@$(BIN)/python -m venv --clear .venvs/audit && .venvs/audit/bin/python -m pip install --quiet pip-audit
	.venvs/audit/bin/pip-audit --require-hashes --disable-pip -r requirements-dev.txt

findings:  ## run every script in findings/, one after the other: does outside software still do what they say?
	@findings/run

clean:  ## remove all that make made
	rm -rf $(VENV) .venvs .bench dist build site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What the demo needs is a small part of what the tests need, and much sooner there. What the tests need is locked, with
# hashes: `make lock` writes requirements-dev.txt anew.
$(VENV)/.demo: NEEDED := -e '.[server]'
$(READY): LOCKED := --require-hashes -r requirements-dev.txt
$(READY): NEEDED := --no-deps -e .
$(READY): requirements-dev.txt
$(VENV)/.demo $(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: needs Python 3.10 or newer (PYTHON=... names one)" >&2; exit 1; }
	@echo "Setting up $(VENV) ..."
ifdef UV
	@$(BIN)/python -c '' 2>/dev/null || $(UV) venv --quiet --clear --python $(PYTHON) $(VENV)
	@test -z "$(LOCKED)" || $(UV) pip install --quiet --python $(BIN)/python $(LOCKED)
	@$(UV) pip install --quiet --python $(BIN)/python $(NEEDED)
else
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || { \
		echo "make: $(PYTHON) cannot make a virtual environment; on Debian: apt install python3-venv" >&2; exit 1; }
	@test -z "$(LOCKED)" || $(BIN)/python -m pip install --quiet --disable-pip-version-check $(LOCKED)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(NEEDED)
endif
	@touch $(VENV)/.demo $@
