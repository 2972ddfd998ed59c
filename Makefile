# SPDX-License-Identifier: Apache-2.0

# `make help` lists the targets.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
PREFIX  ?= /usr/local
DESTDIR ?=
BIN     := bin

# sudo may not look where Go is usually installed.
export PATH := $(PATH):/usr/local/go/bin

GO_BUILD := CGO_ENABLED=0 go build -trimpath -buildvcs=false
# Number of runs, or duration, of each fuzz target.
FUZZTIME ?= 10000x
# `go test`, with the longest durations and the messages of failed tests at the end.
GO_TEST := go run ./test/gotest -count=1 -timeout 30m

# One set of flags for tests, programs and linters, so that each package is compiled once for a platform.
export GOFLAGS := $(filter-out -trimpath -buildvcs=false,$(GOFLAGS)) -trimpath -buildvcs=false
export CGO_ENABLED := 0

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: build-shim ## build runc-trace and tracectl into bin/ (static; GOARCH=arm64 for the other one)
	$(GO_BUILD) -ldflags "-s -w -X main.version=$(VERSION)" -o $(BIN)/tracectl ./cmd/tracectl

# With its own entry point, descriptors that the caller left closed stay closed for the runtime: pkg/shim/entry_linux_amd64.s.
.PHONY: build-shim
build-shim: check-go
	$(GO_BUILD) -ldflags "-s -w -E runc_trace_entry" -o $(BIN)/runc-trace ./cmd/runc-trace

.PHONY: check-go
check-go:
	@command -v go >/dev/null || { echo "Go is missing: install Go 1.26 or newer"; exit 2; }

.PHONY: deps
deps: ## install what tests, demo and code generation need (Debian; root)
	@sh test/deps.sh

.PHONY: generate
generate: ## generate files again: eBPF objects, the contract's Go types, tables, default config, man pages
	go generate ./...

.PHONY: check-generated
check-generated: ## fail if a generated file differs from what generating it again gives
	@sh test/check-generated.sh

.PHONY: report-page
report-page: check-go ## build the page of tracectl report from web/ into pkg/report/page
	sh web/build.sh

.PHONY: test-report
test-report: deps ## check the types of web/, and open reports in a headless Chromium; UPDATE=1 takes docs' pictures again
	cd web && npm ci --no-audit --no-fund --loglevel=error && npm run --silent check
	go test -count=1 ./pkg/report ./test/report $(if $(UPDATE),-args -update)

.PHONY: lint
lint: ## gofmt, go vet, staticcheck, errorlint, misspell, the shim's imports, line lengths, and plain English
	@unformatted=$$(gofmt -l cmd pkg test install); [ -z "$$unformatted" ] || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	go vet ./...
	GOARCH=arm64 go vet ./...
	GOOS=darwin GOARCH=arm64 go build -o /dev/null ./cmd/tracectl
	go tool staticcheck ./...
	go tool go-errorlint ./...
	git ls-files | grep -vE 'testdata/|go\.sum|_bpfel|/zz_' | xargs go tool misspell -error
	go test -count=1 -run TestImports ./pkg/shim
	go test -count=1 ./test/style

# Packages with tests that need neither root nor a kernel. Those of CONCURRENT start goroutines or share memory: in the
# others, the race detector finds nothing, and triples the time.
UNIT       := ./cmd/... ./pkg/... ./test/architecture ./test/conformance ./test/gotest ./test/machine ./test/oracle ./test/style
CONCURRENT := ./cmd/tracectl ./pkg/agent ./pkg/bpf ./pkg/cluster ./pkg/hostns ./pkg/ring ./pkg/straceback ./pkg/syscalls ./pkg/terminal ./pkg/unregistered
UNIT_TEST  := $(BIN)/gotest -short -parallel 8 -ldflags='-s -w' $(if $(filter 0,$(shell id -u)),-exec $(CURDIR)/test/unprivileged.sh)

