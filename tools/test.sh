#!/usr/bin/env bash
# Installs what is missing, then runs every test; arguments go to tools/run_tests.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools/install.sh
exec tools/run_tests.py "$@"
