"""Decisions per second over HTTP, beside a bare hello world and `mlflow models serve`, in one run.

The load generator is wrk, on the same cores. Every Understudy answer is on disk before it leaves; the contract,
strangeness, mandate, routing and log are on. Read the ratios to the hello world, not the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

import understudy
from understudy.core.nouns import Level, Role
from understudy.flows.access import create_token
from understudy.flows.moves import set_level
from understudy.flows.workspace import open_workspace

CONNECTIONS = (1, 16, 64)
TASK = "decide"
HELLO = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b'{"ok":true}'})
"""
MLFLOW = """
import sys
import mlflow, numpy, pandas
from lightgbm import LGBMClassifier
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
rows = pandas.read_csv(sys.argv[1])
y = rows.pop(sys.argv[2])
words = list(rows.select_dtypes(exclude="number").columns)
codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
prepare = make_column_transformer((codes, words), remainder="passthrough")
model = make_pipeline(prepare, LGBMClassifier(n_estimators=200, verbose=-1)).fit(rows, y)
mlflow.sklearn.save_model(model, sys.argv[3], serialization_format="cloudpickle")
"""
LUA = """
local bodies = {%s}
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer %s"
local i = 0
request = function() i = i + 1; return wrk.format(nil, nil, nil, bodies[i %% #bodies + 1]) end
done = function(summary, latency, requests)
  io.write(string.format("RESULT %%f %%f %%d\\n", latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], health: str, *, place: Path) -> Iterator[None]:
    """A server, from when it answers until it is killed."""
    process = subprocess.Popen(
        command, cwd=place, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(health, timeout=2).read()
                break
            except OSError:
                if time.monotonic() > until or process.poll() is not None:
                    raise RuntimeError(f"{command[0]} did not start") from None
                time.sleep(0.1)
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def load(url: str, bodies: list[dict[str, Any]], token: str, *, connections: int, seconds: int) -> dict[str, Any]:
    """What wrk measures."""
    quoted = ",\n".join(json.dumps(json.dumps(body)) for body in bodies)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(LUA % (quoted, token))
        script.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", script.name, url]
        done = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    p50, p99, errors = re.search(r"RESULT (\S+) (\S+) (\d+)", done).groups()  # type: ignore[union-attr]
    rate = re.search(r"Requests/sec:\s+(\S+)", done).group(1)  # type: ignore[union-attr]
    return {"per_second": float(rate), "p50_ms": float(p50), "p99_ms": float(p99), "errors": int(errors)}


def tell(server: str, figures: dict[int, dict[str, Any]], hello: dict[int, dict[str, Any]]) -> None:
    """One JSON line for each number of connections."""
    for connections, found in figures.items():
        ratio = round(found["per_second"] / hello[connections]["per_second"], 3)
        print(json.dumps({"server": server, "connections": connections, **found, "of_hello": ratio}), flush=True)


def make_task(source: Path, target: str, root: Path, store: str | None) -> str:
    """A workspace whose model decides at `partial`, and a token."""
    root.mkdir(parents=True)
    if store:
        (root / "understudy.toml").write_text(f"[store]\nurl = {json.dumps(store)}\n")
    result = understudy.run(source, target=target, name=TASK, workspace=root, budget=understudy.Budget(trials=1))
    work = open_workspace(root)
    labels = understudy.load(TASK, workspace=root).manifest.labels
    set_level(
        work,
        TASK,
        Level.PARTIAL,
        actor="bench",
        why=f"A measurement of {result.model.version[:12]}.",
        thresholds=dict.fromkeys(labels, 0.9),
        overriding=True,
    )
    return create_token(work, "bench", Role.SERVICE)


def measure(url: str, bodies: list[dict[str, Any]], token: str, seconds: int) -> dict[int, dict[str, Any]]:
    """At each number of connections, after a second of warming up."""
    load(url, bodies, token, connections=16, seconds=1)
    return {many: load(url, bodies, token, connections=many, seconds=seconds) for many in CONNECTIONS}


def ours(root: Path, workers: int, bodies: list[dict[str, Any]], token: str, seconds: int) -> dict[int, Any]:
    """Understudy's decision route."""
    port = free_port()
    command = [sys.executable, "-m", "understudy", "serve", "--workspace", str(root), "--port", str(port)]
    with running([*command, "--workers", str(workers)], f"http://127.0.0.1:{port}/health/ready", place=root):
        return measure(f"http://127.0.0.1:{port}/v1/tasks/{TASK}/decisions", bodies, token, seconds)


def main() -> None:
    """Measure everything that is there, and name what is not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder with adult.csv")
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--mlflow", type=Path, help="a Python with mlflow and lightgbm")
    parser.add_argument(
        "--postgres", action="append", default=[], help="the URL of an empty database; twice, for 1 and for 2 workers"
    )
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: apt-get install wrk")
    place = Path(tempfile.mkdtemp())
    try:
        source = place / "adult.csv"
        pl.read_csv(options.data / "adult.csv").drop("split").write_csv(source)
        rows = pl.read_csv(source).drop("income").head(1000).to_dicts()
        bodies = [{"inputs": row} for row in rows]
        print(json.dumps({"machine": platform.platform(), "cores": len(os.sched_getaffinity(0))}))
        (place / "hello.py").write_text(HELLO)
        port = free_port()
        granian = [str(Path(sys.executable).parent / "granian"), "--interface", "asgi", "--no-ws", "--port", str(port)]
        with running([*granian, "hello:app"], f"http://127.0.0.1:{port}/", place=place):
            hello = measure(f"http://127.0.0.1:{port}/", bodies, "", options.seconds)
        tell("hello world", hello, hello)
        token = make_task(source, "income", place / "sqlite", None)
        tell("understudy, SQLite", ours(place / "sqlite", 1, bodies, token, options.seconds), hello)
        for workers, store in enumerate(options.postgres, start=1):
            token = make_task(source, "income", place / f"postgres{workers}", store)
            found = ours(place / f"postgres{workers}", workers, bodies, token, options.seconds)
            tell(f"understudy, PostgreSQL, {workers} workers", found, hello)
        if options.mlflow is None:
            print(json.dumps({"server": "mlflow models serve", "missing": "give --mlflow PYTHON"}))
        else:
            tell("mlflow models serve", mlflow(options.mlflow, source, place, rows, options.seconds), hello)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def mlflow(python: Path, source: Path, place: Path, rows: list[dict[str, Any]], seconds: int) -> dict[int, Any]:
    """The same table and learner behind `mlflow models serve`."""
    (place / "train.py").write_text(MLFLOW)
    subprocess.run([python, place / "train.py", source, "income", place / "model"], check=True, capture_output=True)
    port = free_port()
    command = [str(python.parent / "mlflow"), "models", "serve", "-m", str(place / "model"), "--env-manager", "local"]
    os.environ["PATH"] = f"{python.parent}:{os.environ['PATH']}"
    bodies = [{"dataframe_records": [row]} for row in rows]
    with running([*command, "-p", str(port)], f"http://127.0.0.1:{port}/ping", place=place):
        return measure(f"http://127.0.0.1:{port}/invocations", bodies, "", seconds)


if __name__ == "__main__":
    main()
