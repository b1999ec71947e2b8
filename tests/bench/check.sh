#!/usr/bin/env bash
# `planc check` of generated plans with 1 000 to 100 000 components: time, memory, cost of each.
# tests/bench/check.sh [ROUNDS]
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-5}
work=${BENCH_DIR:-/tmp/planc-bench}/check
mkdir -p "$work"
cargo build --release --quiet --bins --examples
for n in 1000 10000 100000; do
    mkdir -p "$work/$n"
    target/release/examples/large_plan "$work/$n" "$n"
    python3 tests/bench/measure.py "$rounds" \
        "$n-components=target/release/planc check $work/$n/large.plan"
done
