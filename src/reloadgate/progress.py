"""Progress: what waits, runs and has ended, on standard error. A live display on a terminal, a line an event elsewhere."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import RenderableType


class Watch:
    """What a run tells of itself; this one is silent. Keys are the run's own, names are for people."""

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def reused(self, name: str) -> None:
        """Evidence of an earlier reload is used again."""

    def waiting(self, names: Mapping[str, str]) -> None:
        """These will be reloaded; a drill reloads what it looks deeper into once more, under the same key."""

    def started(self, key: str) -> None:
        """The process that reloads this begins."""

    def ended(self, key: str, broke: str) -> None:
        """It was reloaded; `broke` says what became of the process where it ended before its time."""

    def judged(self, model: str, status: str) -> None:
        """All artifacts of a model were reloaded, and this is what they are worth."""


class Lines(Watch):
    """A plain line for every event."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._names: dict[str, str] = {}
        self._started: dict[str, float] = {}
        self._wanted = self._ended = 0

    def reused(self, name: str) -> None:
        self._say(f"reused: {name}")

    def waiting(self, names: Mapping[str, str]) -> None:
        self._names.update(names)
        self._wanted += len(names)
        self._say(f"waiting: {len(names)} artifacts to reload")

    def started(self, key: str) -> None:
        self._started[key] = time.monotonic()
        self._say(f"running: {self._names[key]}")

    def ended(self, key: str, broke: str) -> None:
        self._ended += 1
        seconds = time.monotonic() - self._started.pop(key, time.monotonic())
        outcome = f"broken: {self._names[key]}: {broke}" if broke else f"reloaded: {self._names[key]}"
        self._say(f"{outcome} ({seconds:.1f} s, {self._ended} of {self._wanted})")

    def judged(self, model: str, status: str) -> None:
        self._say(f"judged: {model} {status}")

    def _say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class Live(Watch):
    """One display that is drawn again four times a second, and leaves nothing behind."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live as Display

        self._began = time.monotonic()
        self._names: dict[str, str] = {}
        self._started: dict[str, float] = {}
        self._broken = self._wanted = self._ended = self._reused = 0
        self._judged: dict[str, int] = {}
        console = Console(stderr=True)
        self._display = Display(get_renderable=self.renderable, console=console, transient=True, refresh_per_second=4)

    def __enter__(self) -> "Live":
        self._display.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._display.stop()

    def reused(self, name: str) -> None:
        self._reused += 1

    def waiting(self, names: Mapping[str, str]) -> None:
        self._names.update(names)
        self._wanted += len(names)

    def started(self, key: str) -> None:
        self._started[key] = time.monotonic()

    def ended(self, key: str, broke: str) -> None:
        self._ended += 1
        self._broken += bool(broke)
        self._started.pop(key, None)

    def judged(self, model: str, status: str) -> None:
        self._judged[status] = self._judged.get(status, 0) + 1

    def renderable(self) -> "RenderableType":
        """What the display shows now: the counts, then a line for everything that runs."""
        from rich.console import Group
        from rich.text import Text

        now, running = time.monotonic(), dict(self._started)
        counts = {
            "waiting": self._wanted - self._ended - len(running),
            "running": len(running),
            "reloaded": self._ended - self._broken,
            "broken": self._broken,
            "reused": self._reused,
        } | self._judged
        head = " · ".join(f"{count} {what}" for what, count in counts.items() if count or what == "running")
        lines = [f"  {self._names[key]}  {now - started:.0f} s" for key, started in running.items()]
        return Group(Text(f"{head} · {now - self._began:.0f} s", style="bold"), *map(Text, lines))


def watch_on(stream: TextIO) -> Watch:
    """The live display where a person watches, else lines."""
    return Live() if stream.isatty() else Lines(stream)
