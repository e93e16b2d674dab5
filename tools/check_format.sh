#!/usr/bin/env bash
# Fails if clang-format would change a C++ file of the project; `make format` rewrites them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
find . \( -name build -o -name node_modules -o -name .git \) -prune -o \( -name '*.cpp' -o -name '*.hpp' \) -print0 |
  xargs -0 -r -P "$(nproc)" -n 20 clang-format --dry-run -Werror
