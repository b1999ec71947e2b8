#!/usr/bin/env bash
# Backup of a file tree beside `zstd -T2 -1` on the same bytes, in the same rounds: to one
# directory device and to two at once. Both sides end with their copy durable: zstd's file is synced,
# planc syncs all it writes before it commits. tests/bench/tree.sh [MIB] [ROUNDS]
set -euo pipefail
cd "$(dirname "$0")/../.."
mib=${1:-3072} rounds=${2:-3}
work=${BENCH_DIR:-/tmp/planc-bench}/tree
mkdir -p "$work"
cargo build --release --quiet
[ -d "$work/tree-$mib" ] || python3 tests/bench/tree.py "$work/tree-$mib" "$mib"
find "$work/tree-$mib" -type f | sort > "$work/files"
planc=$PWD/target/release/planc
for devices in one two; do
    copy=; [ $devices = two ] && copy='copy to b within 1h'
    cat > "$work/$devices.plan" <<PLAN
planc 1
plan $devices
timezone UTC
environment bench inventory "$devices.yaml"
backup tree of service tree {
  physical full every day at 02:00
  store on a
  $copy
  retain last 1
  compress zstd 1
}
PLAN
    cat > "$work/$devices.yaml" <<YAML
inventory: 1
sites: {here: {}, there: {}}
hosts: {box: {site: here}, far: {site: there}}
services: {tree: {engine: files, host: box, path: tree-$mib}}
devices:
  a: {host: box, path: $devices-a}
  b: {host: far, path: $devices-b}
state: $devices-state
YAML
done
fresh() { # a device of its own for each run
    echo "rm -rf $work/$1-*; mkdir -p $work/$1-a $work/$1-b; cd $work;" \
        "$planc device init -p $1.plan --all >/dev/null"
}
cat > "$work/prepare" <<PREPARE
$(fresh one)
$(fresh two)
[ ! -f $work/out.zst ] || mv -f $work/out.zst $work/last.zst
sync
cat \$(cat $work/files) > /dev/null
PREPARE
PREPARE="bash $work/prepare" python3 tests/bench/measure.py "$rounds" \
    "zstd-T2-1=cat \$(cat $work/files) | zstd -q -T2 -1 -o $work/out.zst; sync $work/out.zst" \
    "planc-one=cd $work; $planc run one.plan tree --quiet" \
    "planc-two=cd $work; $planc run two.plan tree --quiet"
du -sm "$work/last.zst" "$work/two-a" "$work/two-b"

# Reading it back: verification beside `zstd -t`, restore from one device and from two beside
# `zstd -d`.
cat > "$work/prepare" <<PREPARE
rm -rf $work/restored $work/plain
sync
cat $work/last.zst $work/two-a/packs/*/* $work/two-b/packs/*/* > /dev/null
PREPARE
restore="cd $work; $planc restore tree --plan two.plan --to $work/restored --yes --quiet"
PREPARE="bash $work/prepare" python3 tests/bench/measure.py "$rounds" \
    "zstd-d=zstd -dqf $work/last.zst -o $work/plain; sync $work/plain" \
    "zstd-t=zstd -tq $work/last.zst" \
    "planc-verify-one=cd $work; $planc verify --plan two.plan --device a --quiet" \
    "planc-restore-one=$restore --from a" \
    "planc-restore-two=$restore"
diff -r "$work/tree-$mib" "$work/restored"
