# Every target makes .venv from requirements.txt first, when it is missing or older.
PROFILE  ?= $(if $(NOTEBOOK),full,default)
CORPUS   ?=
MODEL    ?=
ENGINE   ?=
NOTEBOOK ?=
PYTHON   ?= python3
READY    := .venv/.ready
TOOLS    := .venv/.tools
SECONDS  ?= 600
WORKERS  := -n 2 --no-loadscope-reorder

export PYTHONPATH := notebooks

.PHONY: help run-notebooks report readme bench bench-grid test test-all coverage fuzz mutation audit lab lint clean

help:  ## show the targets
	@echo "To use:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  PROFILE=default|full|scifact|suite|scale|article|smoke   CORPUS=names, BEIR folders or files, with commas"
	@echo "  MODEL=static model   ENGINE=edge|server   NOTEBOOK=one notebook of the profile full"
	@echo "To maintain:"
	@awk -F ':.*#- ' '/^[a-z-]+:.*#- / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run-notebooks: $(READY)  ## run the notebooks of a PROFILE: about 10 minutes the first time, a minute again
	@.venv/bin/python -m workbook run --profile $(PROFILE) $(if $(CORPUS),--corpus "$(CORPUS)") \
	    $(if $(MODEL),--model "$(MODEL)") $(if $(ENGINE),--engine "$(ENGINE)") $(if $(NOTEBOOK),--notebook "$(NOTEBOOK)")

report: $(READY)  ## make one HTML page a notebook of a run, given the same PROFILE, CORPUS, MODEL and ENGINE: seconds
	@.venv/bin/python -m workbook report --profile $(PROFILE) $(if $(CORPUS),--corpus "$(CORPUS)") \
	    $(if $(MODEL),--model "$(MODEL)") $(if $(ENGINE),--engine "$(ENGINE)")

readme: $(READY)  #- write the answer of a run into the README, given the same PROFILE, CORPUS, MODEL and ENGINE
	@.venv/bin/python -m workbook readme --profile $(PROFILE) $(if $(CORPUS),--corpus "$(CORPUS)") \
	    $(if $(MODEL),--model "$(MODEL)") $(if $(ENGINE),--engine "$(ENGINE)")

bench: $(READY)  ## measure encoding, storing and indexing of 171,332 documents, and print the tables
	@.venv/bin/python -m workbook bench $(if $(filter command line,$(origin PROFILE)),--profile $(PROFILE)) \
	    $(if $(CORPUS),--corpus "$(CORPUS)") $(if $(MODEL),--model "$(MODEL)") $(if $(ENGINE),--engine "$(ENGINE)")

bench-grid: $(READY)  #- print how fast the grid of settings is measured
	@.venv/bin/python -m workbook bench-grid $(if $(CORPUS),--corpus "$(CORPUS)") $(if $(MODEL),--model "$(MODEL)")

test: $(READY)  #- run the tests that one needs after an edit: 6 minutes
	.venv/bin/python -m pytest $(WORKERS) --hypothesis-profile=few

test-all: $(READY)  #- run all tests, also kills, leaks, the browser, simulations: 20 minutes
	.venv/bin/python -m pytest $(WORKERS) -m ""

coverage: $(TOOLS)  #- run all tests, and list what of the package they did not run: half an hour
	.venv/bin/coverage erase
	-.venv/bin/coverage run -m pytest -m ""
	.venv/bin/coverage combine --quiet
	.venv/bin/coverage report; code=$$?; .venv/bin/python tests/unreached.py && exit $$code

fuzz: $(TOOLS)  #- give the loaders broken files for SECONDS, and print how many
	@.venv/bin/python tests/fuzz.py $(SECONDS)

mutation: $(TOOLS)  #- break evaluation, statistics, quantization and engine in small ways, and count what tests notice (MUTANTS=pattern): an hour
	@nice .venv/bin/python tests/mutation.py $(if $(MUTANTS),"$(MUTANTS)")

audit: $(TOOLS)  #- list known vulnerabilities of the installed packages; asks a server (OSV_URL)
	@.venv/bin/python tests/audit.py

lab: $(READY)  ## open the notebooks in JupyterLab, explore.ipynb among them
	.venv/bin/jupyter lab notebooks

lint: $(READY)  #- check style, and that notebooks are committed without outputs
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/nbstripout --verify --keep-id notebooks/*.ipynb

clean:  ## remove .venv, caches of data/, reports/
	rm -rf .venv reports mutants .hypothesis .pytest_cache .ruff_cache
	rm -rf data/beir data/models data/vectors data/results data/python-docs data/scale data/own data/server data/running data/locks data/fuzz
	find notebooks tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.txt
	@echo "installing requirements.txt into .venv: a few minutes"
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(TOOLS): tests/tools.txt $(READY)
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -r tests/tools.txt
	@touch $@
