# Five commands. Each sets up everything that it needs in .venv.
.DEFAULT_GOAL := help
.PHONY: help demo test lint docs bench
SHELL := /bin/bash

help: ## Say what there is
	@awk -F': ## ' '/^[a-z]+: ##/ {printf "make %-6s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Learn from a year of flights, and rehearse it
	@scripts/setup.sh run
	.venv/bin/understudy demo --workspace demo

test: ## Run the tests, the examples in the documentation among them
	@scripts/setup.sh dev
	.venv/bin/python -m pytest -n 2 --dist loadfile $(PYTEST)

lint: ## Check style, types and the direction of imports
	@scripts/setup.sh dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

docs: ## Build the documentation into site/
	@scripts/setup.sh dev
	.venv/bin/mkdocs build --strict

bench: ## Measure on the tables in DATA (make bench DATA=folder)
	@scripts/setup.sh dev
	.venv/bin/python -m bench.tables $(DATA)
	.venv/bin/python -m bench.serving $(DATA)
	.venv/bin/python -m bench.kills --times 50
	.venv/bin/python -m bench.evidence --page docs/evidence.md --jobs 2
	.venv/bin/python -m bench.backtests $(DATA) --seeds 20 --jobs 2 --page docs/backtests.md
	.venv/bin/python -m bench.slices
	.venv/bin/python -m bench.report
	.venv/bin/python -m bench.automl setup
	.venv/bin/python -m bench.automl run $(DATA) --seconds 60 --seeds 1
	.venv/bin/python -m bench.automl table --page docs/modelling.md
