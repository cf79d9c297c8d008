# Short names for what is done often. What must hold is told in one place, .ci/run.

.PHONY: build test lint generate check-generated fuzz bench builtin

# How long each fuzz target runs, as for go test -fuzztime.
export FUZZTIME ?= 10000x

build: # one static binary, bin/walletscreen
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/walletscreen

test:
	.ci/run install test

lint:
	.ci/run format vet staticcheck contract tidy

generate:
	go tool -modfile=.ci/tools.mod buf generate

check-generated:
	.ci/run generated

fuzz:
	.ci/run fuzz

bench:
	go test -run '^$$' -bench . -benchmem ./...

builtin: # regenerates loader/builtin from the downloaded publications
	go run ./loader/builtin/make -data ../shared/data
