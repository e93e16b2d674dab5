# Everything a person or a CI machine asks for. `make` alone prints this list.
#   make demo KEEP=1     leaves the network running afterwards
#   make test JOBS=4     parallel jobs; default: number of processors

JOBS ?= $(shell nproc)
export MYST_JOBS := $(JOBS)
export KEEP
MAKEFLAGS += --no-print-directory

.PHONY: help install build contracts demo test test-long test-geth mutants bench-aead bench-pay bench-db bench-stores bench-tunnel bench-metering bench-peers bench-network bench-scale lint format clean

help:
	@echo 'make demo       install, build, and run the paid tunnel in network namespaces (KEEP=1 leaves it running)'
	@echo 'make test       install, build, and run every test'
	@echo 'make test-long  the same with more random cases; takes much longer'
	@echo 'make test-geth  the chain code against a real geth, which is built if there is Go and none is installed'
	@echo 'make mutants    plant bugs in a copy, and see that the tests notice'
	@echo 'make bench-aead  how fast packets are encrypted, by every back-end that this machine has'
	@echo 'make bench-db   how many records one core and this disk can take, and how fast they are found'
	@echo 'make bench-network  how fast records spread between 32 daemons in network namespaces, and what they stand'
	@echo 'make bench-stores  SQLite, LMDB and RocksDB at the work of the record store'
	@echo 'make bench-tunnel  our WireGuard beside wireguard-go, OpenVPN and Shadowsocks; root, on an idle machine'
	@echo 'make bench-metering  what metering and the payment gate cost the data plane; root'
	@echo 'make bench-peers  our WireGuard with up to 10,000 peers on one device'
	@echo 'make bench-pay  how many payments one core and this disk can take; on an idle machine'
	@echo 'make bench-scale  what a full node costs in networks of many, simulated'
	@echo 'make build      release build of mystd and myst in build/release/cmd'
	@echo 'make lint       layers, banned patterns, clang-format, clang-tidy over everything'
	@echo 'make format     rewrite the C++ sources with clang-format'
	@echo 'make install    Debian and npm packages only'
	@echo 'make clean      remove build/ and the compiled contracts'

install:
	@tools/install.sh

build: install
	@tools/build.sh release mystd myst

contracts: install
	@contracts/build.sh

demo: build contracts
	@tools/demo.py

test:
	@tools/test.sh

test-long:
	@tools/test.sh --long

test-geth: install
	@tools/test_geth.sh

mutants: install
	@tools/mutants.py

bench-db: install
	@tools/build.sh release bench_db bench_relay myst_interop_relay
	@mkdir -p bench/results
	@build/release/bench/bench_db bench/results/db.json
	@bench/relay.py bench/results/db.json

bench-network: install
	@tools/build.sh release mystd myst bench_network
	@mkdir -p bench/results
	@tools/network.py --profile long --result bench/results/db.json

bench-stores:
	@tools/install.sh --bench
	@cmake --preset release >/dev/null
	@tools/build.sh release bench_stores
	@mkdir -p bench/results
	@build/release/bench/bench_stores bench/results/stores.json

bench-tunnel:
	@tools/install.sh --bench
	@tools/fetch_peers.sh || true
	@cmake --preset release >/dev/null
	@tools/build.sh release mystd bench_tunnel_end bench_metering
	@mkdir -p bench/results
	@bench/tunnel.py bench/results/tunnel.json
	@build/release/bench/bench_metering bench/results/tunnel.json

bench-metering: install
	@tools/build.sh release bench_metering
	@mkdir -p bench/results
	@build/release/bench/bench_metering bench/results/tunnel.json

bench-peers: install
	@tools/build.sh release bench_peers
	@mkdir -p bench/results
	@build/release/bench/bench_peers bench/results/tunnel.json

bench-pay: install
	@tools/build.sh release bench_pay
	@mkdir -p bench/results
	@build/release/bench/bench_pay bench/results/pay.json

bench-aead: install
	@tools/build.sh release bench_aead
	@mkdir -p bench/results
	@build/release/bench/bench_aead bench/results/aead.json

bench-scale: install
	@tools/build.sh release bench_scale
	@mkdir -p bench/results
	@build/release/bench/bench_scale bench/results/scale.json

lint: install
	@tools/run_tests.py --only lint tidy --all-files

format: install
	@git ls-files -z -co --exclude-standard '*.cpp' '*.hpp' | xargs -0 clang-format -i

clean:
	@rm -rf build contracts/out contracts/cache
