#!/usr/bin/env bash
# planc beside restic and borg on one tree: first backup, second with 1 % changed, restore; wall
# time, peak memory and stored bytes. Ratios are to planc. restic always encrypts, so planc and
# borg are run both ways. tests/bench/trees.sh [MIB] [ROUNDS] [release|debug]
set -euo pipefail
cd "$(dirname "$0")/../.."
mib=${1:-2048} rounds=${2:-3} profile=${3:-release}
for program in restic borg; do
    command -v $program >/dev/null || { echo "$program is not installed" >&2; exit 2; }
done
work=${BENCH_DIR:-/tmp/planc-bench}/trees
mkdir -p "$work"
flags=; [ "$profile" = release ] && flags=--release
cargo build $flags --quiet
[ -d "$work/tree-$mib" ] || python3 tests/bench/tree.py "$work/tree-$mib" "$mib"
exec python3 tests/bench/trees.py "$PWD/target/$profile/planc" "$work/tree-$mib" "$work" "$rounds"
