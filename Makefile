# hfrisk: `make demo` shows the whole path on a made-up hospital, `make test` runs every check, `make help` lists the rest.
PYTHON  ?= python3
VENV    ?= .venv
# What pip is asked for as PyTorch. On Linux plain `torch` brings CUDA (several GB); README.md tells how to choose.
TORCH   ?= torch
DEMO    ?= demo
PATIENTS ?= 700
PYTEST  ?=

BIN     := $(VENV)/bin
PIP     := $(BIN)/python -m pip --disable-pip-version-check
STAMP   := $(VENV)/.installed
BUILT   := $(VENV)/.built
RUST    := Cargo.toml Cargo.lock $(shell find rust -name '*.rs' -o -name Cargo.toml | grep -v /target/)

.DEFAULT_GOAL := help
.PHONY: help install build demo test lint test-rust test-python bench bench-gpu clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml .ci/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed\n\nhint: make PYTHON=python3.11")'
	@command -v cargo >/dev/null || { printf 'error: no Rust toolchain (cargo) found\n\nhint: install Rust from your distribution or with rustup\n' >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -q -c .ci/constraints.txt pip maturin
	$(PIP) install -q -c .ci/constraints.txt "$(TORCH)"
	$(PIP) install -q -c .ci/constraints.txt --group dev $$($(BIN)/python .ci/requirements.py all)
	@touch $@

$(BUILT): $(STAMP) $(RUST)
	$(PIP) install -q --no-build-isolation --no-deps -e .
	@touch $@

install: $(STAMP)
build: $(BUILT) ## Build the extension in release mode into a virtual environment

demo: $(BUILT) ## Make a synthetic hospital and run convert, labels, cohort, train, evaluate and report on it
	$(BIN)/hfrisk demo --run --patients $(PATIENTS) $(DEMO)

test: lint test-rust test-python ## Run every check: format, lint, types, Rust tests, Python tests

lint: $(BUILT) ## Check format, lint and types
	cargo fmt --all --check
	cargo clippy -q --locked --workspace --all-targets -- -D warnings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest hfrisk._core

test-rust: ## Run the Rust tests
	cargo test -q --locked --workspace

test-python: $(BUILT) ## Run the Python tests
	$(BIN)/python -m pytest $(PYTEST)

bench: $(BUILT) ## Measure the ratios and write benches/RESULTS.md
	$(BIN)/python benches/run.py

bench-gpu: $(BUILT) ## Measure on this machine's GPU whether training waits for data
	$(BIN)/python benches/gpu_feed.py

clean: ## Remove what was built, not the virtual environment
	rm -rf target dist $(BUILT) python/hfrisk/*.so
