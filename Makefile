# Short commands. Everything runs in $(VENV), which is made on first use.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PHOTOS ?= ../shared/photos
# A file of tests stays in one process, as its tests share galleries; each process keeps to one thread.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile

.PHONY: install test test-fast lint format check demo bench bench-training bench-alignment bench-serving bench-scaling train clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

test: install ## the whole suite
	$(PYTEST)

test-fast: install ## without what is slow
	$(PYTEST) -m "not slow and not network"

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint test ## what CI runs

demo: install
	$(BIN)/aesalign demo

bench: install ## index throughput and memory, each against its baseline in the same run
	$(BIN)/python -m benchmarks.indexing --photos $(PHOTOS)/images

bench-training: install ## a training step against the plain way to write one
	$(BIN)/python -m benchmarks.training --photos $(PHOTOS)

bench-alignment: install ## the aligned encoder against every trick that needs no training; about an hour
	$(BIN)/python -m benchmarks.alignment --photos $(PHOTOS) --out runs/bench-alignment

bench-serving: install ## the service with batching and without, and a search against what it replaces
	$(BIN)/python -m benchmarks.serving --photos $(PHOTOS)

bench-scaling: install ## a million vectors: memory, recall and latency of the index
	$(BIN)/python -m benchmarks.scaling

train: install ## the embedded heads again, from the photographs
	$(BIN)/python -m aesalign_embedded.training projections --photos $(PHOTOS)
	$(BIN)/python -m aesalign_embedded.training reward --photos $(PHOTOS)

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
