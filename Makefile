# Everything a newcomer needs: `make demo`, `make test`. Both install what they use into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
FUZZER := $(VENV)/.fuzzer
# What the fuzzer has found worth keeping, outside of the repository.
CORPUS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/perdure-fuzz

.PHONY: demo test test-fast lint install bench attack fuzz chaos crash-points record-histories clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Perdure needs Python 3.11 or newer; set PYTHON=/path/to/python3" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP)
	@$(BIN)/perdure demo $(ARGS)

test: $(STAMP)
	@$(BIN)/python -m pytest -n $(or $(JOBS),2) --dist loadfile --no-loadscope-reorder $(ARGS)

# What needs no servers, within a minute.
test-fast: $(STAMP)
	@$(BIN)/python -m pytest -n $(or $(JOBS),2) --dist worksteal -m "not servers" $(ARGS)

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy .
	@$(BIN)/lint-imports

bench: $(STAMP)
	@$(BIN)/python -m bench $(ARGS)

# Thousands of bad requests against the webhook: --requests, --seed, --only.
attack: $(STAMP)
	@$(BIN)/python -m campaigns.attack $(ARGS)

# Looks for input that the webhook does not understand in good order, for ever or with ARGS=-max_total_time=60.
fuzz: $(FUZZER)
	@mkdir -p $(CORPUS)
	@$(BIN)/python -m campaigns.fuzz.__main__ -artifact_prefix=$(CORPUS)- $(ARGS) $(CORPUS)

$(FUZZER): $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[fuzz]'
	@touch $@

# Random campaigns: a month is billed while everything is killed. docs/chaos.md
chaos: $(STAMP)
	@$(BIN)/python -m campaigns.chaos $(ARGS)

# Histories that the replay tests hold today's workflow code against. Shapes that are not there yet are recorded;
# SHAPES="happy voided" records those anew: after a release, never to hide a change.
record-histories: $(STAMP)
	@RECORD_HISTORIES=tests/replay/histories SHAPES="$(SHAPES)" $(BIN)/python -m pytest -q tests/e2e -m history $(ARGS)

# Kill a process right before and right after each write, one run for each; docs/crash-points.md.
crash-points: $(STAMP)
	@$(BIN)/python -m campaigns.crash $(ARGS)

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
