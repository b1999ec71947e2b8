#!/usr/bin/env python3
"""How long `planc lsp` takes to answer one edited line of a plan with 2 000 lines.

tests/bench/editor.py [PLANC [ROUNDS]]

Types into one line again and again, and measures from the change to the findings that follow it
(debounce included), to a hover and to a completion. Prints median, 95th percentile and worst, in
milliseconds; ends with 1 when the median of the findings takes 100 ms or more.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

PLANC = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "target/release/planc")
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 100
LINES = 2_000
BLOCK = """\
objectives of s{n} {{
  rpo $often for loss of disk
  recovery window 7d
}}
backup nightly_{n} of service s{n} {{
  physical full every day during night
  store on near
  copy to far within 6h
  encrypt with seal
  retain window 7d, monthly 3
}}
archive wal_{n} of s{n} {{
  ship every 5min or 1 MiB to near
  copy to far within 1h
  encrypt with seal
  retain window 9d
}}
"""


def write_site(folder):
    """A plan of about LINES lines, its inventory, and the number of its first `store` line."""
    blocks = (LINES - 12) // BLOCK.count("\n")
    head = (
        "planc 1\nplan long\ntimezone UTC\nenvironment prod inventory \"prod.yaml\"\n"
        "environment staging inventory \"prod.yaml\"\n"
        "param often: duration = 10min, staging: 20min\n"
        "key seal from file \"/etc/planc/key\" escrow at two\n"
        "window night every day 01:00..05:30\n"
    )
    plan = head + "".join(BLOCK.format(n=n) for n in range(blocks))
    services = "".join(
        f"  s{n}: {{engine: sqlite, host: desk, disk: d0, path: /srv/{n}.db}}\n"
        for n in range(blocks)
    )
    inventory = (
        "inventory: 1\nsites: {one: {}, two: {}}\nhosts:\n"
        "  desk: {site: one, disks: {d0: {}}}\n  vault: {site: two}\n  depot: {site: one}\n"
        f"services:\n{services}devices:\n"
        "  near: {host: vault, path: /near, write: 50 MiB/s}\n"
        "  far: {host: depot, path: /far, write: 50 MiB/s}\n"
    )
    for name, text in (("long.plan", plan), ("prod.yaml", inventory)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    lines = plan.splitlines()
    middle = len(lines) // 2
    line = next(n for n in range(middle, len(lines)) if lines[n].startswith("  store on"))
    return plan, line


class Editor:
    """One server and the talk with it."""

    def __init__(self, folder):
        self.child = subprocess.Popen(
            [PLANC, "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder
        )
        self.uri = f"file://{os.path.realpath(folder)}/long.plan"
        self.last = 0
        self.ask("initialize", {"capabilities": {}, "rootUri": os.path.dirname(self.uri)})
        self.tell("initialized", {})

    def send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.child.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.child.stdin.flush()

    def read(self):
        length = 0
        while line := self.child.stdout.readline().strip():
            length = int(line.removeprefix(b"Content-Length: "))
        return json.loads(self.child.stdout.read(length))

    def tell(self, method, params):
        self.send({"method": method, "params": params})

    def ask(self, method, params):
        self.last += 1
        self.send({"id": self.last, "method": method, "params": params})
        while (message := self.read()).get("id") != self.last:
            pass
        return message["result"]

    def findings(self):
        while True:
            message = self.read()
            if message.get("params", {}).get("uri") == self.uri:
                return message["params"]["diagnostics"]

    def ask_at(self, method, line, character):
        place = {"line": line, "character": character}
        return self.ask(method, {"textDocument": {"uri": self.uri}, "position": place})


def timed(work):
    """Milliseconds that a call takes, and what it gives."""
    start = time.perf_counter()
    result = work()
    return (time.perf_counter() - start) * 1000, result


def measure(editor, line):
    """Rounds of one edit each: the device is spelled wrong, then right."""
    times = {"findings": [], "hover": [], "completion": []}
    for at in range(ROUNDS):
        word = "naer" if at % 2 == 0 else "near"
        span = {"start": {"line": line, "character": 11}, "end": {"line": line, "character": 15}}
        document = {"uri": editor.uri, "version": at + 2}
        change = {"textDocument": document, "contentChanges": [{"range": span, "text": word}]}

        def edit():
            editor.tell("textDocument/didChange", change)
            return editor.findings()

        took, findings = timed(edit)
        wrong = any(finding["code"] == "P0201" for finding in findings)
        assert wrong == (word == "naer"), f"round {at}: {findings}"
        times["findings"].append(took)
        for name, character in (("hover", 5), ("completion", 11)):
            ask = f"textDocument/{name}"
            took, found = timed(lambda: editor.ask_at(ask, line, character))
            assert found, f"round {at}: no {name}"
            times[name].append(took)
    return times


def main():
    """Measures and prints."""
    with tempfile.TemporaryDirectory() as folder:
        plan, line = write_site(folder)
        editor = Editor(folder)
        item = {"uri": editor.uri, "languageId": "planc", "version": 1, "text": plan}
        took, _ = timed(
            lambda: (editor.tell("textDocument/didOpen", {"textDocument": item}), editor.findings())
        )
        times = measure(editor, line)
        editor.ask("shutdown", None)
        editor.tell("exit", None)
        editor.child.wait(timeout=10)
    print(f"{plan.count(chr(10))} lines, {ROUNDS} edits; opening took {took:.0f} ms")
    for name, all_times in times.items():
        ranked = sorted(all_times)
        late = ranked[int(len(ranked) * 0.95)]
        middle = statistics.median(ranked)
        print(f"{name:<11} median {middle:7.1f}  p95 {late:7.1f}  worst {ranked[-1]:7.1f} ms")
    return 1 if statistics.median(times["findings"]) >= 100 else 0


if __name__ == "__main__":
    sys.exit(main())
