#!/usr/bin/env bash
# Compiles the contracts, offline once the packages are installed.
# Leaves ABI and bytecode in out/Lanes.sol/Lanes.json and out/MystToken.sol/MystToken.json.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/tools/env.sh"

"$forge" build --offline --skip test "$@"

for name in Lanes MystToken; do
  file="out/$name.sol/$name.json"
  [ -s "$file" ] || { echo "contracts: $file was not written" >&2; exit 1; }
done
