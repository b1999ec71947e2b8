#!/usr/bin/env bash
# The frame pipeline beside what bounds it, on the same bytes in the same run: the compressor on all
# cores, what hashing and decoding each frame again leaves of it, the device's durable writes, the
# source's reads; every codec, plain and sealed, with 256 and 64 MiB of memory.
# tests/bench/pipeline.sh [MIB] [ROUNDS] [release|debug]
set -euo pipefail
cd "$(dirname "$0")/../.."
mib=${1:-2048} rounds=${2:-3} profile=${3:-release}
work=${BENCH_DIR:-/tmp/planc-bench}/pipeline
mkdir -p "$work"
flags=; [ "$profile" = release ] && flags=--release
cargo build $flags --quiet --example bench_pipeline
[ -d "$work/tree-$mib" ] || python3 tests/bench/tree.py "$work/tree-$mib" "$mib"
exec python3 tests/bench/pipeline.py "target/$profile/examples/bench_pipeline" \
    "$work/tree-$mib" "$work" "$rounds"
