# Everything from a clone: `make serve` and `make test` install what they need into .venv.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: help serve demo backup restore test chaos hostile bench screenshots lint format

help: ## say what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/make \1\t\2/' | expand -t 14

serve: .venv/installed ## set everything up and serve; HOST=… PORT=… may follow
	@$(BIN)/python manage.py serve

demo: .venv/installed ## send a recorded session to the running server, show its trades
	@$(BIN)/python manage.py demo

backup: .venv/installed ## both databases into one file in backups/; TO=… may follow
	@$(BIN)/python manage.py backup $(if $(TO),--to "$(TO)")

restore: .venv/installed ## both databases from a backup: FILE=…; YES=1 overwrites what there is
	@$(if $(FILE),,echo "Name the backup: make restore FILE=backups/…"; exit 2;) \
		$(BIN)/python manage.py restore "$(FILE)" $(if $(YES),--yes)

test: .venv/installed-for-development ## run all tests, three at a time, each third on a PostgreSQL of its own
	$(BIN)/python -m pytest -n 3 --dist worksteal

chaos: .venv/installed-for-development ## kill everything under load, then check every alert; SEED=… ALERTS=… FAULTS=… SECONDS=… HOSTS=2 LOG=shared may follow
	@$(BIN)/python -m tests.chaos.run $(if $(SEED),--seed $(SEED)) $(if $(ALERTS),--alerts $(ALERTS)) \
		$(if $(FAULTS),--faults $(FAULTS)) $(if $(SECONDS),--seconds $(SECONDS)) \
		$(if $(HOSTS),--hosts $(HOSTS)) $(if $(LOG),--log $(LOG))

hostile: .venv/installed-for-development ## send a running server 11,000 requests nobody should; REQUESTS=… may follow
	@HOSTILE_REQUESTS=$(or $(REQUESTS),11000) $(BIN)/python -m pytest -q -s tests/webhooks/test_hostile_bodies.py

bench: .venv/installed-for-development ## measure it beside its floor and plain views; WHAT=burst, growth or scaling, ONLY=… CLIENTS=… SECONDS=… RUNS=… BOOKS=… may follow
	@$(BIN)/python -m benchmarks.$(or $(WHAT),run) $(if $(ONLY),--only $(ONLY)) \
		$(if $(CLIENTS),--clients $(CLIENTS)) $(if $(SECONDS),--seconds $(SECONDS)) \
		$(if $(RUNS),--runs $(RUNS)) $(if $(BOOKS),--books $(BOOKS))

screenshots: .venv/installed-for-development ## make the pictures of the docs anew, of the recorded session; wants a Chromium
	@$(BIN)/python -m tests.browser.screenshots

lint: .venv/installed-for-development ## what CI holds the code to: ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .

format: .venv/installed-for-development ## bring the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# A .venv that was half-made or moved, or whose Python is gone, is made anew.
ifneq ($(shell $(BIN)/python -m pip --version > /dev/null 2>&1 && echo works),works)
$(shell rm -f .venv/installed .venv/installed-for-development)
endif

# The stamps come last, so an installation that was cut off is done again.
.venv/installed: requirements.txt
	@$(environment)
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

.venv/installed-for-development: requirements-dev.txt requirements.txt
	@$(environment)
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	@touch $@ .venv/installed

define environment
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "tradelog needs Python 3.11 or later; name one: make PYTHON=python3.12"; exit 1; }; \
$(BIN)/python -m pip --version > /dev/null 2>&1 || \
	{ echo "Installing into .venv (once, a minute or so)"; $(PYTHON) -m venv --clear .venv; }
endef
