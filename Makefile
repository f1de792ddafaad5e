# `make help` lists what there is. Everything a target needs is set up first.
SHELL := /bin/bash
.DEFAULT_GOAL := help

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
INVENTORY ?= inventory/lab

.PHONY: help setup setup-python lock collection demo check lint test-unit test-evidence test test-loopback test-hostile test-nat test-soak test-local test-ansible-versions test-ssh \
	test-lab test-runbooks test-interop interop oracle test-oracle test-native lab-up lab-down lab-shell deploy verify bench clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: ## install Debian packages (as root), .venv from the hash-locked list, the lab's base
	@python=$$(scripts/find-python) && "$$python" scripts/prepare.py

setup-python:
	@python=$$(scripts/find-python) && "$$python" scripts/prepare.py --without-base

demo: ## deploy to three fresh hosts behind NATs on this machine, verify, and show the verdict
	@python=$$(scripts/find-python) && PYTHONPATH=$(CURDIR) "$$python" scripts/demo.py

check: lint test-unit ## lint, types, unit tests: about a minute

lint: setup-python ## ruff, mypy, ansible-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	MYPYPATH=scripts:. $(BIN)/mypy --strict scripts/*.py
	PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/ansible-lint --offline --profile production

test-unit: setup-python ## tests without a socket
	$(PYTEST) -q tests/test_house.py tests/test_kinds.py tests/unit

test-evidence: setup-python ## the judge alone, doctored evidence included; fails below full branch coverage
	$(PYTEST) -q tests/unit/evidence tests/evidence --cov=kaspa_node.evidence --cov-branch \
		--cov-report=term-missing:skip-covered --cov-fail-under=100

test: setup ## all tests; of the runbooks two pages, drawn anew; without the programs of `make oracle` not theirs
	$(PYTEST) tests --runbook-pages=2 $(TEST_OPTIONS)

test-loopback: setup-python ## the node on this machine's loopback
	$(PYTEST) tests -m network

test-hostile: setup-python ## attacks on a node at full length: its CPU, its memory, and an honest peer's pings
	KASPA_HOSTILE_SECONDS=10 $(PYTEST) tests -m hostile

test-nat: setup-python ## the programs behind NATs of every kind, no root
	$(PYTEST) tests -m nat

test-soak: setup-python ## half an hour of random events in the rootless lab; again: SOAK_SEED=N, other length: SOAK_SECONDS=N
	SOAK_SECONDS=$${SOAK_SECONDS:-1800} $(PYTEST) -s tests -m soak

bench: setup-python ## round trips of a hole punch, and the data path beside plain TCP
	$(BIN)/python -m tests.bench.bench_punch
	$(BIN)/python -m tests.bench.bench_data_path

test-local: setup-python ## deploy and verify with plain processes, no root
	$(PYTEST) tests -m local

ANSIBLE_VERSIONS := 2.17 2.18 2.19

test-ansible-versions: setup-python ## the installed collection with each supported ansible-core; three minutes
	set -e; for version in $(ANSIBLE_VERSIONS); do \
		tools=$(CURDIR)/.cache/ansible-core-$$version; \
		$(BIN)/python -m venv $$tools; \
		$$tools/bin/python -m pip install --quiet --requirement requirements/runtime.txt; \
		$$tools/bin/python -m pip install --quiet "ansible-core==$$version.*"; \
		ANSIBLE_TOOLS=$$tools/bin $(PYTEST) tests/local/test_collection.py; \
	done

test-ssh: setup ## 250 configurations of ssh, each with Ansible and with fab (root)
	KASPA_SSH_ROWS=all $(PYTEST) tests -m ssh

test-lab: setup ## deploy and verify on booted hosts (root)
	$(PYTEST) tests -m lab

test-runbooks: setup ## run every page of docs/runbooks on booted hosts and compare the output (root)
	$(PYTEST) tests/runbooks

interop: ## peers on go-libp2p, rust-libp2p and js-libp2p to test against: about a minute each, once
	@python=$$(scripts/find-python) && "$$python" scripts/interop_peers.py $(INTEROP)

test-interop: setup-python interop ## against other implementations, all mixtures; writes the tables of docs/interop.md
	INTEROP_CELLS=all INTEROP_RUNS=$${INTEROP_RUNS:-20} INTEROP_MIB=$${INTEROP_MIB:-64} INTEROP_TABLE=docs/interop.md \
		$(PYTEST) tests -m interop

oracle: ## build the programs of the first proof of concept from the crates registry: about ten minutes, once
	@python=$$(scripts/find-python) && "$$python" scripts/oracle.py

test-oracle: setup-python ## the programs of the first proof of concept against ours and each other, through the lab's NATs
	@python=$$(scripts/find-python) && "$$python" scripts/oracle.py --if-possible
	$(PYTEST) -s tests/interop -k oracle

test-native: setup ## deploy and verify the programs of the first proof of concept on booted hosts (root)
	@python=$$(scripts/find-python) && "$$python" scripts/oracle.py --if-possible
	$(PYTEST) -rs tests/lab/test_deploy_native.py

lab-up: setup ## boot the lab's hosts behind their NATs (root); hosts of another Debian: LAB_SUITE=trixie
	$(BIN)/python -m lab up $(if $(LAB_SUITE),--suite $(LAB_SUITE))

lab-down: ## take both labs down, the booted one (root) and the one of plain processes
	@python=$$(scripts/find-python) && { [ "$$(id -u)" != 0 ] || "$$python" -m lab down; } && "$$python" -m lab.local down

lab-shell: ## a root shell on a lab host: make lab-shell HOST=client
	@test -n "$(HOST)" || { echo "say which host: make lab-shell HOST=relay|server|client" >&2; exit 2; }
	@python=$$(scripts/find-python) && "$$python" -m lab shell "$(HOST)"

deploy: setup ## ansible-playbook deploy.yml; another inventory: make deploy INVENTORY=inventory/mine
	$(BIN)/ansible-playbook -i $(INVENTORY) deploy.yml

verify: setup ## ansible-playbook verify.yml
	$(BIN)/ansible-playbook -i $(INVENTORY) verify.yml

collection: setup-python ## the roles and playbooks as a collection for ansible-galaxy, with the node's sources: dist/
	$(BIN)/python scripts/collection.py

lock: setup-python ## resolve requirements/*.in again; to the newest versions: make lock UPGRADE=--upgrade
	scripts/lock.sh $(UPGRADE)

clean: lab-down ## take the lab down and remove what was built; evidence stays
	rm -rf .venv .cache .lab build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .ansible
