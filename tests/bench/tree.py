#!/usr/bin/env python3
"""Writes a file tree of about SIZE MiB for the backup benchmarks: tree.py FOLDER SIZE [SEED].

A mix of what databases and their neighbours hold: text, rows with counters, JSON, noise. Blocks
repeat only far outside every compressor's window at level 1."""
import json, os, random, sys

WORDS = [f"{a}{b}{c}" for a in ("re", "un", "over", "in", "") for b in
         ("cover", "store", "play", "serve", "order", "line", "table", "page", "time", "site")
         for c in ("", "ed", "ing", "s", "y")]
BLOCK = 1 << 20


def block(kind, numbers):
    out = bytearray()
    while len(out) < BLOCK:
        if kind == "noise":
            out += numbers.randbytes(BLOCK)
        elif kind == "text":
            out += (" ".join(numbers.choices(WORDS, k=200)) + "\n").encode()
        elif kind == "json":
            row = {"id": numbers.randrange(1 << 32), "state": numbers.choice(WORDS),
                   "amount": numbers.randrange(100_000) / 100, "note": numbers.choice(WORDS)}
            out += json.dumps(row).encode() + b"\n"
        else:
            row = numbers.randrange(1 << 24)
            out += row.to_bytes(8, "little") + numbers.randrange(1 << 16).to_bytes(4, "little")
            out += bytes(20) + numbers.randbytes(8) + b" " * 84
    return bytes(out[:BLOCK])


def main():
    folder, mib = sys.argv[1], int(sys.argv[2])
    numbers = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 7)
    kinds = ["rows"] * 6 + ["text"] * 2 + ["json"] * 2 + ["noise"]
    blocks = [block(kinds[i % len(kinds)], numbers) for i in range(110)]
    left, at = mib * BLOCK, 0
    while left > 0:
        size = min(left, numbers.choice([9_000, 70_000, 1 << 20, 5 << 20, 60 << 20]))
        path = f"{folder}/{at % 37:02}/{at % 11:02}"
        os.makedirs(path, exist_ok=True)
        with open(f"{path}/file{at:05}", "wb") as file:
            rest = size
            while rest > 0:
                rest -= file.write(numbers.choice(blocks)[:rest])
        left, at = left - size, at + 1


main()
