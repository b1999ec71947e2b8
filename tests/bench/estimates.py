#!/usr/bin/env python3
"""Estimates against reality: what planc planned beside what it measured, after one survey and one run.

tests/bench/estimates.py [PLANC [SCENE ...]]

Scenes: `demo` (what `planc demo` leaves), `sqlite` (a database of 512 MiB on two devices), `tree`
(files of 1 GiB on three devices), `postgres` (a cluster of at least 2 GiB, needs root or the user
postgres and pgbench). Each scene makes its source, surveys it, runs once so that planc learns,
changes nothing, and runs and restores again: ROUNDS times (3), each planned from the one before.
Planned seconds and bytes are those of the stored graph, measured ones those of the journal, added
up by kind of step; the table shows the round whose ratio of seconds is in the middle, and the
smallest and the largest ratio. Bytes are always judged; seconds of steps that are shorter than
half a second are told and not judged. Says at the end what is off by more than 20 %, and ends
with 1 then. SMALLER=16 makes the sources that much smaller, to see that the scenes work."""

import json
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile

PLANC = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "target/release/planc")
SCENES = sys.argv[2:] or ["demo", "sqlite", "tree", "postgres"]
MOST, SHORT = 0.20, 0.5
ROUNDS = int(os.environ.get("ROUNDS", "3"))
SMALLER = int(os.environ.get("SMALLER", "1"))
MIB = 1 << 20
NOISE = random.Random(7).randbytes(MIB)

PLAN = """planc 1
plan bench
timezone UTC
environment bench inventory "bench.yaml"
{service}
backup everything of {targets} {{
  physical full every day at 04:00
  store on {stores}
  retain window 7d
  compress zstd 1
  encrypt none
}}
{archive}
"""
INVENTORY = """inventory: 1
sites: {{here: {{}}}}
hosts: {{desk: {{site: here}}}}
services:
  bench: {{{service}}}
devices:
{devices}
facts: facts.yaml
state: state
"""


