# `make` lists the targets. Each installs what it uses into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
FUZZER := $(VENV)/.fuzzer
# The inputs that the fuzzer keeps, outside of the repository.
CORPUS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/perdure-fuzz

# What pip does, from its log, in one line of a terminal that overwrites itself.
define PIP_SAYS
/^ *Collecting / { found++; name = $$2 }
/^Installing collected packages/ { installing = 1 }
END {
  if (installing) line = "unpacking " found " packages"
  else if (found) line = "package " found ": " name
  printf "\r\033[K  %s", line
}
endef
export PIP_SAYS

.DEFAULT_GOAL := help
.PHONY: help install demo node promtool test test-fast readme lint types fmt check hooks bench performance attack attack-api fuzz chaos crash-points record-histories screenshots clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  Pass arguments in ARGS: make test ARGS='tests/billing -k tiers'"

install: $(STAMP) ## Install Perdure and its development tools into .venv

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Perdure needs Python 3.11 or newer; set PYTHON=/path/to/python3" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV): some 90 packages, about a minute ..."
	@$(BIN)/python -m pip install --progress-bar off --disable-pip-version-check -c constraints.txt -e '.[dev]' > $(VENV)/pip.log & \
	 pip=$$!; trap 'kill $$pip' INT TERM; \
	 while [ -t 1 ] && kill -0 $$pip 2> /dev/null; do awk "$$PIP_SAYS" $(VENV)/pip.log; sleep 0.5; done; \
	 wait $$pip || { tail -n 20 $(VENV)/pip.log; exit 1; }; [ ! -t 1 ] || printf '\r\033[K'
	@touch $@

demo: $(STAMP) ## Bill a sample month on servers of its own, until Ctrl-C
	@$(BIN)/perdure demo $(ARGS)

test: $(STAMP) ## Run all tests, in JOBS=3 processes
	@$(BIN)/python -m pytest -n $(or $(JOBS),3) --dist loadfile --no-loadscope-reorder $(ARGS)

test-fast: $(STAMP) ## Run the tests that need no servers, in under a minute
	@$(BIN)/python -m pytest -n $(or $(JOBS),2) --dist worksteal -m "not servers" $(ARGS)

readme: $(STAMP) ## Run the README's commands on data of one's own
	@$(BIN)/python -m pytest -q tests/devstack/test_readme.py $(ARGS)

node: ## Install the packages for Node that some tests need, into .node
	@mkdir -p .node && cp tests/node/package.json tests/node/package-lock.json .node/
	@npm ci --silent --no-audit --no-fund --prefix .node

promtool: .promtool/promtool ## Unpack what checks the alerts, from Debian's package, into .promtool

.promtool/promtool:
	@mkdir -p .promtool/package && cd .promtool/package && apt-get download -qq prometheus 2>&1 | grep -v unsandboxed || true
	@dpkg -x .promtool/package/prometheus_*.deb .promtool/package && mv .promtool/package/usr/bin/promtool $@
	@rm -r .promtool/package

lint: $(STAMP) types ## Check style, format, types and the import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: $(STAMP) ## Check types: mypy, strict
	@$(BIN)/mypy .

fmt: $(STAMP) ## Format, and fix what ruff can fix
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

check: ## Everything that CI checks: lint, then all tests
	@PYTHON="$(PYTHON)" .ci/run

hooks: $(STAMP) ## Check before each commit and push, with pre-commit
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt pre-commit
	@$(BIN)/pre-commit install --hook-type pre-commit --hook-type pre-push

bench: $(STAMP) ## Measure claims, invoices, webhook and more (docs/benchmarks.md)
	@$(BIN)/python -m bench $(ARGS)

performance: $(STAMP) ## Make docs/performance.md from bench/measured
	@$(BIN)/python -m bench report bench/measured/*.json > docs/performance.md.new
	@mv docs/performance.md.new docs/performance.md

attack: $(STAMP) ## Send thousands of bad requests to the webhook
	@$(BIN)/python -m campaigns.attack $(ARGS)

attack-api: $(STAMP) ## Send thousands of bad requests to the API
	@$(BIN)/python -m campaigns.attack.api $(ARGS)

fuzz: $(FUZZER) ## Fuzz signatures and events until Ctrl-C, or ARGS=-max_total_time=60
	@mkdir -p $(CORPUS)
	@$(BIN)/python -m campaigns.fuzz.__main__ -artifact_prefix=$(CORPUS)- $(ARGS) $(CORPUS)

$(FUZZER): $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[fuzz]'
	@touch $@

chaos: $(STAMP) ## Bill random months while processes are killed
	@$(BIN)/python -m campaigns.chaos $(ARGS)

# The replay tests run today's workflow code against these. SHAPES="happy voided" records those shapes again:
# after a release, never to hide a change.
record-histories: $(STAMP) ## Record workflow histories for shapes that have none yet
	@RECORD_HISTORIES=tests/replay/histories SHAPES="$(SHAPES)" $(BIN)/python -m pytest -q tests/e2e -m history $(ARGS)

screenshots: $(STAMP) ## Make the documents' pictures of the console and of a statement, in docs/images
	@PERDURE_TEST_BROWSER=1 PERDURE_TEST_SCREENSHOTS=docs/images $(BIN)/python -m pytest -q -n 0 tests/console/browser/test_screenshots.py
	@$(BIN)/python -m tests.statements.picture docs/images/statement.png

crash-points: $(STAMP) ## Kill a process before and after every write
	@$(BIN)/python -m campaigns.crash $(ARGS)

clean: ## Remove .venv and caches
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
