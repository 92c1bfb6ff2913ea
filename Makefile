# Five commands. Each sets up everything that it needs in .venv.
.DEFAULT_GOAL := help
.PHONY: help demo test lint docs bench
SHELL := /bin/bash

# hour and minute of departure are in the data; a flight is asked about when it leaves the gate.
FLIGHTS := examples/flights/flights.csv.gz --name flights --target "arr_delay > 15" \
	--question "Will this flight arrive more than 15 minutes late?" \
	--time "month * 1000000 + day * 10000 + hour * 100 + minute" --after arr_time,air_time

help: ## Say what there is
	@awk -F': ## ' '/^[a-z]+: ##/ {printf "make %-6s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Learn from a year of flights, write the report
	@scripts/setup.sh run
	.venv/bin/understudy run $(FLIGHTS) --workspace demo --budget 40

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
