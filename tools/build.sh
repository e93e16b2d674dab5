#!/usr/bin/env bash
# Configures (once) and builds one preset of CMakePresets.json:
#   tools/build.sh <preset> [target…]
# MYST_JOBS sets the number of parallel jobs; the default is the number of processors.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ $# -ge 1 ] || { echo "usage: tools/build.sh <preset> [target…]" >&2; exit 2; }
preset=$1
shift

# ccache refuses files with a precompiled header unless told that macros in them and their timestamps do not matter.
export CCACHE_SLOPPINESS=pch_defines,time_macros
# The compiler's own list of dependencies tells ccache what a file includes; no second preprocessor run for that.
export CCACHE_DEPEND=1

[ -f "build/$preset/build.ninja" ] || cmake --preset "$preset"
# Goes on after an error, to show all of them at once.
exec cmake --build "build/$preset" --parallel "${MYST_JOBS:-$(nproc)}" ${1:+--target "$@"} -- -k 0
