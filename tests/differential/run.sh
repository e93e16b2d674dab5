#!/usr/bin/env bash
# Compares our crypto and codecs with independent implementations in JavaScript, on random cases.
# Usage: run.sh [path to myst_differential] [--seed N] [--count N per operation]
# Without a path it builds and takes the program of the first configured build: release, asan or dev.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

if ! command -v node >/dev/null || [[ ! -d $root/contracts/node_modules/viem ]]; then
    echo "SKIPPED: node or its packages are missing; run 'npm ci' in contracts/ first"
    echo "differential: 0 passed, 0 failed, 1 skipped"
    exit 0
fi

program=""
if [[ $# -gt 0 && $1 != --* ]]; then
    program=$1
    shift
else
    for preset in release asan dev; do
        if [[ -f $root/build/$preset/build.ninja ]]; then
            cmake --build "$root/build/$preset" --target myst_differential
            program=$root/build/$preset/tests/differential/myst_differential
            break
        fi
    done
fi
if [[ ! -x $program ]]; then
    echo "myst_differential is missing; configure a build first, for instance 'cmake --preset release'"
    echo "differential: 0 passed, 1 failed, 0 skipped"
    exit 1
fi
exec node "$here/differential.mjs" "$program" "$@"
