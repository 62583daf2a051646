"""What a drill leaves: metrics that DVC compares between commits, and a page. ERROR first, and better only at the end."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from reloadgate.drill.trials import MISSED, Area, Drill, Outcome, Trial, score_of
from reloadgate.evidence import Group
from reloadgate.files import write_atomically
from reloadgate.nouns import noun, write_json
from reloadgate.report import all_or_none
from reloadgate.verdict import Status

METRICS = "drill.json"
PAGE = "drill.html"


@noun
class Line:
    """A damage, and what became of it in every artifact: a line of the page's table."""

    area: Area
    damage: str
    imitates: str
    seen: str
    trials: tuple[Trial | None, ...]
    """One for every column; None where it was not tried."""


def begin(reports: Path) -> None:
    """Set metrics and page to ERROR: a drill has begun, and has not ended."""
    reason = "`reloadgate drill` began and came to no end: it is running, was stopped, refused a setting, or broke"
    error = {"status": str(Status.ERROR)}
    page = f"<!doctype html><html lang=en><meta charset=utf-8><title>drill: ERROR</title><h1>ERROR</h1><p>{reason}</p></html>\n"
    with all_or_none(reports, METRICS, PAGE):
        write_json(reports / METRICS, error)
        write_atomically(reports / PAGE, page.encode())


def publish(reports: Path, drill: Drill) -> None:
    page, figures = html(drill).encode(), metrics(drill)
    with all_or_none(reports, METRICS, PAGE):
        write_atomically(reports / PAGE, page)
        write_json(reports / METRICS, figures)


def metrics(drill: Drill) -> dict[str, Any]:
    """Scores and counts, of all, by area and by model; no score where nothing could be noticed."""
    models = sorted({trial.model for trial in drill.trials})
    return {
        "status": str(drill.status),
        **_figures(drill.trials),
        "areas": {str(area): _figures(t for t in drill.trials if t.area is area) for area in _areas(drill)},
        "models": {model: _figures(t for t in drill.trials if t.model == model) for model in models},
    }


def _figures(trials: Iterable[Trial]) -> dict[str, Any]:
    chosen = tuple(trials)
    score = score_of(chosen)
    counts = {str(outcome).replace(" ", "_"): sum(t.outcome is outcome for t in chosen) for outcome in Outcome}
    return counts | ({} if score.share is None else {"score": round(score.share, 5)})


def _areas(drill: Drill) -> list[Area]:
    return [area for area in Area if any(trial.area is area for trial in drill.trials)]


def areas(drill: Drill) -> list[tuple[str, dict[str, Any]]]:
    """The figures of every area, and of all, for a table."""
    figures = [(str(area), _figures(t for t in drill.trials if t.area is area)) for area in _areas(drill)]
    return [*figures, ("all", _figures(drill.trials))]


def html(drill: Drill) -> str:
    """The page of a drill: survivors first."""
    from reloadgate.page import template

    columns = sorted({(trial.model, trial.artifact) for trial in drill.trials if trial.outcome is not Outcome.NOT_APPLICABLE})
    page: str = template("drill.html").render(
        drill=drill, areas=areas(drill), missed=[t for t in drill.trials if t.outcome in MISSED], columns=columns,
        lines=lines(drill, columns), needed=needed(drill.trials) if drill.thorough else [], Outcome=Outcome,
        tones={Outcome.CAUGHT: "PASS", Outcome.DIGEST: "FAIL", Outcome.SURVIVED: "FAIL", Outcome.EQUIVALENT: "NOTED",
               Outcome.NOT_APPLICABLE: "NONE"},
    )  # fmt: skip
    return page


def lines(drill: Drill, columns: list[tuple[str, str]]) -> list[Line]:
    """The damages in the order in which they are declared, each with what became of it in every column."""
    by_damage: dict[tuple[Area, str], dict[tuple[str, str], Trial]] = {}
    for trial in drill.trials:
        by_damage.setdefault((trial.area, trial.damage), {})[trial.model, trial.artifact] = trial
    found = []
    for (area, damage), cells in sorted(by_damage.items(), key=lambda item: list(Area).index(item[0][0])):
        first = next(iter(cells.values()))
        trials = tuple(cells.get(column) for column in columns)
        found.append(Line(area=area, damage=damage, imitates=first.imitates, seen=first.seen, trials=trials))
    return found


NEVER_ALONE: dict[Group, str] = {
    Group.INTEGRITY: "left out on purpose: a digest tells that a file is another one, and not that it is a worse one",
    Group.CONTAINMENT: "about the process that reloads, not about a version",
    Group.RANDOM_STATE: "no artifact holds it: it tells lost random state from a lost optimizer, and the policy may forbid it",
    Group.DETERMINISM: "about code: a random operation without a seed predicts otherwise each time, whatever the files are",
    Group.RELOCATION: "about code that reads a file beside the artifact by its path",
    Group.ROUND_TRIP: "about code: a `get_config` that forgets an argument loses it at the next save",
    Group.AGREEMENT: "each sibling is held against the evidence too: it tells which two disagree, and what each must do",
    Group.RESUME: "about code: what a step needs and nobody stores, such as a Python counter, is missed by training on alone",
    Group.EXPECTATIONS: "suites of the user's own",
}
"""Groups of checks that no damage of a file needs, each with what it is there for; `examples/hazards` has the code."""


def needed(trials: Iterable[Trial]) -> list[tuple[str, str]]:
    """For every group of checks the damages that it alone caught; why there are none, where there can be none."""
    by_group = alone(trials)
    names = [*map(str, Group), *sorted(set(by_group) - {*map(str, Group)})]
    return [(name, "; ".join(dict.fromkeys(t.damage for t in by_group.get(name, ()))) or _why_none(name)) for name in names]


def _why_none(group: str) -> str:
    return next((f"– ({why})" for known, why in NEVER_ALONE.items() if known == group), "– (none in these models)")


def alone(trials: Iterable[Trial]) -> dict[str, list[Trial]]:
    """Damages that one group of checks alone caught, by the group: without it they would have passed."""
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.outcome is Outcome.CAUGHT and len(trial.by) == 1:
            found.setdefault(trial.by[0], []).append(trial)
    return found
