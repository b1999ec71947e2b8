#!/usr/bin/env python3
"""Runs commands in interleaved rounds and prints wall, CPU and peak memory of each as medians.

measure.py ROUNDS LABEL=COMMAND [LABEL=COMMAND ...]

COMMAND runs in bash. `PREPARE` in the environment runs before each command, unmeasured. Peak
memory is the largest resident size of one process of the tree. The first label is the one the
ratios are taken to."""
import os, resource, statistics, subprocess, sys, time


def once(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    child = subprocess.Popen(["bash", "-c", "exec " + command if ";" not in command else command],
                             stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - start
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"failed: {command}")
    del before
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    rounds, cases = int(sys.argv[1]), [case.split("=", 1) for case in sys.argv[2:]]
    seen = {label: [] for label, _ in cases}
    for _ in range(rounds):
        for label, command in cases:
            if os.environ.get("PREPARE"):
                subprocess.run(["bash", "-c", os.environ["PREPARE"]], check=True)
            seen[label].append(once(command))
    first = statistics.median(run[0] for run in seen[cases[0][0]])
    print(f"{'case':24} {'wall s':>9} {'[min..max]':>17} {'CPU s':>8} {'peak MiB':>9} {'ratio':>6}")
    for label, _ in cases:
        walls = [run[0] for run in seen[label]]
        wall = statistics.median(walls)
        cpu = statistics.median(run[1] for run in seen[label])
        peak = max(run[2] for run in seen[label])
        span = f"[{min(walls):.3f}..{max(walls):.3f}]"
        print(f"{label:24} {wall:9.3f} {span:>17} {cpu:8.2f} {peak:9.0f} {wall / first:6.2f}")


main()
