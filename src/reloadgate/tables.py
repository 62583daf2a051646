"""The comparison as tables, a line for every row that is judged: what expectation suites look at."""

from collections.abc import Iterator
from typing import Any

from reloadgate.comparison import Comparison, Outcome, Row
from reloadgate.evidence import Group
from reloadgate.judge import COMPUTED, rows_to_judge
from reloadgate.policy import Policy

Line = dict[str, Any]

TABLES: dict[str, tuple[Group, ...]] = {
    "version": (
        Group.EVIDENCE, Group.INSPECT, Group.INTEGRITY, Group.LOCATION, Group.CONTAINMENT, Group.LOAD, Group.AGREEMENT,
        Group.ROUND_TRIP, Group.EXPECTATIONS,
    ),
    "variables": (Group.STRUCTURE, Group.WEIGHTS, Group.ASSETS, Group.RANDOM_STATE),
    "optimizer": (Group.COMPILE, Group.OPTIMIZER),
    "predictions": (Group.PREDICTIONS, Group.DETERMINISM, Group.RELOCATION),
    "resume": (Group.RESUME,),
}  # fmt: skip
"""Which groups stand in which table; every group in one."""

UNMEASURED = 1e300
"""Stands for a difference that no number measures: above every tolerance."""

HERE, ELSEWHERE = "same", "other"


def tables(comparison: Comparison, policy: Policy) -> dict[str, list[Line]]:
    """The tables by name: facts; of the policy only what it requires an artifact to do."""
    found: dict[str, list[Line]] = {name: [] for name in TABLES}
    names = {group: name for name, groups in TABLES.items() for group in groups}
    for group, line in _lines(comparison, policy):
        found[names[group]].append(line)
    return found


def _lines(comparison: Comparison, policy: Policy) -> Iterator[tuple[Group, Line]]:
    for model in comparison.models:
        here = {facts.artifact: facts.same_environment for facts in model.artifacts}
        for row in rows_to_judge(model, policy):
            yield row.group, _line(row, here.get(row.artifact, False))


def _line(row: Row, same_environment: bool) -> Line:
    differs = row.outcome is Outcome.DIFFERS and row.difference is not None
    largest = row.difference.max_abs if differs and row.difference else 0.0
    capped = differs or (row.outcome is Outcome.SAME and row.group is Group.RESUME)  # the same steps once may be luck
    above_noise = largest if largest > row.noise else 0.0
    computed_elsewhere = row.group in COMPUTED and not same_environment
    signal = float(row.scale != 0) if computed_elsewhere else row.scale
    return {
        "model": row.model,
        "artifact": row.artifact or "version",
        "group": str(row.group),
        "subject": row.subject or "group",
        "outcome": str(row.outcome),
        "dtype": row.dtype or "none",
        "scale": row.scale,
        "noise": row.noise,
        "max_abs": largest,
        "limits": f"{row.group} {row.dtype}" if computed_elsewhere else str(row.group),
        "environment": HERE if same_environment else ELSEWHERE,
        "difference": above_noise / row.scale if computed_elsewhere and row.scale else above_noise,
        "signal": signal if differs and above_noise else UNMEASURED,
        "noise_excess": row.noise / row.scale if capped and row.scale else (UNMEASURED if capped and row.noise else 0.0),
        "flips": float(row.flips or 0) if above_noise else 0.0,
    }
