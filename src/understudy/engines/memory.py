"""How much memory there is, for this process and what runs beside it."""

from __future__ import annotations

from pathlib import Path

MEMINFO = Path("/proc/meminfo")
CGROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)
STATUS = Path("/proc/self/status")


def available_bytes() -> int | None:
    """The memory that can still be had: of the machine, and of the control group that we run in; None if unknown."""
    known = [read_field(MEMINFO, "MemAvailable")]
    for limit, used in CGROUPS:
        most, now = read_number(limit), read_number(used)
        if most is not None and now is not None:
            known.append(max(most - now, 0))
    return min((bytes_ for bytes_ in known if bytes_ is not None), default=None)


def data_bytes() -> int:
    """The private writable memory of this process, as `RLIMIT_DATA` counts it; 0 where the system does not tell."""
    return read_field(STATUS, "VmData") or 0


def held_bytes() -> int:
    """The memory that this process holds now; 0 where the system does not tell."""
    return read_field(STATUS, "VmRSS") or 0


def read_field(file: Path, name: str) -> int | None:
    """A field of a file in `/proc` that has lines such as `MemAvailable: 123 kB`, in bytes."""
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = next((line for line in lines if line.startswith(f"{name}:")), None)
    return None if found is None else int(found.split()[1]) * 1024


def read_number(file: Path) -> int | None:
    """The number in a file; None where there is none, or where it says that there is no limit."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
