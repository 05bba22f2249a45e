# Everything a developer and CI run. `make` alone lists it. POSIX sh only.

GO ?= go

# The tools, pinned here and nowhere else.
TEMPORAL_CLI_VERSION  = v1.5.1
TEMPORAL_VERSION      = v1.29.1
GOLANGCI_LINT_VERSION = v2.15.0
WORKFLOWCHECK_VERSION = v0.6.0
GOVULNCHECK_VERSION   = v1.8.0

GOLANGCI_LINT = bin/golangci-lint-$(GOLANGCI_LINT_VERSION)
WORKFLOWCHECK = bin/workflowcheck-$(WORKFLOWCHECK_VERSION)
GOVULNCHECK   = bin/govulncheck-$(GOVULNCHECK_VERSION)

TEMPORAL_SERVER   = bin/temporal-server-$(TEMPORAL_VERSION)
TEMPORAL_SQL_TOOL = bin/temporal-sql-tool-$(TEMPORAL_VERSION)

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

# Passed on to `posthaste dev` by `make run`, and to `go test` by `make test`.
ARGS ?=
TESTFLAGS ?=

# A ledger that `make load` filled, for `make load-check`; its path is absolute.
LOAD_DATABASE ?=

# Compiling the Temporal CLI takes minutes on a small machine, and go says
# nothing meanwhile: -v lists every package, and this filter makes a line now
# and then of it. What is no package name (an error) passes through. The exit
# code travels in a file, because POSIX sh knows no pipefail.
PROGRESS = awk '/^go: downloading /{d++; show(); next} /^[^ :]+$$/{n++; show(); next} {print; fflush()} \
	function show() { if ((d+n) % 50 == 0) { printf "  %d modules fetched, %d packages compiled\n", d, n; fflush() } }'
define watched
@rc=bin/.rc.$$$$; { $(1); echo $$? >$$rc; } 2>&1 | $(PROGRESS); status=$$(cat $$rc); rm -f $$rc; exit $$status
endef

.DEFAULT_GOAL = help
.DELETE_ON_ERROR:
.PHONY: help build run test race check fmt fmt-check vet lint workflowcheck tidy-check vuln templ golden replay histories fuzz e2e chaos load load-check bench bench-stack bench-stack-down up down tools clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9\/-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

## ---- build and run

build: | bin ## Build bin/posthaste
	@echo "building bin/posthaste ($(VERSION)); the first time takes a minute or two"
	$(call watched,$(GO) build -v -ldflags "-X main.version=$(VERSION)" -o bin/posthaste ./cmd/posthaste)

bin/temporal: | bin ## Build the Temporal CLI, whose dev server `make run` and the e2e tests use
	@echo "building bin/temporal $(TEMPORAL_CLI_VERSION), once; this takes two to five minutes"
	$(call watched,GOBIN="$(CURDIR)/bin" $(GO) install -v -ldflags "-s -w" github.com/temporalio/cli/cmd/temporal@$(TEMPORAL_CLI_VERSION))

run: build bin/temporal ## Build and run everything on this machine; ARGS="--http 127.0.0.1:9000" are flags of posthaste dev
	@exec bin/posthaste dev $(ARGS)

up: ## Start the production shape with Docker and wait until it is healthy
	docker compose up --build --detach --wait

down: ## Stop what `make up` started; volumes stay
	docker compose down

## ---- test

test: bin/temporal ## Run every test: what CI runs beside `make check`
	$(GO) test -timeout 40m $(TESTFLAGS) ./...
	$(GO) test -tags failpoints $(TESTFLAGS) ./failpoint

race: bin/temporal ## Run every test under the race detector; needs a C compiler
	CGO_ENABLED=1 $(GO) test -race -timeout 40m $(TESTFLAGS) ./...

replay: ## Replay the recorded workflow histories
	$(GO) test -run Replay $(TESTFLAGS) ./workflows/...

histories: bin/temporal ## Record the workflow histories that later code must replay; for a change of workflow behaviour
	$(GO) test -timeout 20m -count=1 -run TestStoriesReplay ./e2e -args -record
	cd workflows/testdata/histories && ls *.json >MANIFEST

e2e: bin/temporal ## Run the whole-system tests
	$(GO) test -timeout 40m $(TESTFLAGS) ./e2e/...

chaos: bin/temporal $(TEMPORAL_SERVER) $(TEMPORAL_SQL_TOOL) ## Break everything under load and print what was lost (nothing), each row as it ends: about a quarter of an hour; ARGS=-write puts the table into docs/reliability.md
	$(GO) test -tags chaos -run TestChaos -timeout 20m -count=1 -parallel 2 -v $(TESTFLAGS) ./e2e -args $(ARGS)

load: ## Fill a ledger with a webhook of 1,000,000 attempts, to measure with: ARGS="--database-url sqlite://load.db"
	$(GO) run ./models/modelstest/load $(ARGS)

load-check: ## Fill such a ledger, or take that of LOAD_DATABASE=sqlite:///tmp/load.db, and hold its pages to their bounds; minutes
	@database='$(LOAD_DATABASE)'; \
	if [ -z "$$database" ]; then \
		folder=$$(mktemp -d) || exit 1; trap 'rm -rf "$$folder"' EXIT; trap 'exit 1' INT TERM; \
		database="sqlite://$$folder/load.db"; \
		$(GO) run ./models/modelstest/load --database-url "$$database" $(ARGS) || exit 1; \
	fi; \
	$(GO) test -count=1 -timeout 20m -v -parallel 1 $(TESTFLAGS) -run '^(TestLongHistory|TestDashboardOfLongHistory)$$' ./api -load-database "$$database"

