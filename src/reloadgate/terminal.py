"""What the terminal shows of a verdict: one table, failures first, each with its remedy, no wider than 80 columns.

Text of others (paths, exceptions, names) is shown as text: no markup, no escapes. Colours are rich's business: none outside a
terminal, none with `NO_COLOR`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from reloadgate.remedies import unlooked
from reloadgate.text import one_line
from reloadgate.verdict import Finding, ModelVerdict, Status, Verdict, worst_first

if TYPE_CHECKING:
    from rich.console import Console

    from reloadgate.drift import Drift
    from reloadgate.drill.trials import Drill
    from reloadgate.history import Entry

WIDTH = 80

SHOWN = 3
"""Findings of one status and group that the terminal shows, the same of several artifacts as one; the reports have them all."""

TOLD = (Status.FAIL, Status.ERROR, Status.UNVERIFIED, Status.NOTED)
"""What a table has rows for; passes and skips are counted."""

STYLES: dict[str, str] = {Status.PASS: "green", Status.FAIL: "bold red", Status.ERROR: "bold red", Status.UNVERIFIED: "yellow"}

NOT_LOOKED_AT = "not looked at"
"""What the groups that nothing was looked at of are told under, in one line."""

Line = tuple[Status, str, str]
"""Verdict, what it is about, what was found."""


def show(verdict: Verdict, pages: str = "") -> None:
    """Print a verdict to standard output.

    Args:
        pages: where the reports lie, "" where none were written.
    """
    console = _console()
    if verdict.models:
        _print_table(console, verdict)
    if pages:
        console.print(f"report: {one_line(pages)}", soft_wrap=True)
    console.print(f"{verdict.status}: {one_line(verdict.reason)}", soft_wrap=True, style=STYLES.get(verdict.status, ""))


def show_drifts(drifts: "Sequence[Drift]") -> None:
    """Print how far each version is from that of another revision, a line a model."""
    for drift in drifts:
        _console().print(one_line(f"{drift.model} against {drift.revision}: {drift.told()}"), soft_wrap=True)


def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, width=min(Console().width, WIDTH))


def show_history(entries: "Sequence[Entry]") -> None:
    """Print a table of commits and models, newest first; what cannot be told is a dash, and why stands below."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    console = _console()
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, width=console.width)
    for name in ("commit", "date", "model", "verdict", "drift", "resume", "kB", "s", "churn"):
        numeric = name in ("drift", "resume", "kB", "s", "churn")
        table.add_column(name, justify="right" if numeric else "left", overflow="fold", no_wrap=name != "model")
    for entry in entries:
        size = None if entry.bytes is None else entry.bytes / 1000
        churn = "–" if entry.churn is None else f"{entry.churn:.1%}"
        status = Text(one_line(entry.status), STYLES.get(entry.status, ""))
        numbers = (entry.drift_digits, entry.resumed_loss_digits, size, entry.reload_seconds)
        shown = ("–" if number is None else f"{number:.4g}" for number in numbers)
        table.add_row(entry.commit[:7], entry.when, Text(one_line(entry.model)), status, *shown, churn)
    console.print(table)
    console.print("drift and resume: digits that agree, 99 for the same bits", style="dim")
    for reason, count in Counter(e.churn_reason for e in entries if e.churn_reason and e.model).items():
        console.print(f"no churn for {count}: {one_line(reason)}", style="dim", soft_wrap=True)


def show_drill(drill: "Drill", areas: Sequence[tuple[str, dict[str, Any]]], page: str = "") -> None:
    """Print what became of damages by area, then those that were not caught with what would catch them."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    console = _console()
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, width=console.width)
    table.add_column("area")
    for name in ("score", "caught", "digest alone", "survived", "equivalent", "not applicable"):
        table.add_column(name, justify="right")
    for area, figures in areas if drill.trials else ():
        counts = list(figures.values())[:5]
        score = f"{figures['score']:.1%}" if "score" in figures else "–"
        table.add_row(area, Text(score, "" if figures.get("score", 1) == 1 else STYLES[Status.FAIL]), *map(str, counts))
    console.print(table)
    for trial in (trial for trial in drill.trials if trial.outcome in ("survived", "caught by the digest alone")):
        about = one_line(f"{trial.model} {trial.artifact}: {trial.damage} ({trial.area})")
        console.print(f"{trial.outcome}: {about}", style=STYLES[Status.FAIL], soft_wrap=True)
        for advice in trial.advice:
            console.print(f"  → {one_line(advice)}", soft_wrap=True)
    for place, why in drill.unfit.items():
        console.print(f"not drilled: {one_line(place)}: {one_line(why)}", style=STYLES[Status.UNVERIFIED], soft_wrap=True)
    if page:
        console.print(f"report: {one_line(page)}", soft_wrap=True)
    console.print(f"{drill.status}: {one_line(drill.reason)}", soft_wrap=True, style=STYLES.get(drill.status, ""))


def _print_table(console: "Console", verdict: Verdict) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, width=console.width)
    table.add_column("verdict", no_wrap=True)
    table.add_column("model, check", overflow="fold", max_width=console.width // 3)
    table.add_column("what was found", overflow="fold", ratio=1)
    for model in worst_first(verdict.models):
        for number, (status, about, found) in enumerate(_lines(model)):
            style = STYLES.get(status, "dim")
            table.add_row(Text(status, style), Text(about, "" if number else "bold"), Text(found))
        table.add_section()
    console.print(table)


def _lines(model: ModelVerdict) -> Iterator[Line]:
    """The model's own line, then its findings by status and group: a few of each, how many more, and what to do."""
    counts = {status: sum(finding.status is status for finding in model.findings) for status in Status}
    bad = sum(counts[status] for status in TOLD) - counts[Status.NOTED]
    summary = f"{counts[Status.PASS]} passed, {bad} not, {counts[Status.NOTED]} noted"
    yield model.status, one_line(model.model), f"{one_line(model.version)}: {summary}"
    for status in TOLD:
        groups: dict[str, list[Finding]] = {}
        for finding in model.findings:
            if finding.status is status:
                about = NOT_LOOKED_AT if unlooked(finding.row) else finding.row.group
                groups.setdefault(about, []).append(finding)
        for group, found in groups.items():
            yield status, f"  {group}", _told(found)


def _told(found: list[Finding]) -> str:
    if unlooked(found[0].row):
        lines = [", ".join(dict.fromkeys(finding.row.group for finding in found))]
    else:
        artifacts: dict[tuple[str, str], list[str]] = {}
        for finding in found:
            artifacts.setdefault((finding.row.subject, finding.message), []).append(finding.row.artifact)
        lines = [one_line(f"{_about(subject, seen)}: {message}") for (subject, message), seen in artifacts.items()]
        lines[SHOWN:] = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    remedies = dict.fromkeys(finding.remedy for finding in found if finding.remedy)
    return "\n".join([*lines, *(f"→ {one_line(remedy)}" for remedy in remedies)])


def _about(subject: str, artifacts: list[str]) -> str:
    named = ", ".join(dict.fromkeys(artifact for artifact in artifacts if artifact))
    return f"{subject} ({named})" if named else subject
