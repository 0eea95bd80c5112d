# Everything a contributor types. Each target sets up .venv by itself on first use; a second call starts at once.

PYTHON ?= python3
JOBS   ?= 2
BIN    := .venv/bin
PIP    := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check --no-input
READY  := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: run test check bench bench-peers crash damage sim mutants serve docs clean lock lock-peers help

run: $(READY)  ## Load the example company and work on a goal (data in .dirigent)
	@$(BIN)/dirigent import examples/wholesaler --org org_123
	@$(BIN)/dirigent goal run examples/goals/revive_pipeline.json

test: $(READY)  ## Run every test (JOBS=2 processes)
	@$(BIN)/python -m pytest -q -n $(JOBS)

check: $(READY)  ## Format, lint, types, import contracts, size ratchet
	@echo "format ..."; $(BIN)/ruff format --check --quiet .
	@echo "lint ..."; $(BIN)/ruff check --quiet .
	@echo "types ..."; $(BIN)/mypy --no-error-summary
	@echo "import contracts ..."; $(BIN)/lint-imports --no-logo
	@echo "ratchet ..."; $(BIN)/python -m pytest -q tests/house

bench: $(READY)  ## Measure, and print the figures (FULL=1: also what takes long; ONLY="steps alone")
	@$(BIN)/python -m benchmarks $(if $(FULL),--full) $(if $(ONLY),--only $(ONLY))

bench-peers: $(READY) .venv-peers/langgraph/.ready .venv-peers/dbos/.ready  ## The same work here, on LangGraph and on DBOS (FULL=1, ONLY=steps)
	@$(BIN)/python -m benchmarks.peers $(if $(FULL),--full) $(if $(ONLY),--only $(ONLY))

crash: $(READY)  ## Kill the engine at random and at every named point, and judge what is left (SEED=7 repeats a run)
	@$(BIN)/python -m campaigns crash $(if $(SEED),--seed $(SEED))

damage: $(READY)  ## Cut the power 20,000 times, damage every file, fail every write (SEED=7 repeats a run)
	@$(BIN)/python -m campaigns disk $(if $(SEED),--seed $(SEED))

sim: $(READY)  ## Simulate 5,000 runs under faults and check every invariant (SEED=123 repeats one, SEEDS=500)
	@$(BIN)/dirigent simulate $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),5000) --jobs $(JOBS))

mutants: $(READY)  ## Plant eighty faults in copies of the engine, and see which of them simulation and tests find (ONLY=timer)
	@$(BIN)/python -m campaigns mutants --jobs $(JOBS) $(if $(ONLY),--only "$(ONLY)")

serve: $(READY)  ## Start the HTTP server on 127.0.0.1:8080
	@$(BIN)/dirigent serve

docs: $(READY)  ## Check every code block and link in the documents
	@$(BIN)/python -m pytest -q tests/docs

UV := .venv-lock/bin/uv
RESOLVE = $(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-emit-index-url --no-annotate

$(UV):
	@echo "setting up .venv-lock ..."
	@$(PYTHON) -m venv .venv-lock
	@.venv-lock/bin/python -m pip --quiet --quiet --disable-pip-version-check install "uv==0.13.8"

lock: $(UV)  ## Work out requirements.lock anew from pyproject.toml
	@echo "resolving ..."
	@$(RESOLVE) --all-extras --custom-compile-command "make lock" --output-file requirements.lock pyproject.toml
	@echo "requirements.lock: $$(grep -c == requirements.lock) packages"

lock-peers: $(UV)  ## Work out the peers' requirements anew from benchmarks/peers/*.in
	@for peer in langgraph dbos; do echo "resolving $$peer ..."; \
		$(RESOLVE) --custom-compile-command "make lock-peers" \
			--output-file benchmarks/peers/$$peer.txt benchmarks/peers/$$peer.in || exit 1; done

clean:  ## Remove the environments, caches and builds (never .dirigent: that is data)
	rm -rf .venv .venv-lock .venv-peers dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' '{printf "  make %-12s %s\n", $$1, $$2}'

# A changed lock builds the environment anew, so that nothing it dropped lingers; a changed pyproject.toml
# only refreshes the entry points.
.venv/.locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Dirigent needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "setting up .venv ..."
	@$(PYTHON) -m venv --clear .venv
	@echo "installing the locked packages (once; a minute or so) ..."
	@$(PIP) install --require-hashes -r requirements.lock
	@touch $@

$(READY): .venv/.locked pyproject.toml
	@echo "installing dirigent ..."
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

.venv-peers/%/.ready: benchmarks/peers/%.txt
	@echo "setting up .venv-peers/$* ..."
	@$(PYTHON) -m venv --clear .venv-peers/$*
	@.venv-peers/$*/bin/python -m pip --quiet --quiet --disable-pip-version-check --no-input \
		install --require-hashes -r $<
	@touch $@
