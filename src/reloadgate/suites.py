"""Suites of the user's own: Great Expectations on the comparison's tables, model by model, and a row of every expectation.

The policy `suites` names a folder with a JSON file a table (`predictions.json`), as Great Expectations writes suites:
`{"expectations": [{"type": "expect_column_max_to_be_between", "kwargs": {"column": "max_abs", "max_value": 0.001}}]}`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from reloadgate.checkpoints import checkpoints
from reloadgate.comparison import Comparison, ModelComparison, Outcome, Row
from reloadgate.errors import UsageError
from reloadgate.evidence import Group
from reloadgate.policy import Policy
from reloadgate.rows import row_of, short
from reloadgate.tables import TABLES, Line, tables
from reloadgate.text import error_line, one_line

Suites = dict[str, list[dict[str, Any]]]


def with_suites(comparison: Comparison, policy: Policy) -> Comparison:
    """The comparison with a row for every expectation of the user's and every model; as it is where the policy names none.

    Raises:
        UsageError: a suite cannot be read, or Great Expectations is not installed.
    """
    if not policy.suites:
        return comparison
    suites = read_suites(Path(policy.suites))
    with checkpoints() as runner:
        models = []
        for model in comparison.models:
            rows = [
                replace(row, model=model.model)
                for table, lines, expectations in on_tables(model, policy, suites)
                for row in _rows(table, lines, expectations, runner)
            ]
            models.append(replace(model, rows=(*model.rows, *rows)))
    return replace(comparison, models=tuple(models))


def read_suites(folder: Path) -> Suites:
    """The expectations by table.

    Raises:
        UsageError: there is no such folder, no suite in it, one of no table, or one that expects nothing.
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise UsageError(f"policy.suites: {folder} holds no suite: write one a table, such as {folder / 'predictions.json'}")
    found = {}
    for path in files:
        if path.stem not in TABLES:
            raise UsageError(f"{path}: there is no table {path.stem!r}; there are {', '.join(TABLES)}")
        try:
            expectations = json.loads(path.read_text(encoding="utf-8"))["expectations"]
            found[path.stem] = [{"type": one["type"], "kwargs": dict(one["kwargs"])} for one in expectations]
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise UsageError(f"{path} is no suite of Great Expectations' ({error_line(error, 200)})") from None
        if not found[path.stem]:
            raise UsageError(f"{path} expects nothing")
    return found


def on_tables(model: ModelComparison, policy: Policy, suites: Suites) -> Iterator[tuple[str, list[Line], list[dict[str, Any]]]]:
    """Every suite with the table that it looks at; what suites said of the model before is in none."""
    facts = replace(model, rows=tuple(row for row in model.rows if row.group is not Group.EXPECTATIONS))
    found = tables(Comparison(schema_version="", models=(facts,)), replace(policy, suites=""))
    for table, expectations in suites.items():
        yield table, found[table], expectations


def _rows(table: str, lines: list[Line], expectations: list[dict[str, Any]], runner: Any) -> Iterator[Row]:
    if not lines:
        yield row_of(Group.EXPECTATIONS, table, Outcome.UNCHECKED, detail=f"the table {table} has no row of this model")
        return
    try:
        name = f"{table}-{lines[0]['model']}"
        results = runner.run(name, lines, expectations)
        fit_none = _conditions_of_no_row(f"{name}-rows", lines, expectations, runner)
    except Exception as error:  # Great Expectations has its own for every kind of mistake in a suite
        raise UsageError(f"the suite {table}.json cannot be run: {one_line(error, 300)}") from None
    # Results come in an order of Great Expectations' own; what was expected tells them apart.
    for result in sorted(results, key=lambda one: _subject(table, one.expectation_config)):
        on_rows = not result.expectation_config.type.startswith("expect_table_")  # which may expect that there are none
        yield _row(_subject(table, result.expectation_config), result, on_rows and _condition(result) in fit_none)


def _conditions_of_no_row(name: str, lines: list[Line], expectations: list[dict[str, Any]], runner: Any) -> set[str]:
    """The row conditions that fit no row: the sum of none is 0, and all of no values are in a set."""
    given = [one["kwargs"] for one in expectations if one["kwargs"].get("row_condition")]
    conditions = {
        json.dumps(kwargs["row_condition"]): {key: kwargs[key] for key in ("row_condition", "condition_parser") if key in kwargs}
        for kwargs in given
    }
    if not conditions:
        return set()
    counts = [
        {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1, **condition}}
        for condition in conditions.values()
    ]
    return {_condition(result) for result in runner.run(name, lines, counts) if not result.success}


def _condition(result: Any) -> str:
    return json.dumps(result.expectation_config.kwargs.get("row_condition"), sort_keys=True, default=str)


def _subject(table: str, configuration: Any) -> str:
    settings = {
        name: value for name, value in sorted(configuration.kwargs.items()) if name not in ("batch_id", "condition_parser")
    }
    return short(f"{table}: {configuration.type} {json.dumps(settings, default=str)}")


def _row(subject: str, result: Any, fits_no_row: bool) -> Row:
    if message := _exception(result.exception_info or {}):
        return row_of(Group.EXPECTATIONS, subject, Outcome.UNCHECKED, detail=f"it could not be checked: {one_line(message, 300)}")
    if fits_no_row or result.result.get("element_count") == 0:
        return row_of(Group.EXPECTATIONS, subject, Outcome.UNCHECKED, detail="it looked at no row: its condition fits none")
    seen = result.result.get("observed_value", result.result.get("partial_unexpected_list", ""))
    if result.success:
        return row_of(Group.EXPECTATIONS, subject, Outcome.SAME)
    return row_of(Group.EXPECTATIONS, subject, Outcome.BROKEN, seen=short(seen), detail="a suite of your own does not hold")


def _exception(info: Mapping[str, Any]) -> str:
    """What Great Expectations met with; it says so by itself or by metric."""
    if "raised_exception" in info:
        return str(info.get("exception_message") or "an exception") if info["raised_exception"] else ""
    return next((found for one in info.values() if isinstance(one, Mapping) and (found := _exception(one))), "")
