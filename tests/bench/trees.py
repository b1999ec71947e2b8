#!/usr/bin/env python3
"""planc, restic and borg on one tree: trees.py PLANC TREE FOLDER ROUNDS.

Each round every tool, with a store of its own: first backup, second after 1 % of the bytes changed
(the same change for all), restore into a fresh folder, compared with the tree. Every backup ends
with a sync, so that all of them are durable. Medians; stored bytes as they lie in the store."""
import os, random, shutil, statistics, subprocess, sys, time

PLAN = """planc 1
plan {name}
timezone UTC
environment bench inventory "{name}.yaml"
{key}
backup tree of service tree {{
  physical full every sun at 02:00
  physical incremental every mon..sat at 02:00
  store on a
  retain last 2
  compress zstd 1
  encrypt {encrypt}
}}
"""
INVENTORY = """inventory: 1
sites: {{here: {{}}}}
hosts: {{box: {{site: here}}, far: {{site: here}}}}
services: {{tree: {{engine: files, host: box, path: work}}}}
devices: {{a: {{host: far, path: {name}-store}}}}
state: {name}-state
"""


class Tool:
    def __init__(self, name, folder, planc):
        self.name, self.folder, self.planc = name, folder, planc
        self.store = f"{folder}/{name}-store"
        self.environment = dict(os.environ, RESTIC_PASSWORD="bench", BORG_PASSPHRASE="bench",
                                RESTIC_CACHE_DIR=f"{folder}/{name}-cache",
                                BORG_BASE_DIR=f"{folder}/{name}-cache",
                                BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK="yes")

    def run(self, *words):
        start = time.monotonic()
        child = subprocess.Popen(words, cwd=self.folder, env=self.environment,
                                 stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            sys.exit(f"failed: {' '.join(words)}")
        return time.monotonic() - start, usage.ru_maxrss / 1024

    def prepare(self):
        for end in ("store", "state", "cache"):
            shutil.rmtree(f"{self.folder}/{self.name}-{end}", ignore_errors=True)
        if self.name == "restic":
            self.run("restic", "-q", "-r", self.store, "init")
        elif self.name.startswith("borg"):
            mode = "repokey-blake2" if "sealed" in self.name else "none"
            self.run("borg", "init", "-e", mode, self.store)
        else:
            os.makedirs(self.store)
            self.plan()
            self.run(self.planc, "device", "init", "-p", f"{self.name}.plan", "--all")

    def plan(self):
        sealed = "sealed" in self.name
        key = f'key k from file "{self.name}.key"' if sealed else ""
        if sealed and not os.path.exists(f"{self.folder}/{self.name}.key"):
            self.run(self.planc, "key", "new", f"{self.name}.key")
        text = PLAN.format(name=self.name, key=key, encrypt="with k" if sealed else "none")
        for end, content in (("plan", text), ("yaml", INVENTORY.format(name=self.name))):
            with open(f"{self.folder}/{self.name}.{end}", "w") as file:
                file.write(content)

    def back_up(self, number):
        start = time.monotonic()
        if self.name == "restic":
            _, peak = self.run("restic", "-q", "-r", self.store, "backup", "work")
        elif self.name.startswith("borg"):
            _, peak = self.run("borg", "create", "--compression", "zstd,1",
                               f"{self.store}::{number}", "work")
        else:
            now = f"2026-03-0{number}T02:00:00Z"
            _, peak = self.run(self.planc, "run", f"{self.name}.plan", "--now", now, "--quiet")
        os.sync()
        return time.monotonic() - start, peak

    def restore(self):
        target = f"{self.folder}/restored"
        shutil.rmtree(target, ignore_errors=True)
        start = time.monotonic()
        if self.name == "restic":
            _, peak = self.run("restic", "-q", "-r", self.store, "restore", "latest",
                               "--target", target)
        elif self.name.startswith("borg"):
            os.makedirs(target)
            _, peak = self.run("bash", "-c", f"cd {target} && borg extract {self.store}::2")
        else:
            _, peak = self.run(self.planc, "restore", "tree", "--plan", f"{self.name}.plan",
                               "--to", target, "--yes", "--quiet")
        os.sync()
        return time.monotonic() - start, peak

    def restored(self):
        return f"{self.folder}/restored" + ("" if self.name.startswith("planc") else "/work")

    def stored(self):
        out = subprocess.run(["du", "-sb", self.store], stdout=subprocess.PIPE, text=True)
        return int(out.stdout.split()[0]) / (1 << 20)


def change(tree, numbers):
    """Overwrites 1 % of the bytes: whole blocks of 64 KiB, anywhere."""
    files = [os.path.join(at, name) for at, _, names in os.walk(tree) for name in names]
    files.sort()
    left = sum(os.path.getsize(path) for path in files) // 100
    while left > 0:
        path = numbers.choice(files)
        size = os.path.getsize(path)
        length = min(65_536, size, left) or 1
        with open(path, "r+b") as file:
            file.seek(numbers.randrange(max(1, size - length + 1)))
            file.write(numbers.randbytes(length))
        left -= length


def main():
    planc, tree, folder, rounds = sys.argv[1:5]
    names = ["planc", "planc-sealed", "restic", "borg", "borg-sealed"]
    seen = {}
    work = f"{folder}/work"
    for number in range(int(rounds)):
        for name in names:
            tool = Tool(name, folder, planc)
            shutil.rmtree(work, ignore_errors=True)
            shutil.copytree(tree, work)
            tool.prepare()
            os.sync()
            # a file that changed a moment ago is not judged by its times
            time.sleep(4)
            first = tool.back_up(1)
            one = tool.stored()
            change(work, random.Random(number))
            second = tool.back_up(2)
            two = tool.stored()
            restore = tool.restore()
            subprocess.run(["diff", "-r", work, tool.restored()], check=True)
            for what, (wall, peak), stored in (("first", first, one), ("second", second, two - one),
                                               ("restore", restore, 0)):
                seen.setdefault((what, name), []).append((wall, peak, stored))
    print(f"{'what':8} {'tool':13} {'wall s':>9} {'ratio':>6} {'peak MiB':>9} {'stored MiB':>11}")
    for what in ("first", "second", "restore"):
        own = statistics.median(figure[0] for figure in seen[what, "planc"])
        for name in names:
            figures = seen[what, name]
            wall = statistics.median(figure[0] for figure in figures)
            stored = statistics.median(figure[2] for figure in figures)
            peak = max(figure[1] for figure in figures)
            print(f"{what:8} {name:13} {wall:9.3f} {wall / own:6.2f} {peak:9.0f} {stored:11.2f}")


main()
