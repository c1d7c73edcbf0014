# Pasokh. `make demo` and `make test` set up all they need; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python
ONLY ?=
N ?=
SECONDS_EACH ?= 20

.PHONY: help demo test check long bench lint docs setup

help: ## this list
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup: ## install what the tests need (done by test and check themselves)
	@requirements/setup test

demo: ## a whole box on this machine, three scripted calls, the page until Ctrl-C (ONCE=1 ends by itself, UPSTREAM=s3)
	@requirements/setup demo
	@$(PY) -m appliance demo --players tests/support/players $(if $(ONCE),--once) $(if $(UPSTREAM),--upstream $(UPSTREAM))

test: setup ## every test (ONLY="tests/flow tests/records" for a part)
	@$(PY) -m pytest -q -n auto --dist worksteal $(ONLY)

check: setup lint ## what CI runs: lint, types, import contract, tests (pure ones on Python 3.13 too)
	@$(MAKE) --no-print-directory test
	@if [ -x .venv-3.13/bin/python ]; then echo "Python 3.13: pure tests"; \
	  .venv-3.13/bin/python -m pytest -q -n auto --dist worksteal --ignore=tests/system --ignore=tests/docs; fi

lint: ## ruff, mypy, import contract
	@test -x $(PY) || requirements/setup test
	@$(PY) -m ruff check . && $(PY) -m ruff format --check -q . && $(PY) -m mypy && .venv/bin/lint-imports --no-cache

long: setup ## the full numbers, written to bench/results (ONLY=name for one)
	@$(PY) -m bench.long $(ONLY)

bench: ## N simultaneous recorded menu calls beside the reference (N="50 200 600" SECONDS_EACH=20)
	@requirements/setup test
	@$(PY) -m bench.run --calls "$(N)" --seconds $(SECONDS_EACH)

docs: ## write the generated lists of docs/ anew
	@$(PY) -m tests.docs.lists
