"""The policy once more, as Great Expectations suites over the comparison's tables, one a table.

They stand beside `judge` and are derived from the policy alone: which outcomes a group may have, and how large a difference.
They hold exactly where the pure verdict is PASS; where the two disagree, the verdict is ERROR.

Guards against vacuous passes (Great Expectations' comparisons pass NaN, null and empty tables): every column is expected to
be not null, the table and each group to have the rows that were compared, and what is no finite number becomes a number
that fails.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from reloadgate.checkpoints import checkpoints
from reloadgate.comparison import HOLDING, Comparison, Outcome
from reloadgate.evidence import Group
from reloadgate.judge import COMPUTED, tolerance_of
from reloadgate.nouns import noun
from reloadgate.policy import Containment, Location, OwnLoader, Policy, RandomState
from reloadgate.suites import on_tables, read_suites
from reloadgate.tables import TABLES, Line, tables
from reloadgate.verdict import Status, Verdict

T = TypeVar("T")


@noun
class Checked:
    """What the checkpoints said."""

    success: bool
    expectations: int
    failures: tuple[str, ...]


def suite(name: str, lines: list[Line], comparison: Comparison, policy: Policy) -> Iterator[Any]:
    """The expectations that a policy sets on a table."""
    import great_expectations.expectations as gxe

    yield gxe.ExpectTableRowCountToBeBetween(min_value=max(1, len(lines)), max_value=max(1, len(lines)))
    for column in LOOKED_AT:
        yield gxe.ExpectColumnValuesToNotBeNull(column=column)
    if name == WHOLE:
        yield gxe.ExpectColumnDistinctValuesToEqualSet(column="model", value_set=[m.model for m in comparison.models])
    yield gxe.ExpectColumnValuesToBeBetween(column="noise_excess", min_value=0, max_value=policy.noise_cap)
    yield gxe.ExpectColumnValuesToBeBetween(column="flips", min_value=0, max_value=policy.flips)
    for allowed, condition in _alike(lines, "group", lambda line: _allowed(Group(line["group"]), policy)):
        yield gxe.ExpectColumnValuesToBeInSet(column="outcome", value_set=list(allowed), **condition)
    for tolerance, condition in _alike(lines, "limits", lambda line: _tolerance(line["limits"], policy)):
        yield gxe.ExpectColumnValuesToBeBetween(column="difference", min_value=0, max_value=tolerance, **condition)
        yield gxe.ExpectColumnValuesToBeBetween(column="signal", min_value=tolerance, strict_min=True, **condition)


LOOKED_AT = ("model", "group", "outcome", "limits", "difference", "signal", "noise_excess", "flips")
"""The columns that the policy's expectations look at."""


def _alike(lines: list[Line], column: str, limit: Callable[[Line], T]) -> Iterator[tuple[T, dict[str, str]]]:
    """Every limit with the condition under which lines have it, by the values of a column; none where all have the same."""
    found: dict[T, set[str]] = {}
    for line in lines:
        found.setdefault(limit(line), set()).add(line[column])
    for value, names in found.items():
        condition = {"row_condition": f"{column} in {sorted(names)}", "condition_parser": "pandas"}
        yield value, condition if len(found) > 1 else {}


def _allowed(group: Group, policy: Policy) -> tuple[str, ...]:
    allowed = [*HOLDING, Outcome.DIFFERS]
    if policy.random_state != RandomState.ARTIFACT:
        allowed.append(Outcome.LOST)
    if group is Group.LOCATION and policy.location == Location.ANY:
        allowed.append(Outcome.BROKEN)
    if group is Group.CONTAINMENT and policy.containment == Containment.NOTED:
        allowed.append(Outcome.BROKEN)
    if group is Group.INSPECT and policy.own_loader == OwnLoader.STRICT:
        allowed.remove(Outcome.SKIPPED)
    return tuple(str(outcome) for outcome in allowed)


def _tolerance(limits: str, policy: Policy) -> float:
    """`predictions float32` where it was computed in another environment, else the group alone."""
    for group in COMPUTED:
        if limits.startswith(f"{group} "):
            section = getattr(policy.other_environment, str(group))
            return float(getattr(section, limits.removeprefix(f"{group} "), section.float64))
    return float(getattr(policy.tolerances, tolerance_of(Group(limits)), 0.0))


WHOLE = next(iter(TABLES))
"""The table in which every model has a row: what its artifacts can do, or that there are none."""


def check(comparison: Comparison, policy: Policy, docs: Path | None = None) -> Checked:
    """Run the policy's suites, a checkpoint a table. Imports Great Expectations (about three seconds).

    Args:
        docs: the folder that Great Expectations' Data Docs replace, when they are whole, with suites of the user's own beside
            the policy's; None for none.
    """
    found = tables(comparison, policy)
    results = []
    with checkpoints(docs) as runner:
        for name, lines in found.items():
            if lines or name == WHOLE:  # a model that only infers has no resumed steps; nothing at all is in the first table
                results += runner.run(f"policy-{name}", lines, list(suite(name, lines, comparison, policy)))
        if docs and policy.suites:
            own = read_suites(Path(policy.suites))
            for model in comparison.models:
                for name, lines, expectations in on_tables(model, policy, own):
                    if lines:
                        runner.run(f"{model.model}-{name}", lines, expectations)
    failures = tuple(_failure(one) for one in results if not one.success)
    return Checked(success=not failures, expectations=len(results), failures=failures)


def _failure(result: Any) -> str:
    configuration = result.expectation_config
    arguments = {k: v for k, v in configuration.kwargs.items() if k not in ("batch_id", "condition_parser")}
    return f"{configuration.type} {arguments}: {result.result.get('partial_unexpected_list', result.exception_info)}"[:600]


def agreed(verdict: Verdict, checked: Checked) -> Verdict:
    """The verdict where both say the same, ERROR where they disagree."""
    if checked.success == (verdict.status is Status.PASS) and checked.expectations:
        return verdict
    reason = (
        f"the pure judge says {verdict.status}, and the Great Expectations suites say "
        f"{'success' if checked.success else 'failure'} ({'; '.join(checked.failures[:3])}): this is a bug of reloadgate"
    )
    return replace(verdict, status=Status.ERROR, reason=reason)
