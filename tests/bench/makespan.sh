#!/usr/bin/env bash
# The length of schedules of random graphs against the lower bound that no order can beat:
# 10 000 steps, 50 disks, 20 devices, drawn in four ways. Fails when one is more than 1.05 times
# as long.
# tests/bench/makespan.sh [GRAPHS]
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo build --release --quiet --example bench_makespan
target/release/examples/bench_makespan 10000 "${1:-20}"
