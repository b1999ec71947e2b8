#!/usr/bin/env bash
# Step graphs beside ninja on graphs of the same shape, in the same rounds: load and check with
# nothing to do, and execution of trivial processes. tests/bench/graph.sh [ROUNDS]
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-5}
command -v ninja >/dev/null || { echo "needs ninja (package ninja-build)" >&2; exit 2; }
work=${BENCH_DIR:-/tmp/planc-bench}/graph
mkdir -p "$work"
cargo build --release --quiet --bins --examples
planc=$PWD/target/release/planc
target/release/examples/bench_graph "$work"
for shape in wide layered; do
    for n in 1000 10000 100000; do
        echo "== load, check, nothing to do: $n steps, $shape"
        python3 tests/bench/measure.py "$rounds" \
            "ninja=ninja -C $work/$shape-$n -f noop.ninja --quiet" \
            "planc=$planc run --graph $work/$shape-$n/noop.json --dry-run --quiet"
    done
done
for n in 1000 10000; do
    echo "== execute \`true\`: $n steps, layered, two at a time"
    python3 tests/bench/measure.py "$rounds" \
        "ninja=ninja -j2 -C $work/layered-$n -f exec.ninja --quiet" \
        "planc=$planc run --graph $work/layered-$n/exec.json --quiet --state $work/state"
done
echo "== in-process steps: 10000 barriers, journal on"
python3 tests/bench/measure.py "$rounds" \
    "load-only=$planc run --graph $work/layered-10000/barrier.json --dry-run --quiet" \
    "planc=$planc run --graph $work/layered-10000/barrier.json --quiet --state $work/state"