.PHONY: unit
unit: check-go ## tests that need neither root nor a kernel, with the race detector (30 seconds; root runs them as nobody)
	go build -o $(BIN)/gotest ./test/gotest
	GORACE=atexit_sleep_ms=0 GOGC=400 CGO_ENABLED=1 $(UNIT_TEST) -race $(CONCURRENT)
	$(UNIT_TEST) $$(go list $(UNIT) | grep -vxF "$$(go list $(CONCURRENT))")

.PHONY: test
test: check-go deps lint check-generated unit fuzz ## all checks: lint, generated files, unit, kernel and end-to-end tests, fuzz targets (root)
	$(GO_TEST) ./...
	cd web && npm ci --no-audit --no-fund --loglevel=error && npm run --silent check
	@$(MAKE) --no-print-directory test-manifests

.PHONY: fuzz
fuzz: check-go ## every fuzz target, from its seeds, FUZZTIME=10000x times
	@sh test/fuzz.sh $(FUZZTIME)

.PHONY: test-manifests
test-manifests: check-go ## test the contents of image, manifests and chart, and that kustomize and Helm make the same objects
	go build -o $(BIN)/gotest ./test/gotest
	cd install/image && go vet ./... && $(CURDIR)/$(BIN)/gotest -count=1 ./...
	cd test/kubernetes/manifests && go vet ./... && $(CURDIR)/$(BIN)/gotest -count=1 ./...
	for tool in staticcheck go-errorlint; do tool=$$(go tool -n $$tool) && (cd install/image && $$tool ./...) && (cd test/kubernetes/manifests && $$tool ./...) || exit; done

.PHONY: e2e
e2e: check-go deps ## containerd, CRI-O, Docker and Podman, with and without runc-trace (root; 10 minutes, 20 the first time)
	@sh test/engines/deps.sh
	@sh test/engines/build.sh
	RUNC_TRACE_ENGINES=1 $(GO_TEST) ./pkg/engine
	RUNC_TRACE_ENGINES=1 $(GO_TEST) ./test/engines
	go build -o $(BIN)/gotest ./test/gotest
	cd install/image && RUNC_TRACE_ENGINES=1 $(CURDIR)/$(BIN)/gotest -count=1 -run TestContainerd .

.PHONY: e2e-k8s
e2e-k8s: check-go deps ## all of runc-trace on a real Kubernetes of two nodes (root; 10 minutes, 20 the first time)
	@sh test/kubernetes/deps.sh
	@sh test/engines/build.sh containerd
	@sh test/kubernetes/build.sh
	RUNC_TRACE_KUBERNETES=1 go test -count=1 -v -timeout 45m ./test/kubernetes

.PHONY: conformance
conformance: check-go deps ## runc's own tests, with runc and with runc-trace: prints different results (root)
	@sh test/conformance/deps.sh
	go run ./test/conformance

.PHONY: conformance-quick
conformance-quick: check-go deps ## the same, only with the newest runc and the tracer loaded (root)
	@sh test/conformance/deps.sh
	go run ./test/conformance -quick

.PHONY: oracle
oracle: deps build ## compare recordings of real programs with strace's logs; PROGRAMS=git,curl: those (root; 5 minutes)
	@sh test/oracle/deps.sh
	go run ./test/oracle -programs "$(PROGRAMS)"

.PHONY: ci
ci: check-go ## what CI runs: test, demo, e2e, conformance-quick (root; 20 minutes, 30 the first time)
	@bash test/ci.sh

.PHONY: test-systemd
test-systemd: check-go deps ## engines under systemd and pure cgroup v2, across a reboot, emulated by QEMU (root; 8 minutes)
	bash test/systemd/run.sh

.PHONY: test-causes
test-causes: deps ## containers that fail beside a busy neighbor: tracectl why has to say why (root; 3 minutes)
	RUNC_TRACE_BUSY=1 go test -count=1 -timeout 20m -run TestCauses ./test/e2e

