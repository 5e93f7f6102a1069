# Everything a contributor runs. Each target installs and builds what it needs.
# `npm install --no-save` rather than `npm ci`: the lock file has no entries for prebuilt binaries of platforms that its registry lacks.
NPM ?= npm
BOUNDARY = node dist/cli/main.js
DEMO = eval/demo

.PHONY: all build test test-model check docs demo bench bench-queue simulate simulate-race pack clean
all: build

node_modules/.package-lock.json: package.json package-lock.json
	$(NPM) install --no-save --no-audit --no-fund
	@touch $@

dist/cli/main.js: node_modules/.package-lock.json tsconfig.json tsconfig.build.json $(shell find src -name '*.ts')
	rm -rf dist
	$(NPM) run --silent build
	@chmod +x $@

build: dist/cli/main.js

# Fast tests: no network, no real model; they drive real llama.cpp on tiny generated models.
test: build
	$(NPM) run --silent test

# Tests on the workbench's real model; each skips with a message where the workbench is absent.
test-model: build
	$(NPM) run --silent test:model

# Types, lint, formatting, dead code.
check: build
	$(NPM) run --silent check

# The pages of the public API, docs/api.
docs: build
	$(NPM) run --silent docs

demo: build
	$(BOUNDARY) sweep --model $(DEMO)/model.gguf --adapter $(DEMO)/adapter.gguf --data $(DEMO)/validation.jsonl --gpu off --rule best --out runs/demo --fresh

# Sweeps against the same by hand, with llama-server, with PEFT, and against the engine's limit: 40 minutes, nothing else may run. It says what it
# lacks and leaves those parts out; BENCH="--work DIR --rounds 3 --only a,b2" passes options.
bench: build
	node eval/bench/sweep-speed.mjs $(BENCH)

# A sweep on a queue while its parts are killed, while the network is cut, and with a thousand workers that only sleep (20 minutes): wants redis-server, and
# root and ip for the network.
bench-queue: build
	node eval/bench/queue-kills.mjs 60 7
	node eval/bench/queue-network.mjs 30
	node eval/simulation/queue-scale.mjs 1000 1000000 200 4

# The choice rules and intervals on sweeps with a known truth (five minutes).
simulate: build
	node eval/simulation/simulate.mjs > eval/results/simulation.md

# Racing against the full sweep, simulated and on resamples of the demo (ten minutes).
simulate-race: demo
	node eval/simulation/race.mjs runs/demo > eval/results/race.md

# The package as npm would publish it, installed and run in an empty folder.
pack: build
	bash eval/check-package.sh

clean:
	rm -rf dist node_modules runs coverage
