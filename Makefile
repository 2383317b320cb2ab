# Every target does the set-up it needs. PYTHON picks the interpreter for the virtual environment (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNS ?= runs
VLLM_VENV := .venv-vllm
VLLM_PYTHON := $(VLLM_VENV)/bin/python

.PHONY: help venv venv-vllm demo test test-cluster test-vllm coverage check format clean

help:
	@echo "make demo      run the whole loop on this machine and write $(RUNS)/demo/report/index.html"
	@echo "make test      run the tests"
	@echo "make test-cluster  run the tests that add and lose machines of a live Ray cluster, about 3 minutes"
	@echo "make test-vllm run the tests of the vLLM engine, with vLLM's CPU build in $(VLLM_VENV)"
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

venv-vllm: $(VLLM_VENV)/installed

# See constraints-vllm.txt and cpu_torchvision.py for why it goes this way.
$(VLLM_VENV)/installed: pyproject.toml constraints-vllm.txt tests/models/vllm/cpu_torchvision.py
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_PYTHON) -m pip install --quiet --disable-pip-version-check -c constraints-vllm.txt torch
	$(VLLM_PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps -r constraints-vllm.txt
	$(VLLM_PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps -e .
	packages=$$($(VLLM_PYTHON) -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])') \
		&& cp tests/models/vllm/cpu_torchvision.py "$$packages" \
		&& echo 'import cpu_torchvision' > "$$packages/cpu_torchvision.pth"
	touch $@

demo: venv
	$(BIN)/dt2it run --config jobs/configs/tiny.yaml root=$(RUNS) name=demo

test: venv
	$(BIN)/python -m pytest

test-cluster: venv
	$(BIN)/python -m pytest -m cluster tests/engine

test-vllm: venv-vllm
	$(VLLM_PYTHON) -m pytest tests/models/vllm

coverage: venv
	$(BIN)/python -m pytest tests/rules tests/data tests/store \
		--cov=dt2it_ray.rules --cov=dt2it_ray.data --cov=dt2it_ray.store --cov-report=term:skip-covered --cov-fail-under=90

check: venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

format: venv
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache
