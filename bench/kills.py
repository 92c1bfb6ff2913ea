"""Kills a server under load, again and again: is anything that it acknowledged missing, or there twice?

`python -m bench.kills --times 50` on SQLite; `--store postgresql://…` on PostgreSQL (an empty database).
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

import understudy
from understudy.core.nouns import Level, Role
from understudy.flows.access import create_token
from understudy.flows.decide import Asked, decide_batch
from understudy.flows.head import Library, load_head
from understudy.flows.learn import learn, replay
from understudy.flows.moves import set_level
from understudy.flows.outcomes import Outcome, give_outcomes
from understudy.flows.workspace import Workspace, open_workspace
from understudy.store.events import first_broken_event, read_events
from understudy.store.schema import cases, inputs, losses, outcomes, predictions, queue, reviews
from understudy.store.tasks import task_number

TASK = "loans"
CALLERS = 6


@dataclass
class Told:
    """What the server acknowledged."""

    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    reviews: list[tuple[str, str]] = field(default_factory=list)
    moves: int = 0


def make_workspace(root: Path, store: str | None = None) -> dict[Role, str]:
    """A small task at `partial`, and a token for each role."""
    rng = random.Random(0)
    rows = [{"income": rng.randint(10, 99), "debt": rng.randint(0, 50)} for _ in range(600)]
    table = pl.DataFrame(rows).with_columns(
        paid=pl.when(pl.col("income") - pl.col("debt") + pl.Series([rng.gauss(0, 12) for _ in rows]) > 20)
        .then(pl.lit("yes"))
        .otherwise(pl.lit("no"))
    )
    root.mkdir(parents=True, exist_ok=True)
    table.write_csv(root / "loans.csv")
    if store:
        (root / "understudy.toml").write_text(f"[store]\nurl = {json.dumps(store)}\n")
    understudy.run(root / "loans.csv", target="paid", name=TASK, workspace=root, budget=understudy.Budget(trials=1))
    work = open_workspace(root)
    set_level(
        work, TASK, Level.PARTIAL, actor="bench", why="A test.", thresholds={"yes": 0.8, "no": 0.8}, overriding=True
    )
    return {role: create_token(work, role.value, role) for role in Role}


class Server:
    """A server in a process group of its own, so that a kill leaves nothing behind."""

    def __init__(self, root: Path, workers: int = 1) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        command = [sys.executable, "-m", "understudy", "serve", "--workspace", str(root), "--port", str(self.port)]
        self.process = subprocess.Popen(
            [*command, "--workers", str(workers)],
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                if self.call("GET", "/health/live", None, "")[0] == 200:
                    return
            except OSError:
                time.sleep(0.05)
        self.kill()
        raise RuntimeError("The server did not start.")

    def call(self, method: str, path: str, body: object, token: str) -> tuple[int, Any]:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def kill(self) -> None:
        """End it without a word."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def work_at(server: Server, tokens: dict[Role, str], name: str, told: Told, seed: int) -> None:
    """Ask, report, review and move until the server is gone."""
    rng, number, base = random.Random(seed), 0, f"/v1/tasks/{TASK}"
    try:
        while True:
            number += 1
            case = f"{name}-{number}"
            body = {"id": case, "inputs": {"income": rng.randint(10, 99), "debt": rng.randint(0, 50)}}
            status, answer = server.call("POST", f"{base}/decisions", body, tokens[Role.SERVICE])
            if status == 200:
                told.answers[case] = answer
            if number % 3 == 0:
                given = {"id": case, "outcome": rng.choice(["yes", "no"])}
                status, answer = server.call("POST", f"{base}/outcomes", given, tokens[Role.SERVICE])
                if status == 200 and answer["outcomes"][0]["result"] in ("applied", "corrected"):
                    told.outcomes[case] = given["outcome"]
            if number % 4 == 0:
                _, found = server.call("GET", f"{base}/reviews/next", None, tokens[Role.REVIEWER])
                if found.get("case"):
                    review = {"id": found["case"]["id"], "decision": rng.choice(["yes", "no"])}
                    status, _ = server.call("POST", f"{base}/reviews", review, tokens[Role.REVIEWER])
                    if status == 200:
                        told.reviews.append((review["id"], review["decision"]))
            if number % 10 == 0:
                paused = {"paused": number % 20 == 0, "why": case}
                if server.call("POST", f"{base}/pause", paused, tokens[Role.OWNER])[0] == 200:
                    told.moves += 1
    except (OSError, http.client.HTTPException, ValueError):
        return


