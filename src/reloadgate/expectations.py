"""The policy once more, as a Great Expectations suite over the comparison's table.

It stands beside `judge` and is derived from the policy alone: which outcomes a group may have, and how large a difference.
The suite holds exactly where the pure verdict is PASS; where the two disagree, the verdict is ERROR.

Guards against vacuous passes (Great Expectations' comparisons pass NaN, null and empty tables): every column is expected to
be not null, the table and each group to have the rows that were compared, and what is no finite number becomes a number
that fails.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from reloadgate.comparison import Comparison, Outcome, Row
from reloadgate.evidence import Group
from reloadgate.extras import need
from reloadgate.files import scratch
from reloadgate.judge import COMPUTED, rows_to_judge, tolerance_of
from reloadgate.nouns import noun
from reloadgate.policy import Containment, Location, OwnLoader, Policy, RandomState
from reloadgate.verdict import Status, Verdict

UNMEASURED = 1e300
"""Stands for a difference that no number measures: above every tolerance."""

HOLDING = (Outcome.SAME, Outcome.NOTED, Outcome.NOT_EXERCISED, Outcome.SKIPPED)

HERE, ELSEWHERE = "same", "other"


@noun
class Checked:
    """What the checkpoint said."""

    success: bool
    expectations: int
    failures: tuple[str, ...]


def table(comparison: Comparison, policy: Policy) -> list[dict[str, Any]]:
    """A line for every row that `judge` judges: facts; of the policy only what it requires an artifact to do."""
    lines = []
    for model in comparison.models:
        here = {facts.artifact: facts.same_environment for facts in model.artifacts}
        for row in rows_to_judge(model, policy):
            lines.append(_line(row, here.get(row.artifact, False)))
    return lines


def _line(row: Row, same_environment: bool) -> dict[str, Any]:
    differs = row.outcome is Outcome.DIFFERS and row.difference is not None
    largest = row.difference.max_abs if differs and row.difference else 0.0
    above_noise = largest if largest > row.noise else 0.0
    computed_elsewhere = row.group in COMPUTED and not same_environment
    signal = float(row.scale != 0) if computed_elsewhere else row.scale
    return {
        "model": row.model,
        "artifact": row.artifact or "version",
        "group": str(row.group),
        "subject": row.subject or "group",
        "outcome": str(row.outcome),
        "limits": f"{row.group} {row.dtype}" if computed_elsewhere else str(row.group),
        "environment": HERE if same_environment else ELSEWHERE,
        "difference": above_noise / row.scale if computed_elsewhere and row.scale else above_noise,
        "signal": signal if differs and above_noise else UNMEASURED,
        "noise_excess": row.noise / row.scale if differs and row.scale else (UNMEASURED if differs and row.noise else 0.0),
        "flips": float(row.flips or 0) if above_noise else 0.0,
    }


def suite(lines: list[dict[str, Any]], comparison: Comparison, policy: Policy) -> Iterator[Any]:
    """The expectations that a policy sets on a table."""
    import great_expectations.expectations as gxe

    yield gxe.ExpectTableRowCountToBeBetween(min_value=max(1, len(lines)), max_value=max(1, len(lines)))
    for column in lines[0] if lines else ():
        yield gxe.ExpectColumnValuesToNotBeNull(column=column)
    yield gxe.ExpectColumnDistinctValuesToEqualSet(column="model", value_set=[m.model for m in comparison.models])
    yield gxe.ExpectColumnValuesToBeBetween(column="noise_excess", min_value=0, max_value=policy.noise_cap)
    yield gxe.ExpectColumnValuesToBeBetween(column="flips", min_value=0, max_value=policy.flips)
    for group in sorted({line["group"] for line in lines}):
        condition = {"row_condition": f'group=="{group}"', "condition_parser": "pandas"}
        yield gxe.ExpectColumnValuesToBeInSet(column="outcome", value_set=_allowed(Group(group), policy), **condition)
    for limits, here in sorted({(line["limits"], line["environment"] == HERE) for line in lines}):
        environment = HERE if here else ELSEWHERE
        tolerance = _tolerance(limits, policy)
        condition = {
            "row_condition": f'limits=="{limits}" and environment=="{environment}"',
            "condition_parser": "pandas",
        }
        yield gxe.ExpectColumnValuesToBeBetween(column="difference", min_value=0, max_value=tolerance, **condition)
        yield gxe.ExpectColumnValuesToBeBetween(column="signal", min_value=tolerance, strict_min=True, **condition)


def _allowed(group: Group, policy: Policy) -> list[str]:
    allowed = [*HOLDING, Outcome.DIFFERS]
    if policy.random_state != RandomState.ARTIFACT:
        allowed.append(Outcome.LOST)
    if group is Group.LOCATION and policy.location == Location.ANY:
        allowed.append(Outcome.BROKEN)
    if group is Group.CONTAINMENT and policy.containment == Containment.NOTED:
        allowed.append(Outcome.BROKEN)
    if group is Group.INSPECT and policy.own_loader == OwnLoader.STRICT:
        allowed.remove(Outcome.SKIPPED)
    return [str(outcome) for outcome in allowed]


def _tolerance(limits: str, policy: Policy) -> float:
    """`predictions float32` where it was computed in another environment, else the group alone."""
    for group in COMPUTED:
        if limits.startswith(f"{group} "):
            section = getattr(policy.other_environment, str(group))
            return float(getattr(section, limits.removeprefix(f"{group} "), section.float64))
    return float(getattr(policy.tolerances, tolerance_of(Group(limits)), 0.0))


def check(comparison: Comparison, policy: Policy, docs: Path | None = None) -> Checked:
    """Run the suite as a checkpoint on the comparison's table. Imports Great Expectations (about five seconds).

    Args:
        docs: the folder that Great Expectations' Data Docs replace, when they are whole; None for none.
    """
    import warnings

    need("expectations", "--expectations")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside Great Expectations' own dependencies
        import great_expectations as gx
        import pandas as pd

        lines = table(comparison, policy)
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        batch = (
            context.data_sources.add_pandas("comparison").add_dataframe_asset("rows").add_batch_definition_whole_dataframe("all")
        )
        expectations = list(suite(lines, comparison, policy))
        made = context.suites.add(gx.ExpectationSuite(name="policy", expectations=expectations))
        definition = context.validation_definitions.add(gx.ValidationDefinition(name="policy", data=batch, suite=made))
        with _site(context, docs) as actions:
            checkpoint = gx.Checkpoint(name="policy", validation_definitions=[definition], actions=actions)
            result = context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": pd.DataFrame(lines)})
    (validation,) = result.run_results.values()
    failures = tuple(_failure(one) for one in validation.results if not one.success)
    return Checked(success=bool(result.success), expectations=len(validation.results), failures=failures)


@contextmanager
def _site(context: Any, docs: Path | None) -> Iterator[list[Any]]:
    """The actions that write Data Docs beside their place, and put them there at the end."""
    if docs is None:
        yield []
        return
    from great_expectations.checkpoint import UpdateDataDocsAction

    docs.parent.mkdir(parents=True, exist_ok=True)
    with scratch("docs", docs.parent) as folder:
        made = folder / "site"
        store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(made.absolute())}
        site = {
            "class_name": "SiteBuilder",
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "store_backend": store,
        }
        context.add_data_docs_site("local", site)
        yield [UpdateDataDocsAction(name="docs", site_names=["local"])]
        shutil.rmtree(docs, ignore_errors=True)
        made.rename(docs)


def _failure(result: Any) -> str:
    configuration = result.expectation_config
    arguments = {k: v for k, v in configuration.kwargs.items() if k not in ("batch_id", "condition_parser")}
    return f"{configuration.type} {arguments}: {result.result.get('partial_unexpected_list', result.exception_info)}"[:600]


def agreed(verdict: Verdict, checked: Checked) -> Verdict:
    """The verdict where both say the same, ERROR where they disagree."""
    if checked.success == (verdict.status is Status.PASS) and checked.expectations:
        return verdict
    reason = (
        f"the pure judge says {verdict.status}, and the Great Expectations suite says "
        f"{'success' if checked.success else 'failure'} ({'; '.join(checked.failures[:3])}): this is a bug of reloadgate"
    )
    return replace(verdict, status=Status.ERROR, reason=reason)
