#!/usr/bin/env bash
# Programs that ours is tested with and measured against, and that Debian 12 has in its backports only: taken from there
# into build/peers, beside what is installed. The suite's address is that of the machine's own Debian sources.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
wanted=build/peers/wireguard-go-2023
[ -x "$wanted" ] && exit 0
missed=build/peers/missed # touched when it could not be had: not to be asked for again today
[ -n "$(find "$missed" -mtime -1 2>/dev/null)" ] && exit 1
mkdir -p build/peers
touch "$missed"
mirror=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true; } |
  sed -nE 's/^(URIs:|deb( \[[^]]*\])?) *(https?:[^ ]*\/debian)\/?( .*)?$/\3/p' | head -n 1)
if [ -z "$mirror" ]; then
  echo "fetch_peers: no Debian mirror in /etc/apt: wireguard-go of 2023 will be left out" >&2
  exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
mkdir -p "$folder/lists/partial"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm-backports main" >"$folder/list"
apt=(apt-get -q -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20
  -o Dir::Etc::SourceList="$folder/list" -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$folder/lists")
"${apt[@]}" update >"$folder/log" 2>&1 || { tail -n 20 "$folder/log" >&2; exit 1; }
(cd "$folder" && "${apt[@]}" download wireguard-go >"$folder/log" 2>&1) || { tail -n 20 "$folder/log" >&2; exit 1; }
dpkg-deb -x "$folder"/wireguard-go_*.deb "$folder/content"
rm "$missed"
install -m 755 "$folder/content/usr/bin/wireguard-go" "$wanted"
echo "fetch_peers: $(basename "$folder"/wireguard-go_*.deb .deb) is $wanted"
