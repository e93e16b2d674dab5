#!/usr/bin/env bash
# Runs the tests against a real execution client, go-ethereum's `geth --dev`; the last line is the counts.
# Takes the geth of the PATH or of build/geth/bin; without either, a Go toolchain builds the pinned version there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=v1.16.9 # the newest that builds from the Go module mirror alone
go_needed=1.24
folder=$PWD/build/geth/bin

skip() {
  echo "SKIPPED geth: $*"
  echo "geth: 0 passed, 0 failed, 1 skipped"
  exit 0
}

go_is_new_enough() {
  command -v go >/dev/null || return 1
  local found
  found=$(GOTOOLCHAIN=local go env GOVERSION)
  [ "$(printf '%s\n' "$go_needed" "${found#go}" | sort -V | head -n 1)" = "$go_needed" ]
}

if geth=$(command -v geth); then
  :
elif [ -x "$folder/geth" ]; then
  geth=$folder/geth
elif ! go_is_new_enough; then
  skip "there is no geth, and no Go $go_needed or newer to build it;" \
    "install one of them, or put geth into build/geth/bin"
else
  mkdir -p "$folder"
  log=build/geth/install.log
  echo "geth: go install github.com/ethereum/go-ethereum/cmd/geth@$version"
  if ! GOTOOLCHAIN=local GOBIN=$folder go install "github.com/ethereum/go-ethereum/cmd/geth@$version" >"$log" 2>&1; then
    tail -n 5 "$log"
    skip "go install failed, see $log; without access to a Go module mirror, put geth into build/geth/bin"
  fi
  geth=$folder/geth
fi
echo "geth: $geth, $("$geth" version | sed -n 's/^Version: //p')"

contracts/build.sh
tools/build.sh release myst_chain_geth_test
report=build/geth/report.xml
mkdir -p build/geth
rm -f "$report"
status=0
MYST_GETH=$geth timeout 900 build/release/src/myst/chain/myst_chain_geth_test --gtest_output="xml:$report" || status=$?
exec python3 - "$report" "$status" <<'PY'
import sys
from pathlib import Path

sys.path.insert(0, "tools")
from test_outcome import Finished, ctest_program

report = Path(sys.argv[1])
outcome = ctest_program("geth", Finished(int(sys.argv[2]), "", report), report, None)
for each in outcome.failed:
    print(f"FAILED {each}")
for each in outcome.skipped:
    print(f"SKIPPED {each}")
print(f"geth: {outcome.counts()}")
sys.exit(1 if outcome.failed or outcome.passed == 0 else 0)
PY
