"""What a reloading process and all that it starts may not do, from before anything is loaded: reach the network, or others.

A filter of system calls (seccomp), which needs no rights and is never taken back. No socket can be made, of any family: neither
the network, this machine's own services nor those of its users answer. Pairs of connected sockets and pipes stay, which lead
nowhere else. Other ways to the same end are closed with it: io_uring, looking into other processes, taking their descriptors,
and calls of another architecture. Nor can a process leave the group that its supervisor kills.
"""

import contextlib
import ctypes
import errno
import os
import platform
import resource
import signal
import socket
import struct
import sys
from pathlib import Path

_MACHINES = {
    # AUDIT_ARCH, seccomp; socket, io_uring_setup, ptrace, process_vm_readv, process_vm_writev, pidfd_getfd, setpgid, setsid
    "x86_64": (0xC000003E, 317, (41, 425, 101, 310, 311, 438, 109, 112)),
    "aarch64": (0xC00000B7, 277, (198, 425, 117, 270, 271, 438, 154, 157)),
}
"""Numbers of system calls by machine: `linux/audit.h`, `asm/unistd.h`."""

_X32 = 0x40000000
"""From here on x86-64 numbers its calls once more."""

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _DENY = 0x7FFF0000, 0x00050000 | errno.EACCES
"""`linux/bpf_common.h`, `linux/seccomp.h`."""
_NR, _ARCHITECTURE = 0, 4
"""Offsets in `struct seccomp_data`."""

_SET_PDEATHSIG, _SET_NO_NEW_PRIVS = 1, 38
_SET_MODE_FILTER, _TSYNC = 1, 1


def contain(cpu_seconds: int) -> str:
    """Contain this process and all that it starts, for good.

    Args:
        cpu_seconds: the system ends it with SIGXCPU when its threads have used so much together.

    Returns:
        Why the network can still be reached; "" where it cannot.
    """
    if os.name != "posix":
        return f"{platform.system()} has no filter of system calls"
    _limit(resource.RLIMIT_CPU, cpu_seconds, final=False)
    _limit(resource.RLIMIT_CORE, 0)  # a core would hold what the process was given, and may fill the disk
    if not sys.platform.startswith("linux"):
        return f"{platform.system()} has no filter of system calls"
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # nobody would stop it, were its supervisor killed
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # where memory runs out, this process is to go first
    return _filter_calls(libc) or _tried()


def _limit(what: int, most: int, final: bool = True) -> None:
    hard = resource.getrlimit(what)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most if final else hard))


def _filter_calls(libc: ctypes.CDLL) -> str:
    machine = platform.machine()
    if machine not in _MACHINES or ctypes.sizeof(ctypes.c_void_p) != 8:
        return f"no filter of system calls is known for {machine}"
    architecture, seccomp, denied = _MACHINES[machine]
    program = _program(architecture, denied)
    instructions = ctypes.create_string_buffer(program, len(program))
    held = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(instructions))  # struct sock_fprog
    if libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.syscall(seccomp, _SET_MODE_FILTER, _TSYNC, held):
        return f"the system takes no filter of system calls: {os.strerror(ctypes.get_errno())}"
    return ""


def _program(architecture: int, denied: tuple[int, ...]) -> bytes:
    """The filter in Berkeley Packet Filter: code, jump if true, jump if false, operand; jumps count from the next instruction."""
    count = len(denied)
    return b"".join(
        struct.pack("HBBI", *instruction)
        for instruction in (
            (_LOAD, 0, 0, _ARCHITECTURE),
            (_EQUAL, 0, count + 3, architecture),
            (_LOAD, 0, 0, _NR),
            (_AT_LEAST, count + 1, 0, _X32),
            *((_EQUAL, count - number, 0, call) for number, call in enumerate(denied)),
            (_RETURN, 0, 0, _ALLOW),
            (_RETURN, 0, 0, _DENY),
        )
    )


def _tried() -> str:
    """What is said to be in force was tried."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()
    except PermissionError:
        return ""
    except OSError:
        pass
    return "the filter of system calls is not in force"