bench: build bin/temporal ## Measure Posthaste beside the Temporal it runs on: about forty minutes; ARGS="--quick" or others are flags of posthaste bench
	@exec bin/posthaste bench $(ARGS)

BENCH_STACK = TEMPORAL_CLI=bin/temporal TEMPORAL_SERVER=$(TEMPORAL_SERVER) TEMPORAL_SQL_TOOL=$(TEMPORAL_SQL_TOOL) sh deploy/bench/stack.sh

bench-stack: bin/temporal $(TEMPORAL_SERVER) $(TEMPORAL_SQL_TOOL) ## Start Temporal on PostgreSQL to measure with; deploy/bench/stack.sh names its settings
	@$(BENCH_STACK) up

bench-stack-down: $(TEMPORAL_SQL_TOOL) ## Stop what `make bench-stack` started and drop its databases
	@$(BENCH_STACK) down

templ: ## Make the Go files of the dashboard's templates
	$(GO) test -count=1 ./api/dashboard/generate -args -update

golden: ## Rewrite the golden files; read the diff afterwards
	$(GO) test $$(grep -rl --include='*_test.go' 'flag\.Bool("update"' . | xargs -n 1 dirname | sort -u) -update

FUZZTIME ?= 1m
fuzz: ## Run every fuzz target for FUZZTIME each
	@grep -rE '^func Fuzz[A-Za-z]+' --include='*_test.go' . | sed -E 's|^(.*)/[^/]+:func (Fuzz[A-Za-z]+).*|\1 \2|' | \
	while read -r package target; do \
		echo "$$package $$target"; \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5x $$package || exit 1; \
	done

## ---- check

check: fmt-check vet lint workflowcheck tidy-check ## Check everything that is no test

fmt: ## Format all Go files
	gofmt -w .

fmt-check: ## Check that all Go files are formatted
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "not formatted (make fmt):"; echo "$$unformatted"; exit 1; fi

vet: ## Run go vet
	$(GO) vet ./...
	$(GO) vet -tags failpoints,chaos ./...

lint: $(GOLANGCI_LINT) ## Run golangci-lint: the import table, forbidden calls, and more
	$(GOLANGCI_LINT) run ./...

workflowcheck: $(WORKFLOWCHECK) ## Check that workflow code is deterministic
	$(WORKFLOWCHECK) -config workflowcheck.config.yaml ./workflows/...

tidy-check: ## Check that go.mod and go.sum are tidy
	$(GO) mod tidy -diff

vuln: $(GOVULNCHECK) ## Look for known vulnerabilities in what we use; asks vuln.go.dev, so it is not part of check
	@$(GOVULNCHECK) ./... || { status=$$?; \
	if [ $$status -eq 3 ]; then echo "make vuln: vulnerable code is called; the fixed versions are named above" >&2; \
	else echo "make vuln: govulncheck could not finish; it needs the vulnerability database at https://vuln.go.dev" >&2; fi; \
	exit $$status; }

## ---- tools

tools: bin/temporal $(GOLANGCI_LINT) $(WORKFLOWCHECK) $(GOVULNCHECK) ## Build all tools

$(GOLANGCI_LINT): | bin
	@echo "building golangci-lint $(GOLANGCI_LINT_VERSION), once"
	$(call watched,GOBIN="$(CURDIR)/bin" $(GO) install -v github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION))
	@mv bin/golangci-lint $@

$(WORKFLOWCHECK): | bin
	@echo "building workflowcheck $(WORKFLOWCHECK_VERSION), once"
	$(call watched,GOBIN="$(CURDIR)/bin" $(GO) install -v go.temporal.io/sdk/contrib/tools/workflowcheck@$(WORKFLOWCHECK_VERSION))
	@mv bin/workflowcheck $@

$(GOVULNCHECK): | bin
	@echo "building govulncheck $(GOVULNCHECK_VERSION), once"
	$(call watched,GOBIN="$(CURDIR)/bin" $(GO) install -v golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION))
	@mv bin/govulncheck $@

# The command that `go install` makes is called server, and sql: a folder of its
# own, lest it take the place of another.
$(TEMPORAL_SERVER): | bin
	@echo "building the Temporal server $(TEMPORAL_VERSION), once; this takes two to five minutes"
	$(call watched,GOBIN="$(CURDIR)/bin/.temporal-server" $(GO) install -v -ldflags "-s -w" go.temporal.io/server/cmd/server@$(TEMPORAL_VERSION))
	@mv bin/.temporal-server/server $@ && rmdir bin/.temporal-server

$(TEMPORAL_SQL_TOOL): | bin
	@echo "building Temporal's SQL tool $(TEMPORAL_VERSION), once"
	$(call watched,GOBIN="$(CURDIR)/bin/.temporal-sql-tool" $(GO) install -v -ldflags "-s -w" go.temporal.io/server/cmd/tools/sql@$(TEMPORAL_VERSION))
	@mv bin/.temporal-sql-tool/sql $@ && rmdir bin/.temporal-sql-tool

bin:
	@mkdir -p bin

clean: ## Remove what was built
	rm -rf bin
