# Everything here works in a fresh clone on Debian 12; scripts/setup.sh says what it lacks elsewhere.
# DB=mariadb (default: mysql) chooses the database of the demo.  ARGS="-k name" is passed to pytest.

python := .venv/bin/python
# Most tests wait for servers more than they compute.
workers ?= 3
sources := hasync testbed demo benchmarks monitoring chaos tests

.DEFAULT_GOAL := help
.PHONY: help setup tools demo test test-pure packages test-large test-far test-streams fuzz model bench failover-bench chaos dashboards monitoring chart docs check lint types contracts sbom lock clean distclean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing: Debian packages (as root), .venv, the codec, MySQL in a cache
	@scripts/setup.sh

tools: setup ## Install what tests need besides: promtool, chromium, network namespaces
	@for tool in scripts/tools/*.sh; do $$tool || exit 1; done

demo: setup ## Three instances, a killed leader, and a verdict on every key (DB=mariadb; SECURE=1: TLS, ACLs)
	@$(python) -m demo $(if $(DB),--db $(DB)) $(if $(SECURE),--secure)

test: tools ## All tests, against real servers that are started for them
	@$(python) -m pytest -n $(workers) --dist loadfile $(ARGS)

test-large: setup ## One transaction of five million rows through a worker (LARGE_ROWS=1000000: of one)
	@LARGE_ROWS=$${LARGE_ROWS:-5000000} $(python) -m pytest -s --timeout 3600 tests/integration/binlog/test_large.py $(ARGS)

test-far: setup ## A transaction of 4.5 GB, and places behind it (10 GB of disk, five minutes)
	@FAR=1 $(python) -m pytest tests/integration/binlog/test_far.py $(ARGS)

test-streams: setup ## 40 streams over three instances: spread, one killed, spread again (STREAMS=9: of nine; two minutes)
	@STREAMS=$${STREAMS:-40} $(python) -m pytest -s tests/failover/test_spread.py $(ARGS)

fuzz: setup ## Ten minutes of mutated binlog packets (FUZZ_S=60: a minute; ARGS="--seed x": those again)
	@$(python) -m tests.fuzz $(ARGS)

model: setup ## The protocol in all interleavings of any two faults, some minutes (ARGS=--mutants: planted bugs)
	@$(python) -m tests.model $(ARGS)

test-pure: setup ## The codec's tests on its modules as they are written, uncompiled (ARGS as for test)
	@$(python) -m pytest -p tests.uncompiled $(or $(ARGS),tests/unit/binlog)

packages: setup ## Build a wheel; install it, and the source without a compiler; the codec's tests on both
	@scripts/packages.sh $(ARGS)

chart: tools ## The Helm chart with helm 4 and 3, for each Kubernetes, in a stand-in of its API (ARGS as for test)
	@CHART=full $(python) -m pytest -n $(workers) tests/chart $(ARGS)

bench: setup ## Rows per second beside go-mysql and others (ARGS=--quick: three minutes)
	@$(python) -m benchmarks $(ARGS)

failover-bench: setup ## Kill and freeze leaders under load; how long nothing is written (ARGS="--kills 10": fewer)
	@$(python) -m benchmarks.failover $(ARGS)

chaos: tools ## Random faults on a cluster in network namespaces (CHAOS_S=600: ten minutes; ARGS="--only F5 --seed 7 --db mariadb"; root)
	@$(python) -m chaos --seconds $${CHAOS_S:-1800} $(ARGS)

dashboards: setup ## Make the Grafana dashboards and the tables of docs/monitoring.md anew
	@$(python) -m monitoring.dashboards
	@$(python) -m monitoring.reference

monitoring: tools ## A cluster under a real Prometheus: alerts, every panel's data, pictures (four minutes; ARGS=--no-pictures)
	@$(python) -m monitoring $(ARGS)

docs: setup ## Write those parts of docs/ anew that are made from the code
	@for page in metrics settings; do $(python) -m hasync.$$page > docs/$$page.md || exit 1; done
	@$(python) -m hasync.cli.reference > docs/cli.md
	@$(python) -m tests.docs.generated

check: lint types contracts ## Everything that reads the code without running it

lint: setup ## ruff: rules and format
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types: setup ## mypy
	@.venv/bin/mypy

contracts: setup ## import-linter: who may import whom
	@.venv/bin/lint-imports

sbom: setup ## CycloneDX bill of materials of the pinned dependencies, to build/sbom.json
	@PYTHON=$(python) scripts/sbom.sh

lock: ## Pin the newest versions of requirements/*.in, with hashes
	@scripts/lock.sh

clean: ## Remove what tools leave behind
	@rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	@rm -f hasync/binlog/codec/*.so hasync/binlog/codec/*.c
	@find $(sources) -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## Remove .venv too, and the cache that all clones share
	@rm -rf .venv "$${XDG_CACHE_HOME:-$$HOME/.cache}/hasync"
