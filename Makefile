# `make` lists what there is. Every target but help and lock sets the environment up first.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV ?= .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python
# In the order in which one may import the other.
DISTRIBUTIONS := sdk core services/gateway workers services/devserver
STAMP := $(VENV)/.ready
MANIFESTS := $(DISTRIBUTIONS:%=%/pyproject.toml)
LOCKS := bootstrap.lock requirements.lock redis.lock
# Where OpenStack Swift goes, the S3 server of test-s3.
SWIFT := .venv-swift
# Where what checks deploy/ goes.
DEPLOY := .venv-deploy
PIP := $(RUN) -m pip --disable-pip-version-check -qq
PIP_LOCKED := --no-compile --no-deps --require-hashes --only-binary :all:
# Of `make run`, from its command line alone: the environment may use these names for something else.
FILES :=
DATA := .mediafleet
ONCE :=
# Of `make test-s3`, likewise.
OWN :=

.PHONY: help setup run test test-long test-s3 check docs protos protos-baseline dashboards deploy-files bench lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv from the locks; PYTHON= names the interpreter (3.11 or newer)
	@:

# Whoever had to wait for another make looks again at what is left to do.
$(STAMP): $(LOCKS) $(MANIFESTS)
	@python=$$(PYTHON="$(PYTHON)" tools/python.sh) && "$$python" tools/alone.py bootstrap.lock \
		"Another make is making $(VENV), waiting for it." $(MAKE) -s $(VENV)/.installed
	@touch $@

$(VENV)/.installed: $(VENV)/.locked $(MANIFESTS)
	@echo "  the distributions of this checkout"
	@$(PIP) install --no-compile --no-index --no-deps --no-build-isolation $(DISTRIBUTIONS:%=-e ./%)
	@$(RUN) -m pip --disable-pip-version-check check
	@touch $@

$(VENV)/.locked: $(LOCKS)
	@echo "Setting up, once: half a minute and 420 MB"
	@PYTHON="$(PYTHON)" VENV="$(VENV)" tools/venv.sh
	@$(PIP) install $(PIP_LOCKED) -r bootstrap.lock
	@echo "  $$(grep -c '^[a-z]' requirements.lock) packages of requirements.lock"
	@$(PIP) install $(PIP_LOCKED) -r requirements.lock
	@echo "  a Redis server"
	@# Apart from the environment, so that the binary shadows no redis-server on PATH.
	@$(PIP) install $(PIP_LOCKED) --implementation cp --python-version 3.12 \
		--target $(VENV)/redis -r redis.lock
	@touch $@

# Names reach the program as they were typed: neither make nor the shell looks into them.
run: export RUN_FILES := $(value FILES)
run: export RUN_DATA := $(value DATA)
run: $(STAMP) ## start everything here; FILES="a.jpg b.mp4" sends those, ONCE=1 ends after them, DATA= names a folder
	@$(RUN) -m mediafleet_devserver.first_run --data-dir "$$RUN_DATA" --names "$$RUN_FILES" \
		$(if $(filter-out 0 no false,$(ONCE)),--once)

test: $(STAMP) ## the quick tests, files side by side
	@$(RUN) -m pytest -q --numprocesses auto --maxprocesses 4 --dist loadfile $(ARGS)

test-long: $(STAMP) ## all tests, the long ones too
	@$(RUN) -m pytest -q -m "long or not long" --hypothesis-profile=long $(ARGS)

test-s3: $(STAMP) $(if $(OWN),,$(SWIFT)/.ready) ## storage and upload tests on OpenStack Swift; OWN=1 takes the S3 server that R2_* name
	@MEDIAFLEET_TEST_STORES=environment $(if $(OWN),,$(RUN) -m tests.swift $(SWIFT)) \
		$(RUN) -m pytest -q --timeout 300 tests/conformance/test_object_store.py tests/conformance/test_copies.py \
		tests/conformance/test_intake_on_stores.py tests/e2e/test_s3.py $(ARGS)

$(SWIFT)/.ready: swift.lock
	@PYTHON="$(PYTHON)" VENV="$(SWIFT)" tools/venv.sh
	@$(SWIFT)/bin/python -m pip --disable-pip-version-check -qq install $(PIP_LOCKED) -r swift.lock
	@touch $@

docs: $(STAMP) ## renew the pages that are made from the code
	@$(RUN) -m tools.configuration

protos: $(STAMP) ## renew the generated code from protos/
	@tools/protos.sh

protos-baseline: ## accept today's protos/ as what the next change must not break
	@tools/buf.sh --baseline

dashboards: $(STAMP) ## write deploy/grafana/*.json from the code
	@$(RUN) -m deploy.grafana

deploy-files: dashboards ## renew what deploy/ takes over: boards, rules, the locks of the images
	@$(RUN) -m tools.deploy
	@$(RUN) -m tools.image_locks

bench: $(STAMP) ## run the benchmarks
	@$(RUN) -m benchmarks $(ARGS)

check: $(STAMP) $(DEPLOY)/.ready ## lint, types, import rules, generated code, locks, manifests and images
	@tools/check.sh $(BIN) $(DEPLOY)/bin

$(DEPLOY)/.ready: deploy.lock
	@PYTHON="$(PYTHON)" VENV="$(DEPLOY)" tools/venv.sh
	@$(DEPLOY)/bin/python -m pip --disable-pip-version-check -qq install $(PIP_LOCKED) -r deploy.lock
	@touch $@

lock: ## renew the locks to the newest versions allowed
	@PYTHON="$(PYTHON)" tools/lock.sh $(DISTRIBUTIONS)

clean: ## remove what the targets made
	rm -rf $(VENV) $(SWIFT) $(DEPLOY) .venv-protos tools/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