.PHONY: soak
soak: deps ## long tests: 1,000 containers, 10,000 cycles (root; 2 minutes)
	RUNC_TRACE_SOAK=1 go test -count=1 -timeout 60m -v -run 'TestCyclesLeaveNothing|TestReplaceLosesNothing|TestNothingIsMissed' ./pkg/bpf ./test/e2e

.PHONY: test-kernels
test-kernels: deps ## the kernel tests on other kernels, emulated by QEMU (root; an hour)
	bash test/vm/run.sh

.PHONY: bench
bench: deps build ## measure the cost of tracing, and print the tables of docs/benchmarks.md; OLD=DIR: against that build (root)
	go run ./test/bench calls $(if $(OLD),-old $(OLD))
	go run ./test/bench classes $(if $(OLD),-old $(OLD))
	go run ./test/bench kept
	go run ./test/bench load $(if $(OLD),-old $(OLD))
	go run ./test/bench shim $(if $(OLD),-old $(OLD))
	go run ./test/bench answers
	go run ./test/bench cluster
	go test -run '^$$' -bench . -benchmem ./pkg/syscalls ./pkg/straceback ./pkg/answers

.PHONY: bench-retention
bench-retention: deps build ## what recordings know of servers after DURATION=10m of load; SERVERS=redis,nginx: those (root)
	@sh test/retention/deps.sh
	go run ./test/retention -duration $(or $(DURATION),10m) -servers "$(SERVERS)"

.PHONY: bench-k8s
bench-k8s: check-go deps ## measure the agent and the start of pods on a real Kubernetes (root; 4 minutes)
	@sh test/kubernetes/deps.sh
	@sh test/engines/build.sh containerd
	@sh test/kubernetes/build.sh
	RUNC_TRACE_KUBERNETES=1 RUNC_TRACE_BENCH=1 go test -count=1 -timeout 20m -v -run 'TestAgentCost|TestStartCost' ./test/kubernetes

.PHONY: demo
demo: build ## demonstrate it with real containers, in a few seconds (root)
	@bash test/demo/demo.sh

.PHONY: install
install: build ## install binaries, the default configuration, man pages and shell completion below $(DESTDIR)$(PREFIX)
	install -D -m 0755 $(BIN)/runc-trace $(DESTDIR)$(PREFIX)/bin/runc-trace
	install -D -m 0755 $(BIN)/tracectl $(DESTDIR)$(PREFIX)/bin/tracectl
	[ -e $(DESTDIR)/etc/runc-trace/config.toml ] || install -D -m 0644 install/config.toml $(DESTDIR)/etc/runc-trace/config.toml
	for page in docs/man/*.8; do install -D -m 0644 $$page $(DESTDIR)$(PREFIX)/share/man/man8/$$(basename $$page); done
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	GOARCH= CGO_ENABLED=0 go run ./cmd/tracectl completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/tracectl
	GOARCH= CGO_ENABLED=0 go run ./cmd/tracectl completion zsh >$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_tracectl
	GOARCH= CGO_ENABLED=0 go run ./cmd/tracectl completion fish >$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/tracectl.fish

.PHONY: packages
packages: check-go ## build deb, rpm and tarball for amd64 and arm64, with checksums, into dist/
	@VERSION=$(VERSION) sh install/packages/build.sh dist

.PHONY: plugin
plugin: check-go ## build kubectl's plugin for Linux and macOS, and its krew manifest, into dist/
	@VERSION=$(VERSION) sh install/krew/build.sh dist

.PHONY: image
image: check-go ## build the container image for amd64 and arm64, one OCI archive, into dist/
	@VERSION=$(VERSION) sh install/image/build.sh dist

.PHONY: images
images: packages ## build systemd-sysext and torcx images (Flatcar) of the tarballs, into dist/ (needs mksquashfs)
	@for tarball in $$(awk '/\.tar\.gz$$/ {print $$2}' dist/SHA256SUMS); do \
		sh install/sysext/build.sh dist/$$tarball dist && sh install/torcx/build.sh dist/$$tarball dist || exit; done

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BIN) dist web/node_modules
