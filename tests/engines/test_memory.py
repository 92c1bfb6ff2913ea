"""How much memory there is, is read from the machine and from the control group."""

import pytest

from understudy.engines import memory


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with 8 GB to be had, and a control group as it is said."""
    info, limit, used = (tmp_path / name for name in ("meminfo", "max", "current"))
    info.write_text("MemTotal:       16000000 kB\nMemAvailable:    8000000 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", info)
    monkeypatch.setattr(memory, "CGROUPS", ((limit, used),))

    def group(most, now):
        limit.write_text(f"{most}\n")
        used.write_text(f"{now}\n")

    return group


def test_without_a_limit_it_is_what_the_machine_has(machine):
    assert memory.available_bytes() == 8_000_000 * 1024
    machine("max", 5)
    assert memory.available_bytes() == 8_000_000 * 1024


def test_a_control_group_leaves_what_it_has_not_used(machine):
    machine(3_000_000_000, 1_000_000_000)
    assert memory.available_bytes() == 2_000_000_000
    machine(1_000, 5_000)
    assert memory.available_bytes() == 0


def test_where_the_system_does_not_tell_nothing_is_known(tmp_path, monkeypatch):
    for name in ("MEMINFO", "STATUS"):
        monkeypatch.setattr(memory, name, tmp_path / "none")
    monkeypatch.setattr(memory, "CGROUPS", ())
    assert memory.available_bytes() is None
    assert memory.data_bytes() == 0
