"""A PostgreSQL server for the tests, thrown away after them."""

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{folder}'
max_connections = 100
fsync = off
"""


def find_programs() -> Path:
    """The folder of the newest server's programs; Debian keeps them off the PATH."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(debian, key=lambda path: int(path.parts[-3]), default=None)
    found = newest or shutil.which("initdb")
    if found is None:
        pytest.fail("PostgreSQL is not installed: apt-get install postgresql (Debian's package).", pytrace=False)
    return Path(found).resolve().parent


@contextmanager
def running_server() -> Iterator[Callable[[], str]]:
    """A server that listens only on a socket in its own folder; each call makes an empty database and gives its URL."""
    programs = find_programs()
    owner = "postgres" if os.getuid() == 0 else None  # the server refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="understudy-", dir="/tmp"))  # a socket's path must be short
    data, log = folder / "data", folder / "log"
    numbers = itertools.count(1)

    def call(program: str, *arguments: str | Path) -> None:
        done = subprocess.run(
            [programs / program, "-D", data, *arguments],
            cwd=folder,
            user=owner,
            group=owner,
            extra_groups=[] if owner else None,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            told = log.read_text() if log.exists() else ""
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}{told}")

    def make_database() -> str:
        name = f"test{next(numbers)}"
        with psycopg.connect(host=str(folder), user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql://postgres@/{name}?host={folder}"

    try:
        if owner:
            shutil.chown(folder, owner, owner)
        call("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(SETTINGS.format(folder=folder))
        call("pg_ctl", "start", "--wait", "--log", log)
        try:
            yield make_database
        finally:
            call("pg_ctl", "stop", "--wait", "--mode=immediate")
    finally:
        shutil.rmtree(folder)
