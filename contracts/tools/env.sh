# Sourced by the scripts of this folder: enters it, installs the locked packages if they are not there, finds forge.
# No install script of any package is run; the binary comes with the package of the platform.
cd "$(dirname "${BASH_SOURCE[0]}")/.."

find_forge() {
  local found
  for found in node_modules/@foundry-rs/forge-*/bin/forge; do
    if [ -x "$found" ]; then echo "$found"; fi
  done
}

forge=$(find_forge)
if [ -z "$forge" ] || [ ! -e node_modules/solc/soljson.js ]; then
  npm ci --ignore-scripts --no-audit --no-fund >&2
  forge=$(find_forge)
fi
if [ -z "$forge" ]; then
  echo "contracts: no forge in node_modules; its package exists for Linux on x86-64 only" >&2
  exit 1
fi
