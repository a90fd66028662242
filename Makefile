# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# One obvious way to do each thing. Needs Debian 12 or 13, as root or with sudo.

BED := tests/bed
RUN := $(BED)/run.sh

# These look at what runs leave on the machine: one after the other.
IN_TURN := $(patsubst %,tests/integration/test_%.py,src accounts_role through_ansible)

# Has hosts of its own, and runs beside the others.
MIGRATION := tests/system/test_migration.py

.DEFAULT_GOAL := help
.PHONY: help
help:  ## What there is to make
	@sed -nE 's/^([a-z-]+):.*##  ?(.*)/\1\t\2/p; s/^## (.*)/\n\1/p' $(MAKEFILE_LIST) | expand -t 16

## The test bed
.PHONY: setup tools images image-ready containers containers-clean requirements
setup:  ## Packages, Python environment, collections, images, network: whatever is missing
	@$(BED)/setup.sh
tools:  # what needs no containers
	@$(BED)/packages.sh
	@$(BED)/python.sh
	@$(BED)/collections.sh
images:  ## Build the base images again
	@$(BED)/packages.sh
	@$(BED)/podman.sh
	@$(BED)/image.sh --again bookworm
	@$(BED)/image.sh --again trixie
image-ready: setup  ## Images with the mail host's packages installed
	@$(BED)/image-ready.sh bookworm
	@$(BED)/image-ready.sh trixie
containers: setup  ## Start the test hosts (molecule/inventory)
	@$(RUN) --root ansible-playbook -i molecule/inventory molecule/default/create.yml
containers-clean: setup  ## Remove the test hosts
	@$(RUN) --root ansible-playbook -i molecule/inventory molecule/default/destroy.yml
requirements: tools  ## Resolve tests/bed/requirements.in into requirements.txt
	@$(BED)/requirements.sh

## The checks
.PHONY: lint types docs sanity unit unit-long integration integration-long faults malformed-long system migration system-long molecule split split-long test test-long
lint: tools  ## ruff, shellcheck, yamllint, reuse, ansible-lint
	@$(BED)/lint.sh
types: tools  ## mypy, strict for the pure core
	@$(BED)/types.sh
docs: tools  ## Documentation, changelog, and a build of the collection
	@$(BED)/docs.sh
sanity: tools  ## ansible-test sanity
	@$(BED)/ansible-test.sh sanity
unit: tools  ## pytest tests/unit; ARGS="-k word" for some of them
	@$(RUN) pytest -n 2 tests/unit $(ARGS)
integration: image-ready  ## pytest tests/integration, against a real MariaDB
	@$(RUN) --root pytest -n 2 --dist loadfile tests/integration $(IN_TURN:%=--ignore=%) $(ARGS)
	@$(RUN) --root pytest $(IN_TURN) $(ARGS)
system: setup  ## pytest tests/system: whole runs of the playbooks, also killed ones and wrong ones
	@$(RUN) --root pytest tests/system --ignore=$(MIGRATION) $(ARGS)
migration: image-ready  ## An old host's databases and mail come to a new host, as docs/migration.md says
	@$(RUN) --root pytest $(MIGRATION) $(ARGS)
system-long: setup  # what is marked long of it, on hosts that are made new
	@$(RUN) --root pytest tests/system --long -m long $(ARGS)
molecule: setup  ## A bare host becomes a mail host, on each release, and works
	@$(RUN) --root $(BED)/molecule.sh
split: image-ready  ## One mail system on three hosts: database, IMAP, SMTP
	@$(RUN) --root $(BED)/split.sh $(ARGS)
split-long: image-ready  # on both releases, in check mode too, with all tests that are true of several hosts
	@$(RUN) --root $(BED)/split.sh --long 12
	@$(RUN) --root $(BED)/split.sh --long 13
test:  ## All that CI runs
	@$(BED)/test.sh
unit-long: tools  # the laws of the plan for many more examples
	@$(RUN) pytest tests/unit -k test_properties --hypothesis-profile=long $(ARGS)
integration-long: image-ready  # what is marked long: many examples, kills and turns
	@$(RUN) --root pytest -o faulthandler_timeout=0 tests/integration --long -m long $(ARGS)
malformed-long:  # 10,000 malformed inputs, on the hosts that make molecule leaves
	@MALFORMED=10000 $(RUN) --root pytest --hosts=podman://mailhost-debian12,podman://mailhost-debian13 \
		molecule/mailhost/tests/test_malformed.py $(ARGS)
faults: setup  ## Faults during a running mail load: accepted, delivered, lost, duplicated
	@$(RUN) --root python tests/system/faults.py
test-long:  ## What is too slow for every change: many examples and kills, three hosts, the demo, the benchmarks
	@$(BED)/test.sh unit-long integration-long system-long split-long demo-debian12 demo-debian13 demo-clean bench-site bench-accounts bench-lookups \
		bench-migrate bench-delivery faults malformed-long

## See it work
.PHONY: demo demo-clean bench-site bench-accounts bench-lookups bench-migrate bench-delivery
demo: setup  ## A mail host in a container, and a message through it (DEBIAN=12 for the older release)
	@$(RUN) --root demo/start.sh $(DEBIAN)
demo-debian%:
	@$(MAKE) --no-print-directory demo DEBIAN=$*
demo-clean: setup  ## Remove the demo's container
	@$(RUN) --root demo/clean.sh
bench-site: setup  ## The site playbook's time as a ratio to apt-get's
	@$(RUN) --root tests/benchmark/site.sh
bench-accounts: setup  ## The accounts' time and memory, beside what the same rows cost without it
	@$(RUN) --root python tests/benchmark/accounts.py
bench-migrate: setup  ## From tables of 2010 to those of today, beside the bare ALTER TABLE statements
	@$(RUN) --root python tests/benchmark/migrate.py
bench-lookups: image-ready  ## Lookups a second as the tables grow, beside the how-to's queries
	@$(RUN) --root python tests/benchmark/lookups.py
bench-delivery: image-ready  ## Messages a second by LMTP, beside dovecot-lda and discard
	@$(RUN) --root python tests/benchmark/delivery.py

.PHONY: clean
clean:  ## Remove containers, images, network and .dev
	@$(BED)/clean.sh
