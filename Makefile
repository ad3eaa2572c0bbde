# SPDX-License-Identifier: Apache-2.0
#
# A thin front: each target is one script of scripts/. Meson does the building. `make help` lists the targets.
# Products go to build/ (objects) and out/ (what runs); caches to ${SKERRY_CACHE:-${XDG_CACHE_HOME:-~/.cache}/skerry}.

PREFIX ?= /usr/local
DESTDIR ?=
export PREFIX DESTDIR

.PHONY: windows windows-test build engine quickstart deps test test-full unit e2e check format install uninstall bench deb clean help

build: ## build everything: guest kernel, crun, host programs, initramfs
	@scripts/build

engine: ## the engine image for `skerry machine` and emulators of other processors, from Debian packages
	@scripts/build --engine

quickstart: ## install what is missing, build, make a small Debian image and run it
	@scripts/quickstart

deps: ## install the Debian packages that the build and a run need
	@scripts/deps install build engine

test: ## all tests: unit, sanitizers, style, end to end
	@scripts/test

test-full: ## the same, and what takes longer: the .deb in a clean Debian, long cycles
	@scripts/test --full

unit: ## unit tests only (after a build)
	@scripts/test --only unit

e2e: ## end-to-end tests only (after a build)
	@scripts/test --only e2e

check: ## style checks only
	@scripts/test --only style

format: ## clang-format all sources of ours
	@git ls-files '*.[ch]' | xargs clang-format-14 -i

install: ## install below $(DESTDIR)$(PREFIX)
	@scripts/install

uninstall: ## remove what install put there
	@scripts/install --remove

windows: ## cross-build what there is for Windows into out/windows
	@scripts/deps install windows && scripts/windows build --kernel

windows-test: ## all its tests, under Wine (after make windows)
	@scripts/windows test

bench: ## measure against runc (docker), prints a table
	@bench/run

deb: ## a Debian package in out/
	@scripts/deb

clean: ## remove build/ and out/ (not the caches)
	@rm -rf build out

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22
