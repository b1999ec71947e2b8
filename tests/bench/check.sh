#!/usr/bin/env bash
# `planc check` of generated plans with 1 000 to 100 000 components in services of ten, and with
# 100 000 in 1 000 services, of which everything is known: time, memory, cost of each. ONE=1 uses
# one core.
# tests/bench/check.sh [ROUNDS]
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-5}
work=${BENCH_DIR:-/tmp/planc-bench}/check
on=${ONE:+taskset -c 0 }
cargo build --release --quiet --bin planc --example large_plan
for case in 1000/10 10000/10 100000/10 100000/100; do
    n=${case%/*}
    mkdir -p "$work/$case"
    target/release/examples/large_plan "$work/$case" "$n" "${case#*/}"
    python3 tests/bench/measure.py "$rounds" \
        "$n-by-${case#*/}=${on}target/release/planc check $work/$case/large.plan"
done