def say(command, user=None, **more):
    command = ["runuser", "-u", user, "--", *command] if user else command
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode != 0:
        sys.exit(f"failed: {' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def content(size):
    """Half noise, half text, never twice the same: compresses as tables do."""
    number = 0
    while number < size // MIB // SMALLER:
        half = NOISE[: MIB // 2]
        yield (number.to_bytes(8, "big") + half + b"a line of text %09d\n" % number * 40_000)[:MIB]
        number += 1


def write_site(folder, service, targets, archive, entry, devices):
    stores = devices[0] + "".join(f"\n  copy to {name} within 1h" for name in devices[1:])
    plan = PLAN.format(service=service, targets=targets, stores=stores, archive=archive)
    (folder / "bench.plan").write_text(plan)
    lines = "\n".join(f"  {name}: {{site: here, host: desk, path: {name}}}" for name in devices)
    (folder / "bench.yaml").write_text(INVENTORY.format(service=entry, devices=lines))
    for name in devices:
        (folder / name).mkdir()


def sqlite(folder):
    write_site(folder, "", "service bench", "", "engine: sqlite, host: desk, path: bench.db",
               ["near", "far"])
    with sqlite3.connect(folder / "bench.db") as database:
        database.execute("create table lines (number integer primary key, text blob)")
        rows = ((None, piece) for piece in content(512 * MIB))
        database.executemany("insert into lines values (?, ?)", rows)
    return None


def tree(folder):
    write_site(folder, "", "service bench", "", "engine: files, host: desk, path: tree",
               ["near", "far", "third"])
    (folder / "tree").mkdir()
    for number, piece in enumerate(content(1024 * MIB)):
        (folder / "tree" / f"{number:05}").write_bytes(piece)
    return None


def postgres(folder):
    user = "postgres" if os.getuid() == 0 else None
    programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    archive = ("archive wal of bench {\n  ship every 1min to near\n  retain window 8d\n"
               "  compress zstd 1\n  encrypt none\n}")
    entry = (f'engine: postgresql, version: "{programs.parent.name}", host: desk, '
             f"path: {folder}/data, programs: {programs}, "
             f"connect: {{socket: {folder}, port: 54391, user: postgres}}")
    write_site(folder, "service bench is postgresql", "base", archive, entry, ["near", "far"])
    if user:
        say(["chown", "-R", user, str(folder)])
    say([str(programs / "initdb"), "-U", "postgres", "-k", "-D", f"{folder}/data"], user)
    push = f"{PLANC} log push --plan {folder}/bench.plan --service bench %p"
    with open(folder / "data/postgresql.conf", "a") as settings:
        settings.write(f"port = 54391\nunix_socket_directories = '{folder}'\n"
                       f"listen_addresses = ''\narchive_mode = on\nmax_wal_size = 4GB\n"
                       f"archive_command = '{push}'\n")
    plan(folder, user, "device", "init", "--all")
    start = ["-D", f"{folder}/data", "-l", f"{folder}/server.log", "-w", "start"]
    say([str(programs / "pg_ctl"), *start], user)
    bench = ["pgbench", "-h", str(folder), "-p", "54391", "-U", "postgres"]
    say([*bench, "-i", "-q", "-s", str(170 // SMALLER), "postgres"], user)
    stop = ["-D", f"{folder}/data", "-m", "fast", "stop"]
    return user, lambda: say([str(programs / "pg_ctl"), *stop], user)


def plan(folder, user, *words):
    return say([PLANC, *words, "--plan", str(folder / "bench.plan")], user, cwd=folder)


def newest(folder):
    runs = sorted(folder.glob("state/*/runs/*"), key=lambda run: run.stat().st_mtime)
    graph = json.loads((runs[-1] / "graph.json").read_text())
    events = [line for line in (runs[-1] / "journal").read_bytes().splitlines()]
    return graph, events


def ended(events):
    """Seconds and bytes of each step, by its id."""
    found = {}
    for line in events:
        text = line[line.find(b"{"): line.rfind(b"}") + 1]
        try:
            event = json.loads(text)
        except ValueError:
            continue
        if event.get("event") == "step-ended" and event.get("outcome") == "done":
            found[event["step"]] = (event.get("elapsed_ms", 0) / 1000, event.get("bytes", 0))
    return found


def measure(folder):
    """Planned and measured seconds and bytes of the newest run, by kind of step."""
    graph, events = newest(folder)
    measured, kinds = ended(events), {}
    for step in graph["steps"]:
        estimate = step.get("estimate") or {}
        if step["id"] not in measured or estimate.get("seconds") is None:
            continue
        row = kinds.setdefault(step["step"], [0.0, 0.0, 0, 0])
        row[0] += estimate["seconds"]
        row[1] += measured[step["id"]][0]
        row[2] += estimate.get("bytes") or 0
        row[3] += measured[step["id"]][1]
    return kinds


def ratio(planned, took):
    return planned / took if took else 1.0 if not planned else float("inf")


def compare(scene, what, rounds):
    """Prints a row for each kind of step; gives what is off."""
    off = []
    for kind in rounds[-1]:
        rows = [kinds[kind] for kinds in rounds if kind in kinds]
        rows.sort(key=lambda row: ratio(row[0], row[1]))
        planned, took, bytes_planned, bytes_moved = rows[len(rows) // 2]
        seconds, size = ratio(planned, took), ratio(bytes_planned, bytes_moved)
        # log has no planned size: nobody knows how much will be written
        wrong = ["bytes"] if bytes_planned and abs(size - 1) > MOST else []
        wrong += ["seconds"] if took >= SHORT and abs(seconds - 1) > MOST else []
        word = "OFF: " + ", ".join(wrong) if wrong else "short" if took < SHORT else "ok"
        off += [f"{scene} {what} {kind}: {one}" for one in wrong]
        ends = f"{ratio(*rows[0][:2]):.2f}..{ratio(*rows[-1][:2]):.2f}"
        print(f"{scene:9} {what:8} {kind:14} {planned:8.2f} {took:8.2f} {seconds:6.2f} {ends:>12} "
              f"{bytes_planned / MIB:9.1f} {bytes_moved / MIB:9.1f} {size:6.2f}  {word}", flush=True)
    return off


def rounds(folder, *commands):
    """The first time teaches; what the source or the last run left unwritten is written first."""
    found = []
    for number in range(ROUNDS + 1):
        os.sync()
        for command in commands:
            command()
        if number:
            found.append(measure(folder))
    return found


def play(scene):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="planc-estimates-"))
    folder.chmod(0o755)
    stop = None
    try:
        if scene == "demo":
            return demo(folder / "demo")
        made = {"sqlite": sqlite, "tree": tree, "postgres": postgres}[scene](folder)
        user, stop = made or (None, None)
        if scene != "postgres":
            plan(folder, user, "device", "init", "--all")
        os.sync()
        plan(folder, user, "survey", "--sample", "1")
        backup = rounds(folder, lambda: plan(folder, user, "run", "everything", "--quiet"))
        off = compare(scene, "backup", backup)
        target = str(folder / "restored")
        at = ["--at", "backup"] if scene == "postgres" else []

        def restore():
            shutil.rmtree(target, ignore_errors=True)
            if os.path.exists(target):
                os.unlink(target)
            plan(folder, user, "restore", "bench", "--to", target, *at, "--yes", "--quiet")

        return off + compare(scene, "restore", rounds(folder, restore))
    finally:
        if stop:
            stop()
        shutil.rmtree(folder, ignore_errors=True)


def demo(folder):
    """The folder that the demo leaves; its inventory names no facts, which a survey needs."""
    say([PLANC, "demo", "--dir", str(folder)])
    inventory = folder / "inventory.yaml"
    inventory.write_text(inventory.read_text() + "facts: facts.yaml\n")
    shop = lambda *words: say([PLANC, *words, "--plan", "shop.plan"], cwd=folder)
    shop("survey", "--sample", "1")
    backup = rounds(folder, lambda: shop("run", "nightly", "--quiet"))
    restore = rounds(folder, lambda: (folder / "back.db").unlink(missing_ok=True),
                     lambda: shop("restore", "shop", "--to", "back.db", "--yes", "--quiet"))
    return compare("demo", "backup", backup) + compare("demo", "restore", restore)


def main():
    print(f"{'scene':9} {'what':8} {'step':14} {'plan s':>8} {'took s':>8} {'ratio':>6} "
          f"{'from..to':>12} {'plan MiB':>9} {'MiB':>9} {'ratio':>6}")
    off = [one for scene in SCENES for one in play(scene)]
    print("not within 20 %: " + ("; ".join(off) or "nothing"))
    sys.exit(1 if off else 0)


main()
