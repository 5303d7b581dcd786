# make app    set up on the first call, then start the app on http://127.0.0.1:7860
# make test   set up on the first call, then run the tests
# make help   the rest

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Without an NVIDIA card the small build of torch that has no CUDA is taken (about 200 MB in place of
# 3 GB). TORCH=cpu takes it on any machine, TORCH=default the one of PyPI.
TORCH ?= $(shell nvidia-smi --list-gpus 2>/dev/null | grep -q . && echo default || echo auto)
TORCH_CPU_INDEX := https://download.pytorch.org/whl/cpu
TORCH_PIN := $(shell grep '^torch==' requirements.txt)
ARGS ?=

# SITE=DIR names the folder.
SITE ?= site

.PHONY: app site test test-slow lint bench lock check-lock clean help
.DEFAULT_GOAL := help

app: $(VENV)/.app-is-installed
	$(BIN)/python app.py $(ARGS)

site: $(VENV)/.app-is-installed
	$(PIP) install --quiet -r requirements-onnx.txt -c requirements.lock
	$(BIN)/python -m avatargan site $(SITE) $(ARGS)

test: $(VENV)/.tests-are-installed
	$(BIN)/python -m pytest $(ARGS)

test-slow: $(VENV)/.tests-are-installed
	$(BIN)/python -m pytest -m slow --timeout 3600 $(ARGS)

lint: $(VENV)/.tests-are-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.tests-are-installed
	$(BIN)/python -m benchmarks $(ARGS)

# Pins everything that is installed for the app and the tests. Run it in a fresh .venv.
lock: $(VENV)/.tests-are-installed
	$(BIN)/python tools/lock.py write

check-lock: $(VENV)/.tests-are-installed
	$(PIP) check
	$(BIN)/python tools/lock.py check

$(VENV)/.python-is-ready:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "avatargan needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "this Python cannot make environments; on Debian: apt install python3-venv"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.app-is-installed: requirements.txt requirements.lock pyproject.toml | $(VENV)/.python-is-ready
ifeq ($(TORCH),cpu)
	$(PIP) install --no-deps --index-url $(TORCH_CPU_INDEX) $(TORCH_PIN)
else ifeq ($(TORCH),auto)
	@# PyPI's wheels for macOS have no CUDA anyway, and that index may be out of reach.
	@test "$$(uname)" = Darwin \
	  || $(PIP) install --quiet --retries 1 --timeout 10 --no-deps --index-url $(TORCH_CPU_INDEX) $(TORCH_PIN) \
	  || echo "the small build of torch is out of reach; taking the large one"
endif
	$(PIP) install --quiet --progress-bar on -r requirements.txt -c requirements.lock
	$(PIP) install --quiet --no-deps -e .
	@touch $@

$(VENV)/.tests-are-installed: requirements-dev.txt $(VENV)/.app-is-installed
	$(PIP) install --quiet --progress-bar on -r requirements-dev.txt -c requirements.lock
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache

help:
	@echo "make app         start the app on http://127.0.0.1:7860 (ARGS='--port 8000' and others)"
	@echo "                 without an NVIDIA card with the small build of torch; TORCH=default takes the large one"
	@echo "make site        write a static site that draws in the visitor's browser (SITE=DIR)"
	@echo "make test        run the fast tests (ARGS='-k recipe' and others)"
	@echo "make test-slow   run the slow ones"
	@echo "make lint        ruff and mypy"
	@echo "make bench       measure speed and memory"
	@echo "make lock        pin what is installed; make check-lock compares"
	@echo "make clean       remove the environment and caches"
