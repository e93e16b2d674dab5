#!/usr/bin/env bash
# Installs what building, testing and the demo need: Debian packages, the npm packages of the contracts, and the npm and
# Python packages that our relay is tested with, and a second wireguard-go.
# With --bench also what ours is measured against: stores (docs/adr/0007-record-store.md) and tunnels, and tools around them.
# Does nothing, quickly, when everything is there. Needs root (or sudo) only when a Debian package is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=(
  # tools
  make cmake ninja-build g++ ccache pkg-config curl ca-certificates python3 procps util-linux
  clang-format clang-tidy-16 clang-16 lld-16 libclang-rt-16-dev
  # libraries
  libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev libssl-dev libsecp256k1-dev libbotan-2-dev
  libsqlite3-dev libfmt-dev libspdlog-dev libcli11-dev libtomlplusplus-dev libexpected-dev
  libnftables-dev libnl-3-dev libnl-route-3-dev libnl-genl-3-dev
  libgtest-dev libgmock-dev librapidcheck-dev
  # what the system runs with, and the demo's site
  iproute2 nftables dnsmasq-base nginx-light
  # what tests compare ours with
  wireguard-go wireguard-tools
)
command -v node >/dev/null || packages+=(nodejs)
command -v npm >/dev/null || packages+=(npm)
python3 -m pip --version >/dev/null 2>&1 || packages+=(python3-pip)
[ "$(uname -m)" != x86_64 ] || packages+=(libipsec-mb-dev)
[ "${1:-}" != --bench ] || packages+=(
  liblmdb-dev librocksdb-dev iperf3 iputils-ping openvpn openssl shadowsocks-libev
)

say() { printf 'install: %s\n' "$*"; }

missing_packages() {
  comm -23 <(printf '%s\n' "${packages[@]}" | sort) \
    <(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null | sed -n 's/^installed //p' | sort)
}

# Debian starts a service when it is installed; none of these shall run, least of all nginx on port 80.
forbid_service_starts() {
  [ -e /usr/sbin/policy-rc.d ] && return
  printf '#!/bin/sh\nexit 101\n' | $sudo tee /usr/sbin/policy-rc.d >/dev/null
  $sudo chmod +x /usr/sbin/policy-rc.d
  trap '$sudo rm -f /usr/sbin/policy-rc.d' EXIT
}

install_packages() {
  local missing=("$@") log
  if [ "$(id -u)" -eq 0 ]; then sudo=""; elif command -v sudo >/dev/null; then sudo="sudo"; else
    say "missing Debian packages: ${missing[*]}" >&2
    say "run as root: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  say "${#missing[@]} Debian packages: ${missing[*]}"
  forbid_service_starts
  log=$(mktemp)
  local apt=($sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
  if ! { "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
    tail -n 40 "$log" >&2
    say "apt-get failed; the whole log is in $log" >&2
    exit 1
  fi
  rm -f "$log"
}

# The lockfile pins every version and checksum; no package's install script is run.
install_npm_packages() {
  local folder=$1 stamp=$1/node_modules/.installed-from wanted log=build/npm.log
  wanted="$(sha256sum "$folder/package-lock.json" | cut -d' ' -f1) node $(node --version)"
  [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
  say "npm packages of $folder/package-lock.json"
  mkdir -p build
  if ! (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund) >"$log" 2>&1 </dev/null; then
    tail -n 40 "$log" >&2
    say "npm ci failed; the whole log is in $log" >&2
    exit 1
  fi
  printf '%s\n' "$wanted" >"$stamp"
}

# Compiled for some machines only; where there is none, the tests that need it are skipped, and say so.
install_python_packages() {
  local list=tests/interop/requirements.txt folder=build/interop/python wanted log=build/pip.log
  wanted="$(sha256sum "$list" | cut -d' ' -f1)"
  [ "$(cat "$folder/.installed-from" 2>/dev/null)" = "$wanted" ] && return
  say "Python packages of $list"
  rm -rf "$folder"
  mkdir -p "$folder"
  if python3 -m pip install --quiet --no-deps --only-binary :all: --require-hashes --target "$folder" -r "$list" \
    >"$log" 2>&1 </dev/null; then
    printf '%s\n' "$wanted" >"$folder/.installed-from"
  else
    say "pip failed, see $log; the tests with an independent relay will be skipped" >&2
    rm -rf "$folder"
  fi
}

mapfile -t missing < <(missing_packages)
[ "${#missing[@]}" -eq 0 ] || install_packages "${missing[@]}"
major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
if [ "$major" -lt 18 ]; then
  say "node $(node --version) is too old; install Debian's nodejs (18) or a newer one" >&2
  exit 1
fi
install_npm_packages contracts
install_npm_packages tests/interop
install_python_packages
tools/fetch_peers.sh || say "the tests against wireguard-go of 2023 will be skipped" >&2
