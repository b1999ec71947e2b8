#!/usr/bin/env python3
"""Puts the pipeline beside its bounds: pipeline.py PROGRAM TREE FOLDER ROUNDS.

Medians of interleaved rounds, MiB of content a second. The bound of a case is the smallest of
compressor, write and read rate; the write rate is that of as many bytes as the case stored. The
second bound has, instead of the compressor, what is left of it when each frame is hashed, decoded
again and compared (and sealed and opened) by the same cores, as the pipeline must."""
import os, shutil, statistics, subprocess, sys

CODECS = ["none", "lz4", "zstd1", "zstd3"]
CASES = [(codec, seal, memory) for codec in CODECS for seal in ("plain", "sealed")
         for memory in ("256", "64")]


def run(program, *words):
    out = subprocess.run([program, *words], check=True, stdout=subprocess.PIPE, text=True).stdout
    plain, stored, micros, peak = (int(word) for word in out.split())
    return plain, stored, max(micros, 1) / 1e6, peak / 1024


def fresh(path):
    shutil.rmtree(path, ignore_errors=True)
    if os.path.isfile(path):
        os.remove(path)
    os.sync()
    return path


def once(program, tree, folder, seen):
    def note(key, plain, figure):
        seen.setdefault(key, []).append((plain / (1 << 20) / figure[2], figure[3]))

    read = run(program, "read", tree)
    note("read", read[0], read)
    for codec in CODECS:
        squeezed = run(program, "compress", tree, codec)
        note(("compress", codec), squeezed[0], squeezed)
        for seal in ("plain", "sealed"):
            proven = run(program, "prove", tree, codec, seal)
            note(("prove", codec, seal), proven[0], proven)
    for case in CASES:
        codec, seal, memory = case
        device = fresh(f"{folder}/device")
        done = run(program, "pipeline", tree, device, codec, seal, memory)
        note(case, done[0], done)
        written = run(program, "write", fresh(f"{folder}/plain-file"), str(done[1]))
        note(("write", case), done[0], written)
    fresh(f"{folder}/device"), fresh(f"{folder}/plain-file")


def main():
    program, tree, folder, rounds = sys.argv[1:5]
    seen = {}
    for _ in range(int(rounds)):
        once(program, tree, folder, seen)

    def rate(key):
        return statistics.median(figure[0] for figure in seen[key])

    print(f"{'codec':6} {'seal':7} {'memory':>6} {'MiB/s':>8} {'compress':>9} {'prove':>8} "
          f"{'write':>8} {'read':>8} {'of bound':>8} {'of second':>9} {'peak MiB':>8}")
    for case in CASES:
        codec, seal, memory = case
        compress, prove = rate(("compress", codec)), rate(("prove", codec, seal))
        write, read = rate(("write", case)), rate("read")
        own, peak = rate(case), max(figure[1] for figure in seen[case])
        print(f"{codec:6} {seal:7} {memory:>6} {own:8.0f} {compress:9.0f} {prove:8.0f} "
              f"{write:8.0f} {read:8.0f} {own / min(compress, write, read):8.0%} "
              f"{own / min(prove, write, read):9.0%} {peak:8.0f}")


main()
