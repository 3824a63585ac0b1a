# Each target makes its own environment in .venv: only Python >= 3.11 and make are needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.ready-dev
MIDI ?=

.PHONY: help demo test test-slow lint bench clean
help:
	@echo "make demo [MIDI=my.mid]   train a tiny model, play a piece, write demo/index.html"
	@echo "make test                 the fast tests        make test-slow   the long ones"
	@echo "make lint                 ruff and pyright      make bench       speed, printed"

INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if (3, 11) <= v[:2] <= (3, 13) else "mt3_synth needs Python 3.11 to 3.13, found %d.%d: make PYTHON=python3.12 ..." % v[:2])'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) .
	@touch $@

# TensorFlow, SeqIO and Beam only here: playing and training need none of them.
$(DEV_READY): $(READY)
	$(INSTALL) '.[browser,data,dev,eval,interop,render,sweep]'
	@touch $@

demo: $(READY)
	$(BIN)/python -m mt3_synth.cli demo --out demo $(if $(MIDI),--midi "$(MIDI)")

test: $(DEV_READY)
	$(BIN)/python -m pytest -m 'not slow' -n 2

test-slow: $(DEV_READY)
	$(BIN)/python -m pytest -m slow

lint: $(DEV_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: $(DEV_READY)
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) demo build *.egg-info
