#!/usr/bin/env python3
"""Writes the same step graphs for ninja and for planc: graphs.py FOLDER [SIZE ...].

Shapes: wide (no edges) and layered (100 a layer, two parents each). `noop` graphs are up to date
in ninja's eyes and are only read and checked by planc; `exec` graphs run `true`; `barrier` graphs
hold planc's in-process steps only."""
import json, os, random, sys

LAYER = 100


def parents(shape, count):
    numbers = random.Random(3)
    for step in range(count):
        if shape == "wide" or step < LAYER:
            yield []
        else:
            above = (step // LAYER - 1) * LAYER
            pair = [above + numbers.randrange(LAYER), above + numbers.randrange(LAYER)]
            yield list(dict.fromkeys(pair))


def ninja(folder, graph):
    os.makedirs(f"{folder}/o", exist_ok=True)
    noop = ["rule t\n  command = touch $out\n  generator = 1\n"]
    run = ["rule t\n  command = true\n"]
    for step, above in enumerate(graph):
        noop.append(f"build o/{step}: t {' '.join(f'o/{one}' for one in above)}\n")
        run.append(f"build x/{step}: t {' '.join(f'x/{one}' for one in above)}\n")
        open(f"{folder}/o/{step}", "w").close()
        os.utime(f"{folder}/o/{step}", (1e9, 1e9))
    open(f"{folder}/noop.ninja", "w").writelines(noop)
    open(f"{folder}/exec.ninja", "w").writelines(run)


def planc(path, graph, step):
    lanes = [{"name": "host/local", "depth": 2}]
    steps = [{"id": f"{at + 1:016x}", **step} for at in range(len(graph))]
    edges = [{"from": one, "to": at} for at, above in enumerate(graph) for one in sorted(above)]
    head = {"format": "planc-graph/1", "plan": "bench", "lanes": lanes}
    with open(path, "w") as file:
        json.dump({**head, "steps": steps, "edges": edges}, file, separators=(",", ":"))


def main():
    folder, sizes = sys.argv[1], [int(size) for size in sys.argv[2:]] or [1000, 10_000, 100_000]
    for count in sizes:
        for shape in ("wide", "layered"):
            graph = list(parents(shape, count))
            place = f"{folder}/{shape}-{count}"
            ninja(place, graph)
            run = {"step": "exec", "argv": ["true"], "lanes": [0]}
            planc(f"{place}/exec.json", graph, run)
            planc(f"{place}/barrier.json", graph, {"step": "barrier"})


main()
