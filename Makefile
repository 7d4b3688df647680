# `make` says what there is. Everything that a target needs, it installs: Debian packages with apt, the rest into .venv.
.DEFAULT_GOAL := help
.PHONY: help demo check test shell lint types-of-program types-of-tests bench completions cockpit cockpit-screenshots deb rpm release clean
PYTHON := .venv/bin/python
TESTS ?= tests
# Tests of booted hosts wait more than they compute.
PROCESSES ?= $(shell echo $$(($$(nproc) + 4)))
HOST ?= trixie
BACKEND ?=

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/ready ## a private libvirtd with a real guest: unreachable before, reachable after (as root)
	$(PYTHON) -m demo

check: lint ## what takes less than a minute and no root: lint, and the tests of the logic
	$(PYTHON) -m pytest -q -n $(shell nproc) tests/unit

test: lint ## lint, and all tests: logic, real kernel, real libvirtd with real guests (as root)
	$(PYTHON) -m pytest -n $(PROCESSES) --dist loadgroup --no-loadscope-reorder $(TESTS)

shell: .venv/ready ## a shell on a freshly booted host: make shell HOST=trixie BACKEND=nftables (as root)
	$(PYTHON) -m lab.hosts.shell $(HOST) $(BACKEND)

lint: .venv/ready ## ruff and mypy --strict
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	@$(MAKE) --no-print-directory --jobs=2 types-of-program types-of-tests

types-of-program:
	.venv/bin/mypy
types-of-tests:
	.venv/bin/mypy --python-version 3.11 --cache-dir .mypy_cache/tests lab tests bench demo tools

bench: .venv/ready ## how long the hook takes, beside its predecessor and the floor, and with many events at once (as root)
	/usr/bin/python3 -m bench
	$(PYTHON) -m bench --storms
	$(PYTHON) -m bench --announcing

completions: .venv/ready ## write the shell completions anew
	$(PYTHON) tools/completions.py

cockpit: .venv/ready ## the page for Cockpit, into cockpit/dist/
	$(PYTHON) -m lab.packages.page

cockpit-screenshots: .venv/ready ## the pictures of the page in docs/ (as root)
	NETHOOK_SCREENSHOTS=docs $(PYTHON) -m pytest -q tests/hosts/test_cockpit.py

deb rpm release: .venv/ready
	$(PYTHON) -m lab.packages $@
deb: ## Debian's and Ubuntu's package, into dist/ (as root)
rpm: ## the package for Fedora, RHEL and openSUSE, into dist/ (as root)
release: ## source, wheel, both packages and their sums, reproducible, into dist/ (as root)

clean: ## remove what the targets above made in this directory
	rm -rf cockpit/dist cockpit/node_modules .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist test-logs src/*.egg-info

.venv/ready: pyproject.toml tools/debian-packages.txt tools/setup
	tools/setup
	touch $@
