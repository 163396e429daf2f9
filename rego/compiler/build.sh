#!/bin/sh
# Rebuilds the embedded OPA from this folder, bit for bit: build.sh [OUT]
# Needs the Go release that go.mod names; everything else that could differ is pinned here.
set -eu
cd "$(dirname "$0")"
out=${1:-opa.wasm.br}
wanted=$(sed -n 's/^toolchain //p' go.mod)
export GOTOOLCHAIN="$wanted"
found=$(go env GOVERSION)
if [ "$found" != "$wanted" ]; then
  echo "build.sh: needs $wanted, found $found" >&2
  exit 3
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
GOFLAGS=-mod=readonly GOOS=wasip1 GOARCH=wasm GOWASM= CGO_ENABLED=0 GOEXPERIMENT= \
  go build -trimpath -buildvcs=false -ldflags='-s -w -buildid=' -o "$work/opa.wasm" .
case $out in
*.br) node pack.ts "$work/opa.wasm" "$out" ;;
*) cp "$work/opa.wasm" "$out" ;;
esac
