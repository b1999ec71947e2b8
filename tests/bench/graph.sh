#!/usr/bin/env bash
# Step graphs beside ninja on graphs of the same shape, in the same rounds: load and check with
# nothing to do, execution of trivial processes, and planc's own cost of an in-process step.
# tests/bench/graph.sh [ROUNDS]
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-5}
command -v ninja >/dev/null || { echo "needs ninja (package ninja-build)" >&2; exit 2; }
work=${BENCH_DIR:-/tmp/planc-bench}/graph
mkdir -p "$work"
cargo build --release --quiet --bins
planc=$PWD/target/release/planc
python3 tests/bench/graphs.py "$work" 1000 10000 100000
measure=$PWD/tests/bench/measure.py
for shape in wide layered; do
    for n in 1000 10000 100000; do
        echo "== load, check, nothing to do: $n steps, $shape"
        cd "$work/$shape-$n"
        python3 "$measure" "$rounds" "ninja=ninja -f noop.ninja --quiet" \
            "planc=$planc run --graph exec.json --dry-run"
        cd - > /dev/null
    done
done
for n in 1000 10000; do
    echo "== run \`true\`: $n steps, layered, two at a time"
    cd "$work/layered-$n"
    python3 "$measure" "$rounds" "ninja=ninja -j2 -f exec.ninja --quiet" \
        "planc=$planc run --graph exec.json --quiet"
    cd - > /dev/null
done
echo "== in-process steps: 10000 barriers, journal on; the difference is the executor's own cost"
cd "$work/layered-10000"
python3 "$measure" "$rounds" "load-only=$planc run --graph barrier.json --dry-run" \
    "planc=$planc run --graph barrier.json --quiet"