def faults(work: Workspace, told: Told) -> list[str]:
    """What of that which was acknowledged is missing, changed, or there twice; and what is half there."""
    found: list[str] = []
    with work.store.reading() as connection:
        number = task_number(connection, TASK)
        known = {row.id: row for row in connection.execute(sa.select(cases).where(cases.c.task == number))}
        found += [f"case {name} is missing" for name in told.answers.keys() - known.keys()]
        for name in told.answers.keys() & known.keys():
            answer = told.answers[name]
            if answer["decided_by"] in ("model", "rule") and answer["decision"] != known[name].decision:
                found.append(f"case {name} was answered {answer['decision']} and is {known[name].decision}")
        seqs = {row.seq for row in known.values()}
        for table, column in ((inputs, inputs.c.seq), (predictions, predictions.c.seq)):
            there = set(connection.execute(sa.select(column)).scalars())
            found += [f"{table.name} of case {seq} is missing" for seq in seqs ^ there]
        waiting = set(connection.execute(sa.select(queue.c.case_seq)).scalars())
        current: dict[str, str] = {}
        twice: Counter[tuple[str, str]] = Counter()
        for row in connection.execute(sa.select(outcomes).order_by(outcomes.c.seq)):
            current[row.id] = row.value
            twice[row.id, row.value] += 1
        found += [f"outcome of {name} is lost" for name, value in told.outcomes.items() if current.get(name) != value]
        found += [f"outcome {name} is there {count} times" for name, count in twice.items() if count > 1]
        given = sa.select(reviews.c.case_seq, reviews.c.value).where(reviews.c.action == "decide")
        looks = Counter((row.case_seq, row.value) for row in connection.execute(given))
        for name, value in told.reviews:
            if looks[known[name].seq, value] != 1:
                found.append(f"review of {name} is there {looks[known[name].seq, value]} times")
            if known[name].seq in waiting:
                found.append(f"case {name} was reviewed and still waits")
        if first_broken_event(connection, number) is not None:
            found.append("the chain of events is broken")
        kinds = Counter(event.kind for event in read_events(connection, number))
        if kinds["moved.pause"] + kinds["moved.resume"] > told.moves + CALLERS:
            found.append("a move was made twice")
    return found


def kill_under_load(root: Path, tokens: dict[Role, str], *, turn: int, told: Told, workers: int = 1) -> list[str]:
    """Start a server, load it, kill it at a random moment, and look at what is left."""
    server = Server(root, workers)
    threads = [
        threading.Thread(target=work_at, args=(server, tokens, f"{turn}-{caller}", told, 1000 * turn + caller))
        for caller in range(CALLERS)
    ]
    for thread in threads:
        thread.start()
    time.sleep(random.Random(turn).uniform(0.2, 1.2))
    server.kill()
    for thread in threads:
        thread.join()
    work = open_workspace(root)
    try:
        return faults(work, told)
    finally:
        work.store.engine.dispose()


LEARN = """
import sys
from understudy.flows import settle
from understudy.flows.head import Library
from understudy.flows.learn import learn
from understudy.flows.workspace import open_workspace
settle.CASES_AT_ONCE = 50
library = Library(open_workspace(sys.argv[1]))
print("ready", flush=True)
while True:
    learn(library, sys.argv[2])
"""


def kill_steward(root: Path, turn: int) -> None:
    """Let another process learn, and kill it at a random moment."""
    command = [sys.executable, "-c", LEARN, str(root), TASK]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(random.Random(turn).uniform(0, 0.15))
    process.kill()
    process.wait()


def known_truths(root: Path, cases: int, *, first: int = 0) -> None:
    """Cases and their outcomes, some corrected afterwards, that wait for a steward."""
    rng, work = random.Random(first), open_workspace(root)
    set_level(work, TASK, Level.SHADOW, actor="bench", why="Nothing moves, so that evidence adds up.")
    head = load_head(Library(work), TASK)
    names = [f"T{first + number}" for number in range(cases)]
    rows = [{"income": rng.randint(10, 99), "debt": rng.randint(0, 50)} for _ in names]
    for start in range(0, cases, 250):
        decide_batch(head, [Asked(name, True, row) for name, row in zip(names, rows, strict=True)][start : start + 250])
    for share in (1.0, 0.1):
        told = [Outcome(id=name, outcome=rng.choice(["yes", "no"])) for name in names if rng.random() < share]
        give_outcomes(head, "bench", told)
    work.store.engine.dispose()


def ledger(root: Path) -> tuple[list[Any], Any]:
    """The ledger, times aside, and the folded evidence."""
    work = open_workspace(root)
    aside = ("at",)
    with work.store.reading() as connection:
        columns = [column for column in losses.c if column.name not in aside]
        rows = [tuple(row) for row in connection.execute(sa.select(*columns).order_by(losses.c.n))]
    kept, anew = replay(Library(work), TASK)
    work.store.engine.dispose()
    assert kept == anew, "the kept evidence is not what the ledger gives"
    return rows, kept


def main() -> None:
    """Kill, and count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--store", help="a PostgreSQL URL; by default SQLite")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--steward", action="store_true", help="kill the steward instead, on SQLite")
    options = parser.parse_args()
    if options.steward:
        raise SystemExit(kill_stewards(options.times))
    root = Path(tempfile.mkdtemp())
    try:
        tokens, told, wrong = make_workspace(root, options.store), Told(), []
        for turn in range(options.times):
            wrong += kill_under_load(root, tokens, turn=turn, told=told, workers=options.workers)
        acknowledged = {"cases": len(told.answers), "outcomes": len(told.outcomes), "reviews": len(told.reviews)}
        print(json.dumps({"kills": options.times, "acknowledged": acknowledged, "faults": wrong}))
    finally:
        shutil.rmtree(root)
    raise SystemExit(bool(wrong))


def kill_stewards(times: int) -> bool:
    """Kill the steward so often, and compare its evidence with that of one that was left in peace."""
    place = Path(tempfile.mkdtemp())
    try:
        make_workspace(place / "killed")
        known_truths(place / "killed", 4000)
        shutil.copytree(place / "killed", place / "peace")
        for turn in range(times):
            kill_steward(place / "killed", turn)
        for name in ("killed", "peace"):
            learn(Library(open_workspace(place / name)), TASK)
        same = ledger(place / "killed") == ledger(place / "peace")
        print(json.dumps({"kills": times, "entries": len(ledger(place / "peace")[0]), "same": same}))
        return not same
    finally:
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
