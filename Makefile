# make run     the explorer            make check      style, types, import rules
# make test    the tests               make bench      the measurements
# make soak    half an hour of three runs, kills and a driven explorer
# make messages   collect the strings of the source into the translations and compile them
# The first target that needs it creates .venv; VENV=… names another one.

VENV ?= .venv
PYTHON ?= python3
TEST_ARGS ?=
INSTALL_ARGS ?=
BENCH_ARGS ?=
SOAK_ARGS ?=
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
PO := nlptui/locale/zh/LC_MESSAGES/nlptui.po

.PHONY: run test check bench soak messages wheel clean

run: $(VENV)/.installed
	@$(BIN)/nlptui $(ARGS)

test: $(VENV)/.installed-dev $(PO:.po=.mo)
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest $(TEST_ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache

bench: $(VENV)/.installed-dev
	$(BIN)/nlptui bench $(BENCH_ARGS)

soak: $(VENV)/.installed-dev
	$(BIN)/python -m tests.soak $(SOAK_ARGS)

messages: $(VENV)/.installed-dev
	$(BIN)/pybabel --quiet extract --mapping pyproject.toml --keyword N_ --no-wrap --sort-output --add-location=file \
	    --project nlptui --copyright-holder "The nlptui authors" --output $(VENV)/nlptui.pot nlptui
	$(BIN)/pybabel --quiet update --no-fuzzy-matching --no-wrap --ignore-obsolete --ignore-pot-creation-date \
	    --input-file $(VENV)/nlptui.pot --output-file $(PO) --locale zh
	$(BIN)/python hatch_build.py

%.mo: %.po $(VENV)/.installed-dev
	$(BIN)/python hatch_build.py

wheel: $(VENV)/.installed-dev
	$(BIN)/python -m build --wheel

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt hatch_build.py | $(BIN)/python
	$(PIP) $(INSTALL_ARGS) -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt hatch_build.py | $(BIN)/python
	$(PIP) $(INSTALL_ARGS) -e '.[dev]'
	@touch $@ $(VENV)/.installed
