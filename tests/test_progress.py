"""Progress: what waits, runs and has ended, with times; for people and for logs."""

import io
import re

import pytest
from rich.console import Console

from reloadgate.progress import Lines, Live, Watch, watch_on

NAMES = {"a": "digits model.keras", "b": "diabetes model.keras", "c": "wine model.keras", "d": "wine checkpoint"}


def happen(watch: Watch) -> None:
    """Of four, one was reloaded, one broke, one runs and one waits; one model was judged."""
    watch.waiting(NAMES)
    for key in "abc":
        watch.started(key)
    watch.ended("a", "")
    watch.judged("digits", "PASS")
    watch.ended("b", "it was killed by signal 9")


def test_without_a_terminal_every_event_is_a_plain_line() -> None:
    stream = io.StringIO()
    with watch_on(stream) as watch:
        happen(watch)
    said = re.sub(r"\d+\.\d s", "_ s", stream.getvalue()).splitlines()
    assert said == [
        "waiting: 4 artifacts to reload",
        "running: digits model.keras",
        "running: diabetes model.keras",
        "running: wine model.keras",
        "reloaded: digits model.keras (_ s, 1 of 4)",
        "judged: digits PASS",
        "broken: diabetes model.keras: it was killed by signal 9 (_ s, 2 of 4)",
    ]
    assert isinstance(watch, Lines)


def test_on_a_terminal_the_display_has_counts_and_what_runs_and_leaves_nothing() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    watch = watch_on(Terminal())
    assert isinstance(watch, Live)
    happen(watch)
    console = Console(file=io.StringIO(), width=100, record=True)
    console.print(watch.renderable())
    head, *running = console.export_text().splitlines()
    assert re.sub(r"\d+ s$", "_ s", head) == "1 waiting · 1 running · 1 reloaded · 1 broken · 1 PASS · _ s"
    assert [re.sub(r"\d+ s$", "_ s", line) for line in running] == ["  wine model.keras  _ s"]


def test_what_is_reloaded_once_more_counts_once_more() -> None:
    stream, display = io.StringIO(), Live()
    for watch in (Lines(stream), display):
        happen(watch)
        watch.waiting({"a": NAMES["a"], "b": NAMES["b"]})
        watch.started("a")
        watch.ended("a", "")
    assert stream.getvalue().splitlines()[-1].endswith("3 of 6)")
    console = Console(file=io.StringIO(), width=100, record=True)
    console.print(display.renderable())
    assert console.export_text().startswith("2 waiting · 1 running · 2 reloaded")


def test_silence_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Watch() as watch:
        happen(watch)
    assert capsys.readouterr() == ("", "")
