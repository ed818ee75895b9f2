# Every target sets up what it needs, in ./.venv, from nothing but Python 3.11 and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test test-studio lint types layers check check-long bundle clean

demo: $(VENV)/.demo
	$(BIN)/partimento demo

test: $(VENV)/.dev
	$(BIN)/pytest -n 2

test-studio: $(VENV)/.dev $(VENV)/.browser  # in a real browser; screenshots lie in studio-shots/
	$(BIN)/pytest -m browser

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

layers: $(VENV)/.dev
	$(BIN)/lint-imports

check: test lint types layers

check-long: $(VENV)/.dev
	$(BIN)/pytest -m "long or not long"

bundle: $(VENV)/.demo  # see shipping/README.md
	$(BIN)/partimento train $(MUSIC) --to runs/shipped --recipe shipping/recipe.toml --resume \
	  --data-licence "public domain, CC0, CC BY 2.5 to 4.0, MIT and BSD; sources and credits in shipping/README.md"
	rm -rf runs/shipped-small
	$(BIN)/partimento shrink runs/shipped --to runs/shipped-small
	$(BIN)/python shipping/put.py runs/shipped-small

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/pip install --disable-pip-version-check -c constraints.txt -e '.[demo]'
	touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/pip install --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

$(VENV)/.browser: $(VENV)/.dev
	command -v chromium || { apt-get update && apt-get install -y --no-install-recommends chromium; } || \
	  { sudo apt-get update && sudo apt-get install -y --no-install-recommends chromium; }
	touch $@

clean:
	rm -rf $(VENV) partimento-demo
