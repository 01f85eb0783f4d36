# make help lists the targets. Everything is built without cgo; only the race
# detector of make test wants a C compiler.

GO       ?= go
BIN      := bin
FUZZTIME ?= 20s
BENCH    ?= .
KILLS    ?= 200
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Packages whose tests run once more under the race detector.
RACE := ./cache ./engine ./internal/... ./kernels/pool ./recipes/source ./runtime/hub ./runtime/gguf ./stages

export CGO_ENABLED ?= 0

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## bin/pj and bin/llama-pajamas
	$(GO) build -trimpath -o $(BIN)/pj ./cmd/pj
	$(GO) build -trimpath -o $(BIN)/llama-pajamas ./cmd/llama-pajamas

.PHONY: demo
demo: build ## a first build from a recipe, and a second that has nothing to do
	@scripts/demo.sh $(BIN)/pj

.PHONY: test
test: ## all tests, those of concurrent packages also under the race detector
	@$(GO) test -json ./... | $(GO) run ./scripts/testlog
	@scripts/race.sh $(RACE)

.PHONY: examples
examples: build ## check and build every example
	@scripts/examples.sh $(BIN)/pj

.PHONY: lint
lint: tidy-check ## gofmt, go vet, staticcheck, golangci-lint where it is installed
	@STATICCHECK=$(STATICCHECK) scripts/lint.sh

.PHONY: tidy-check
tidy-check: ## whether go.mod and go.sum are as they should be
	$(GO) mod tidy -diff
	$(GO) mod verify

.PHONY: interop
interop: ## let a stock llama.cpp judge what the examples build
	@$(GO) test -tags interop -count=1 -json -timeout 20m ./interop | $(GO) run ./scripts/testlog

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (20s)
	@scripts/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: build ## Go benchmarks, then builds of true shape; BENCH picks some
	@scripts/machine.sh
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...
	@scripts/bench.sh $(BIN)/pj

.PHONY: bench-kernels
bench-kernels: ## one table: every type's speed and error beside ggml's; PJ_BENCH_TYPES=q4_k,q6_k picks
	@scripts/machine.sh
	@cd bench && $(GO) test -tags bench -count=1 -run '^TestKernels$$' -timeout 30m

.PHONY: torture
torture: build ## kill builds KILLS (200) times, and compare bytes in the end
	@scripts/torture.sh $(BIN)/pj $(KILLS)

.PHONY: cross
cross: ## build for linux, darwin and windows on amd64 and arm64
	@scripts/cross.sh

.PHONY: docs
docs: ## write generated documentation anew
	@scripts/docs.sh

.PHONY: clean
clean: ## remove bin/ and what the examples built
	rm -rf $(BIN)
	git clean -qfX examples interop
