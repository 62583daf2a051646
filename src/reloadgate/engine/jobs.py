"""What is asked of an engine, and what comes back."""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Protocol

from reloadgate.evidence import Artifact, Depth
from reloadgate.inspection import Limits as InspectionLimits
from reloadgate.nouns import noun

MEBIBYTE = 1 << 20


@noun
class Limits:
    """What one child may use before it is killed; its end is then a row of the comparison."""

    wall_seconds: float = 600.0
    cpu_seconds: int = 1800
    """Of all its threads together."""
    memory_mib: int | None = None
    """Resident memory of the child and of what it starts; default: nine tenths of the machine's."""

    def __post_init__(self) -> None:
        for name in ("wall_seconds", "cpu_seconds", "memory_mib"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name} is {value}, and a limit is a finite number above 0")


class EngineKind(StrEnum):
    LOCAL = "local"
    DASK = "dask"


@noun
class EngineSettings:
    """The section `engine` of `params.yaml`: where reloads run, how many at once, and what each may use."""

    kind: EngineKind = EngineKind.LOCAL
    scheduler: str | None = None
    """Address of the Dask scheduler, such as tcp://10.0.0.1:8786; for `kind: dask`."""
    children: int | None = None
    """How many run at once on this machine; default: one a core, fewer where memory is short."""
    python: str | None = None
    """The interpreter of another environment to reload in; default: this one."""
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if self.children is not None and self.children < 1:
            raise ValueError(f"children is {self.children}, and at least 1 must run")
        if (self.kind is EngineKind.DASK) != (self.scheduler is not None):
            raise ValueError("kind: dask needs the address of its scheduler (scheduler: tcp://…), and kind: local has none")
        if self.scheduler is not None and self.python is not None:
            raise ValueError("another interpreter (python) is one of this machine: reload there with kind: local")


@noun
class Job:
    """Reload one artifact: everything that a child is told."""

    version: str
    """Absolute path of the model version."""
    artifact: Artifact
    out: str
    """Absolute path of the folder that takes the reloaded evidence and the child's log."""
    size: int = 0
    """Bytes of the version's files: what the child's memory is estimated from."""
    limits: Limits = Limits()
    strict: bool = False
    """Whether what inspection refuses is kept from the user's own loader too (the policy `own_loader`)."""
    inspecting: InspectionLimits = InspectionLimits()
    """What the artifact may be."""
    depth: Depth = Depth.AGAIN

    @property
    def memory(self) -> int:
        """Estimate of the bytes of memory that the child takes."""
        return BARE + TIMES * self.size


BARE = 256 * MEBIBYTE
"""Memory that a child takes beyond what it shares with the fork server, whatever the model (70 MiB measured for a small one)."""

TIMES = 6
"""Bytes of memory for every byte of a saved model, on the safe side: it is loaded twice, held and stepped."""


@noun
class End:
    """How a child ended. Exit code 0 means that it wrote its evidence."""

    job: Job
    exit_code: int
    stopped: str = ""
    """Why it was killed by its supervisor; "" where it was not."""
    seconds: float

    @property
    def reason(self) -> str:
        if self.stopped:
            return self.stopped
        return f"it was killed by signal {-self.exit_code}" if self.exit_code < 0 else f"it ended with {self.exit_code}"


class Engine(Protocol):
    """Where reloads run."""

    def run(self, jobs: Iterable[Job], started: Callable[[Job], None] = ...) -> Iterator[End]:
        """Run jobs, each in a fresh process; their ends as they come, in no fixed order.

        Args:
            started: called with every job when its process begins.

        Raises:
            EngineError: the engine broke; a process that breaks is an `End`.
        """
        ...


def ignore(job: Job) -> None:
    """Nobody watches."""
