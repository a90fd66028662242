# SPDX-FileCopyrightText: 2026 the groupware.mailserver developers
# SPDX-License-Identifier: GPL-3.0-or-later
# One obvious way to do each thing. Needs Debian 12 or 13, as root or with sudo.

BED := tests/bed
RUN := $(BED)/run.sh

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
	@$(RUN) --root molecule create
containers-clean: setup  ## Remove the test hosts
	@$(RUN) --root molecule destroy
requirements: tools  ## Resolve tests/bed/requirements.in into requirements.txt
	@$(BED)/requirements.sh
