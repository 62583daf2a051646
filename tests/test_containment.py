"""A contained process reaches no network, nor does what it starts; pipes and files stay."""

import ctypes
import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reloadgate.engine import containment
from reloadgate.engine.containment import contain
from reloadgate.surroundings import fresh

LINUX = sys.platform.startswith("linux") and platform.machine() in containment._MACHINES


def contained(action: Callable[[], Any], act: Callable[[], Any] = lambda: contain(60)) -> Any:
    """What an action returns, or the error that it raises, in a fork of this process that was contained before."""
    reading, writing = os.pipe()
    if not (process := os.fork()):
        try:
            os.close(reading)
            answer: Any = act()
            if not answer:
                answer = action()
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = json.loads(pipe.read())
    os.waitpid(process, 0)
    return answer


@pytest.fixture
def listening() -> Any:
    """The port of a service of this machine that answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def connects(port: int) -> str:
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
    return "connected"


def test_this_platform_contains() -> None:
    assert (contained(lambda: "contained") == "contained") == LINUX


def test_a_service_of_this_machine_is_reached_before_and_not_after(listening: int) -> None:
    assert contained(lambda: connects(listening), lambda: None) == "connected"
    assert contained(lambda: connects(listening)).startswith("PermissionError")


FAMILIES = {name: getattr(socket, name) for name in ("AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET", "AF_VSOCK")}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW])
def test_no_socket_of_any_family_can_be_made(family: str, kind: socket.SocketKind) -> None:
    assert contained(lambda: socket.socket(FAMILIES[family], kind).close()).startswith("PermissionError")


@pytest.mark.parametrize("leave", [os.setsid, lambda: os.setpgid(0, 0)])
def test_nothing_that_is_started_leaves_the_group_that_is_killed(leave: Callable[[], None]) -> None:
    def child() -> Any:
        reading, writing = os.pipe()
        if not (process := os.fork()):
            try:
                leave()
            except PermissionError:
                os.write(writing, b"stays")
            os._exit(0)
        os.close(writing)
        os.waitpid(process, 0)
        return os.read(reading, 10).decode()

    assert contained(child) == "stays"
    assert contained(child, lambda: None) == "", "where it is not contained, it can"


def test_no_name_is_looked_up() -> None:
    assert "gaierror" in contained(lambda: socket.getaddrinfo("example.org", 443))


def test_a_unix_socket_is_not_reached_by_path_nor_by_abstract_name(tmp_path: Path) -> None:
    for address in (str(tmp_path / "socket"), f"\0reloadgate-{os.getpid()}"):
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(address)
            server.listen()

            def reaches(address: str = address) -> str:
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(address)
                return "connected"

            assert contained(reaches, lambda: None) == "connected"
            assert contained(reaches).startswith("PermissionError")


def test_what_it_starts_is_contained_too(listening: int) -> None:
    code = f"import socket; socket.create_connection(('127.0.0.1', {listening}), timeout=5)"

    def starts() -> str:
        return subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False).stderr

    assert contained(starts, lambda: None) == ""
    assert "PermissionError" in contained(starts)


def test_threads_that_run_already_are_contained_too(listening: int) -> None:
    import threading

    contains, found = threading.Event(), []

    def reaches() -> None:
        contains.wait()
        try:
            found.append(connects(listening))
        except OSError as error:
            found.append(type(error).__name__)

    def act() -> Any:
        thread = threading.Thread(target=reaches)
        thread.start()
        reason = contain(60)
        contains.set()
        thread.join()
        return reason

    assert contained(lambda: found, act) == ["PermissionError"]


@pytest.mark.parametrize("number", range(1, 6))
def test_other_ways_to_the_same_end_are_closed(number: int) -> None:
    call = containment._MACHINES[platform.machine()][2][number]

    def calls() -> int:
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.syscall(call, 0, 0, 0, 0, 0, 0) == -1
        return ctypes.get_errno()

    assert contained(calls) == 13


def test_pipes_pairs_of_sockets_files_and_processes_stay(tmp_path: Path) -> None:
    def works() -> list[Any]:
        one, other = socket.socketpair()
        one.send(b"x")
        (tmp_path / "file").write_text("content")
        ran = subprocess.run(["echo", "y"], capture_output=True, text=True, check=True).stdout
        return [other.recv(1).decode(), (tmp_path / "file").read_text(), ran]

    assert contained(works) == ["x", "content", "y\n"]


def test_it_writes_no_core_and_goes_first_where_memory_runs_out() -> None:
    import resource

    assert contained(lambda: resource.getrlimit(resource.RLIMIT_CORE)) == [0, 0]
    assert contained(lambda: Path("/proc/self/oom_score_adj").read_text().strip()) == "1000"


@pytest.mark.parametrize(
    ("module", "name", "value", "reason"),
    [
        (platform, "machine", lambda: "riscv64", "no filter of system calls is known for riscv64"),
        (sys, "platform", "darwin", "has no filter of system calls"),
        (containment, "_program", lambda *_: b"\0" * 8, "takes no filter of system calls: Invalid argument"),
        (containment, "_filter_calls", lambda _: "", "not in force"),
    ],
)
def test_where_it_is_not_in_force_that_is_said(
    module: Any, name: str, value: Any, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, value)
    assert reason in contained(lambda: "contained")


def test_variables_pass_by_name_alone() -> None:
    needed = {"PATH": "/bin", "LANG": "C.UTF-8", "TMPDIR": "/scratch", "TF_ENABLE_ONEDNN_OPTS": "0", "XLA_FLAGS": ""}
    others = {
        "HOME": "/home/me", "AWS_SECRET_ACCESS_KEY": "x", "GITHUB_TOKEN": "x", "HF_TOKEN": "x", "SSH_AUTH_SOCK": "/x",
        "HTTPS_PROXY": "x", "KERAS_HOME": "/x", "PYTHONPATH": "/x", "LD_PRELOAD": "/x.so", "TF_CONFIG": "{}", "TF_TOKEN": "x",
    }  # fmt: skip
    made = fresh(needed | others, ())
    assert {name: made.get(name) for name in needed} == needed
    assert not {*others} & {*made}
