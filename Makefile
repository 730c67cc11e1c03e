# Needs Python 3.11 or newer and nothing else. Another interpreter: make PYTHON=python3.12 demo
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Of each interpreter its own environment: make PYTHON=python3.12 VENV=.venv-3.12 test
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
SHARE ?= 1
TESTS ?=
EVERYTHING := --editable ".[fast,web,tensorboard,search,mpi,onnx,heic,keras,mlflow,wandb,trackio,umap]"

.PHONY: help setup demo test faults lint format docs site screenshots bench notebooks model wheel clean

help:  ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/installed  ## train on the embedded digits, evaluate, save, recognise some images
	@$(BIN)/glassnet demo

test: lint  ## every check and every test, or some: make test TESTS=tests/nn
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(TESTS)

setup: $(VENV)/installed-dev  ## install glassnet and its tools into .venv

faults: $(VENV)/installed-dev  ## kills, errors, damaged files, hostile input (Linux, gcc; hours); a part: make faults SHARE=0.01
	$(BIN)/python tests/faults --share $(SHARE)

lint: $(VENV)/installed-dev  ## style, types, and which module imports which
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/installed-dev  ## format the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: $(VENV)/installed-docs  ## build the tutorial and the reference, running every cell
	@$(BIN)/python -m sphinx --fresh-env --fail-on-warning --keep-going --quiet docs build/docs
	@echo "Open build/docs/index.html"

site: $(VENV)/installed-docs  ## the bundled model's page, the lessons and the tutorial as static files for any host, into build/site
	@$(BIN)/python -m sphinx --fresh-env --fail-on-warning --keep-going --quiet --doctree-dir build/doctrees docs build/site/docs
	@$(BIN)/python docs/static_site.py build/site
	@rm -r build/site/jupyter_execute
	@echo "Open build/site/index.html"

screenshots: $(VENV)/installed-dev  ## take the pictures of the page (needs chromium)
	$(BIN)/python docs/screenshots.py

bench: $(VENV)/installed-peers  ## measure accuracy, speed beside the peers and growth, and write the tables (two hours or so)
	$(BIN)/python benchmarks/accuracy.py
	$(BIN)/python benchmarks/dense_or_convolution.py
	$(BIN)/python benchmarks/ladder.py
	$(BIN)/python benchmarks/throughput.py
	$(BIN)/python benchmarks/distance.py
	$(BIN)/python benchmarks/prediction.py
	$(BIN)/python benchmarks/growth.py
	$(BIN)/python benchmarks/serving.py
	$(BIN)/python benchmarks/grid_search.py
	$(BIN)/python benchmarks/parallel.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/loading.py
	$(BIN)/python benchmarks/augmentation.py
	$(BIN)/python benchmarks/figure.py
	$(BIN)/python benchmarks/table.py

notebooks: $(VENV)/installed-dev  ## measure the five notebooks, as written and cured, and write their table (a quarter of an hour)
	$(BIN)/python benchmarks/notebooks.py
	$(BIN)/python benchmarks/notebook_convolutions.py
	$(BIN)/python benchmarks/table.py

model: $(VENV)/installed-dev  ## train the bundled model again and measure it; writes src/glassnet/bundled
	$(BIN)/python benchmarks/bundled.py
	$(BIN)/python benchmarks/doubt.py
	$(BIN)/python benchmarks/pictures.py --test
	$(BIN)/python benchmarks/table.py

wheel: $(VENV)/installed-dev  ## build dist/*.whl
	$(BIN)/python -m build

clean:  ## remove what was made, but not your runs
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Each of these is made again only when pyproject.toml has changed. (Jupyter's kernels, which run the tutorial's cells,
# would warn ten times that they speak to the build unencrypted, from this machine to itself.)
$(VENV)/installed: pyproject.toml | $(BIN)/python
	@echo "Installing glassnet into $(VENV), once ..."
	@$(PIP) --editable .
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/pip
	@echo "Installing glassnet and its tools into $(VENV), once ..."
	@$(PIP) $(EVERYTHING) --group dev
	@touch $@ $(VENV)/installed

$(VENV)/installed-docs: pyproject.toml | $(VENV)/pip
	@echo "Installing glassnet and what the tutorial is built with into $(VENV), once ..."
	@$(PIP) $(EVERYTHING) --group docs
	@mkdir -p $(VENV)/etc/ipython && echo 'c.IPKernelApp.log_level = "ERROR"' > $(VENV)/etc/ipython/ipython_kernel_config.py
	@touch $@ $(VENV)/installed

$(VENV)/installed-peers: pyproject.toml | $(VENV)/installed-dev
	@$(PIP) $(EVERYTHING) --group dev --group peers
	@touch $@

# A pip that knows --group; those that come with Python 3.11 to 3.13 are older.
$(VENV)/pip: | $(BIN)/python
	@$(PIP) "pip>=25.1"
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "glassnet needs Python 3.11 or newer; say which: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python's venv is missing; on Debian: apt install python3-venv"; exit 1; }
