"""What a container may take is what its control group says, less what the system would give back."""

import sys
from pathlib import Path
from subprocess import PIPE, Popen
from types import SimpleNamespace

import pytest

from reloadgate.engine import machine

GIB = 1 << 30


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a control group, on a machine of 64 GiB and 64 processors."""
    monkeypatch.setattr(machine, "_CONTROL_GROUP", tmp_path)
    monkeypatch.setattr(machine, "processors", lambda: 64)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(total=64 * GIB, available=32 * GIB))
    return tmp_path


def given(container: Path, **files: str) -> None:
    for name, content in files.items():
        (container / name.replace("_", ".")).write_text(content + "\n")


def test_without_a_container_all_is_the_machines(container: Path) -> None:
    assert (machine.total(), machine.available(), machine.cores()) == (64 * GIB, 32 * GIB, 64)
    given(container, memory_max="max", memory_current=str(GIB), cpu_max="max 100000")
    assert (machine.total(), machine.available(), machine.cores()) == (64 * GIB, 32 * GIB, 64)


def test_files_that_nobody_uses_take_no_memory_of_a_container(container: Path) -> None:
    given(container, memory_max=str(8 * GIB), memory_current=str(7 * GIB))
    assert (machine.total(), machine.available()) == (8 * GIB, GIB)
    given(container, memory_stat=f"anon {GIB}\nfile {6 * GIB}\ninactive_file {5 * GIB}\nactive_file {GIB}")
    assert machine.available() == 6 * GIB


@pytest.mark.parametrize(
    ("quota", "expected"), [("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("9900000 100000", 64)]
)
def test_a_container_that_is_given_a_part_of_the_time_has_fewer_cores(container: Path, quota: str, expected: int) -> None:
    given(container, cpu_max=quota)
    assert machine.cores() == expected


LEAVES_A_CHILD = """
import os, sys
if not os.fork():
    if os.fork():
        os._exit(0)  # whoever asks for the children of the first finds none
    held = b"x" * 100_000_000
    print(flush=True)
sys.stdin.read()
"""


def test_what_a_process_started_counts_with_it_also_where_it_is_no_child_of_it_any_more() -> None:
    with Popen([sys.executable, "-c", LEAVES_A_CHILD], stdin=PIPE, stdout=PIPE, start_new_session=True) as one:
        assert one.stdout is not None
        one.stdout.readline()
        held = machine.resident([one.pid])
        assert [*held] == [one.pid]
        assert 100_000_000 < held[one.pid] < 300_000_000
