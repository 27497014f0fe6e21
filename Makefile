# raftmig: see README.md. Each target is short; `make help` lists them.
GO        ?= go
BIN       ?= bin/raftmig
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS   := -s -w -X main.version=$(VERSION)
REHEARSAL ?= rehearsal
# Where `make kafka` puts the jars, and raftmig looks for them.
KAFKA     ?= .cache/kafka
# Packages with goroutines run under the race detector, the others without it.
RACE_PKGS ?= $(shell $(GO) list ./orderer/blockledger/... ./orderer/broadcast/... ./orderer/cluster/... ./orderer/comm/... \
             ./orderer/consensus/... ./orderer/deliver/... ./orderer/flogging/... ./orderer/follower/... ./orderer/msp/... ./orderer/multichannel/... \
             ./orderer/onboarding/... ./orderer/channelparticipation/... \
             ./orderer/operations/... ./orderer/server/... ./orderer/metrics/... ./runbook/driver/... ./runbook/journal/... \
             ./runbook/remote/... ./runbook/internal/... ./fabricops/... ./testnet/... ./tui/...)
UNIT_PKGS ?= $(filter-out $(RACE_PKGS),$(shell $(GO) list ./...))

.DEFAULT_GOAL := help
.PHONY: help build test unit race e2e long interop torture kafka kafka-faults rehearse lint fmt fuzz golden cover bench bench-migration microbench clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the one static binary into bin/
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/raftmig

test: lint unit race e2e ## everything that must pass (under 10 minutes on 2 cores)

unit: ## fast tests of the packages without goroutines
	$(GO) test -short $(UNIT_PKGS)

race: ## fast tests of the packages with goroutines, under the race detector
	$(GO) test -short -race $(RACE_PKGS)

e2e: build ## real processes: rehearsals, rollbacks, crashes
	RAFTMIG_BIN=$(abspath $(BIN)) $(GO) test -count=1 -p 1 -timeout 20m ./cmd/raftmig ./testnet

long: build ## what -short leaves out in the engine and in fabricops: crashes, full disks, sizes, restarts under load
	RAFTMIG_BIN=$(abspath $(BIN)) $(GO) test -count=1 -p 1 -timeout 30m ./orderer/server ./orderer/consensus/etcdraft ./fabricops

interop: build ## compare with real Fabric: FABRIC_BIN_DIR=folder with its programs
	@RAFTMIG_BIN=$(abspath $(BIN)) FABRIC_BIN_DIR=$(if $(FABRIC_BIN_DIR),$(abspath $(FABRIC_BIN_DIR))) .ci/interop

torture: build ## kill the runner at every record of its journals, 10,000 simulated Raft clusters (about 20 minutes)
	SIM_SEEDS=10000 $(GO) test -count=1 -timeout 30m -run TestSimulation ./orderer/consensus/etcdraft
	RAFTMIG_BIN=$(abspath $(BIN)) RAFTMIG_EVERY_RECORD=1 $(GO) test -count=1 -timeout 60m -run TestARunThatIsKilledAtAnyRecord ./cmd/raftmig

rehearse: build ## a whole migration on a network on this machine
	@rm -rf $(REHEARSAL)
	@$(BIN) rehearse --dir $(REHEARSAL)

kafka: $(KAFKA)/libs/.complete ## fetch Apache Kafka and ZooKeeper (testnet/apache/pom.xml) into .cache

$(KAFKA)/libs/.complete: testnet/apache/pom.xml
	@command -v java >/dev/null && command -v mvn >/dev/null || { echo 'make kafka needs Java 17 and Maven: apt-get install openjdk-17-jre-headless maven'; exit 1; }
	@rm -rf $(KAFKA)/libs && mkdir -p $(KAFKA)
	mvn -B -q -f $< dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=$(abspath $(KAFKA))/libs
	@touch $@

kafka-faults: kafka build ## brokers and ZooKeeper nodes die in every phase, on real Kafka (about half an hour)
	RAFTMIG_BIN=$(abspath $(BIN)) RAFTMIG_KAFKA_REQUIRED=1 RAFTMIG_KAFKA_FAULTS=1 RAFTMIG_EVERY_PHASE=1 $(GO) test -count=1 -v -timeout 150m -run 'TestRealKafka|TestTheBrokersDie' ./cmd/raftmig

lint: ## formatting and vet
	@test -z "$$(gofmt -l cmd fabricops orderer runbook testnet tui)" || { gofmt -l cmd fabricops orderer runbook testnet tui; echo 'run: make fmt'; exit 1; }
	$(GO) vet ./...

fmt: ## gofmt everything
	gofmt -w cmd fabricops orderer runbook testnet tui

golden: ## rewrite golden files; review the diff before committing it
	$(GO) test ./tui/... -update
	$(GO) test ./runbook/... ./orderer/... -rewrite

fuzz: ## each fuzz target for 30 s (FUZZTIME=…)
	.ci/fuzz $(or $(FUZZTIME),30s)

bench: build ## ordering measured end to end, beside real Fabric with FABRIC_BIN_DIR; BENCH="--rounds 5 --json"
	$(BIN) bench --consensus etcdraft,kafka $(BENCH)

bench-migration: build ## 20 channels by raftmig, and by the plan's commands with Fabric's tools (FABRIC_BIN_DIR)
	RAFTMIG_BIN=$(abspath $(BIN)) FABRIC_BIN_DIR=$(if $(FABRIC_BIN_DIR),$(abspath $(FABRIC_BIN_DIR))) \
	  $(GO) test -run '^$$' -bench MigrationOf20Channels -benchtime 1x ./cmd/raftmig

microbench: ## micro-benchmarks of the hot paths
	$(GO) test -run '^$$' -bench . -benchmem ./orderer/...

cover: ## coverage by package
	$(GO) test -short -coverprofile=cover.out ./... && $(GO) tool cover -func=cover.out | tail -1

clean: ## remove what the targets made
	rm -rf bin $(REHEARSAL) cover.out
