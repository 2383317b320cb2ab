# Every target does the set-up it needs. PYTHON picks the interpreter for the virtual environment (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNS ?= runs

.PHONY: help venv demo test coverage check format clean

help:
	@echo "make demo      run the whole loop on this machine and write $(RUNS)/demo/report/index.html"
	@echo "make test      run the tests"
	@echo "make coverage  how much of the pure parts (rules, data, store) their tests run; fails below 90 %"
	@echo "make check     format, lint and types"
	@echo "make venv      build $(VENV)"

venv: $(VENV)/installed

# torch goes first: alone, the pinned version decides which build is fetched, and nothing later replaces it.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

demo: venv
	$(BIN)/dt2it run --config jobs/configs/tiny.yaml root=$(RUNS) name=demo

test: venv
	$(BIN)/python -m pytest

coverage: venv
	$(BIN)/python -m pytest tests/rules tests/data tests/store \
		--cov=dt2it_ray.rules --cov=dt2it_ray.data --cov=dt2it_ray.store --cov-fail-under=90

check: venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

format: venv
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache
