#!/usr/bin/env bash
# A catalog of many parts: rebuilt from a directory device (manifests a second, peak memory), then
# asked by `planc list` with a filter. tests/bench/catalog.sh [PARTS] [ROUNDS] [release|debug]
set -euo pipefail
cd "$(dirname "$0")/../.."
parts=${1:-1000000} rounds=${2:-5} profile=${3:-release}
work=${BENCH_DIR:-/tmp/planc-bench}/catalog-$parts
mkdir -p "$work"
flags=; [ "$profile" = release ] && flags=--release
cargo build $flags --quiet --example bench_catalog
cargo build $flags --quiet
bench=$PWD/target/$profile/examples/bench_catalog planc=$PWD/target/$profile/planc
[ -d "$work/device" ] || "$bench" fill "$work/device" "$parts"
state=$work/state/many@bench
rm -rf "$work/state"
mkdir -p "$state"
"$bench" rebuild "$work/device" "$state/catalog.sqlite"
ls -l "$state/catalog.sqlite" | awk '{printf "catalog: %.0f MiB\n", $5 / 1048576}'
cat > "$work/many.plan" <<PLAN
planc 1
plan many
timezone UTC
environment bench inventory "many.yaml"
backup nightly of service many {
  physical full every day at 02:00
  store on a
  retain last 1
  encrypt none
}
PLAN
cat > "$work/many.yaml" <<YAML
inventory: 1
sites: {here: {}}
hosts: {box: {site: here}, far: {site: here}}
services: {many: {engine: files, host: box, path: many}}
devices: {a: {host: far, path: device}}
state: state
YAML
python3 tests/bench/measure.py "$rounds" \
    "list-component=cd $work; $planc list --plan many.plan --component many/files/c00042" \
    "list-json=cd $work; $planc list --plan many.plan --component many/files/c04711 --format json"
