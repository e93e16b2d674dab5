#!/usr/bin/env bash
# Runs the contract tests; arguments go to forge. Without arguments it also checks, as one test each, what transactions
# cost, the published vectors and the documentation of the interface. The last line says how it went:
#   contracts: N passed, N failed, N skipped
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/tools/env.sh"

log=$(mktemp)
trap 'rm -f "$log"' EXIT

"$forge" test --offline "$@" 2>&1 | tee "$log"
status=${PIPESTATUS[0]}

read -r passed failed skipped < <(sed -e 's/\x1b\[[0-9;]*m//g' "$log" |
  sed -n 's/^Ran [0-9]* test suites\{0,1\}.*: \([0-9]*\) tests\{0,1\} passed, \([0-9]*\) failed, \([0-9]*\) skipped.*/\1 \2 \3/p' |
  tail -n 1)
if [ -z "${skipped:-}" ]; then
  passed=0 failed=0 skipped=0
  [ "$status" -ne 0 ] || status=1
fi

# Runs a check and counts it.
check() {
  local name=$1
  shift
  if "$@"; then
    echo "[PASS] $name"
    passed=$((passed + 1))
  else
    echo "[FAIL] $name"
    failed=$((failed + 1))
    status=1
  fi
}

if [ $# -eq 0 ]; then
  check "gas" node tools/measure_gas.mjs --check
  check "voucher vectors" node tools/make_voucher_vectors.mjs --check
  check "natspec" node tools/check_natspec.mjs
fi

echo "contracts: $passed passed, $failed failed, $skipped skipped"
exit "$status"
