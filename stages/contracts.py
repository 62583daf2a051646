"""What a contract says of a raw table, and how Great Expectations judges whether the table keeps it.

The contracts themselves are in `stages/tables.py`. A table is judged in three sittings, since each needs what the one
before has established: `header` (columns, number of rows), `cells` (every cell's text), `values`.

Great Expectations passes a frame without rows, and NaN in a range. So every sitting counts the rows, those that look at
cells refuse nulls, and numbers are made only of text that has passed. It takes seconds to import: functions do that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reloadgate.checkpoints import great_expectations

if TYPE_CHECKING:
    import pandas as pd


class Kind(Enum):
    """What a column's text stands for: the dtype that it becomes, the pattern of its text, its name for people."""

    # 18 digits cannot overflow int64; `[0-9]` is ASCII, unlike `\d`; no cell has the line end that `$` would let pass.
    INTEGER = "int64", r"^-?[0-9]{1,18}$", "an integer"
    NUMBER = "float64", r"^-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$", "a finite number with a decimal point"
    DAY = "datetime64[s]", r"^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])$", "a day as YYYY-MM-DD"
    CODE = "object", r"^[A-Za-z]+$", "a code of letters of the English alphabet"
    # Latin letters, each one character: text that was read in a wrong encoding, or decomposed, has others.
    NAME = "object", r"^[A-Za-zÀ-ÖØ-öø-ž](?:[A-Za-zÀ-ÖØ-öø-ž '(),.-]*[A-Za-zÀ-ÖØ-öø-ž').])?$", "a name in Latin letters"


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column, never empty.

    Attributes:
        low, high: smallest and largest number (both included), if it holds numbers.
        among: the only values that there may be, if they are few.
        shares: smallest and largest share (0 to 1) of every one of its values, if these are classes.
    """

    name: str
    kind: Kind = Kind.NUMBER
    low: float = 0
    high: float = 0
    among: tuple[int | str, ...] = ()
    shares: tuple[float, float] | None = None

    @property
    def classes(self) -> tuple[int | str, ...]:
        """The classes that it tells apart; empty if it holds none."""
        return (self.among or tuple(range(int(self.low), int(self.high) + 1))) if self.shares else ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Contract:
    """One table: its columns in order, and what holds for it as a whole.

    Attributes:
        rows: fewest and most rows.
        repeats: largest share (0 to 1) of rows that have a twin, equal in every column.
    """

    table: str
    columns: tuple[Column, ...]
    rows: tuple[int, int]
    repeats: float = 0.02

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]


GAP = "days since the line before"
"""A column that a table with days gets when it is read, so that a line left out can be seen."""


class NotJudgedError(Exception):
    """Great Expectations gave no verdict on something that it was asked to judge."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One expectation that a table fails.

    `columns` and `lines` (1-based lines of the file, all of them) are empty where the fault is the whole table's.
    `values` are the offending ones as text, in the order of the lines. `wanted` and `mend` are for people.
    """

    file: Path
    expectation: str
    columns: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()
    values: tuple[str, ...] = ()
    wanted: str
    mend: str


def header(contract: Contract, lines: int) -> list[Any]:
    """Expectations on columns and number of rows; `lines`: how many lines the file has below its header."""
    wanted, mend = "the columns that stages/tables.py lists, in that order", "give the file exactly these columns"
    return [
        _ask("ExpectTableColumnsToMatchSet", wanted, mend, column_set=contract.names, exact_match=True),
        _ask("ExpectTableColumnsToMatchOrderedList", wanted, mend, column_list=contract.names),
        *_row_counts(contract, lines),
    ]


def cells(contract: Contract, lines: int) -> list[Any]:
    """Expectations on the cells as text: none is empty and each reads as its column's kind."""
    mend = "write the value, or delete the line (where two files were joined, a second header is left over)"
    asked = _row_counts(contract, lines)
    for column in contract.columns:
        name, (_, pattern, wanted) = column.name, column.kind.value
        asked += [
            _ask("ExpectColumnValuesToNotBeNull", "a value in every cell", mend, column=name),
            _ask("ExpectColumnValuesToMatchRegex", wanted, mend, column=name, regex=pattern),
        ]
    return asked


def values(contract: Contract, lines: int) -> list[Any]:
    """Expectations on the values: types, ranges, what there may be, days in a row, repeated rows, balance of the classes."""
    mend = "correct the value at its source or, if it is true, change its column in stages/tables.py"
    asked = _row_counts(contract, lines)
    for column in contract.columns:
        name, (dtype, _, what), low, high = column.name, column.kind.value, column.low, column.high
        asked += [_ask("ExpectColumnValuesToNotBeNull", f"{what} in every cell", mend, column=name)]
        if column.kind in (Kind.INTEGER, Kind.NUMBER):
            asked += [
                _ask("ExpectColumnValuesToBeOfType", dtype, mend, column=name, type_=dtype),
                _ask("ExpectColumnValuesToBeBetween", f"{low} to {high}", mend, column=name, min_value=low, max_value=high),
            ]
        if column.kind is Kind.DAY:
            gap = {"column": GAP, "min_value": 1, "max_value": 1}
            asked += [_ask("ExpectColumnValuesToBeBetween", "the day after the line before", "add the days left out", **gap)]
        if among := list(column.among):
            asked += [_ask("ExpectColumnValuesToBeInSet", f"one of {among}", mend, column=name, value_set=among)]
        asked += _balance(column)
    wanted, mend = f"at most {contract.repeats:.0%} of the rows have a twin", "delete the repeated lines"
    unique = {"column_list": contract.names, "mostly": 1 - contract.repeats}
    return [*asked, _ask("ExpectCompoundColumnsToBeUnique", wanted, mend, **unique)]


def _row_counts(contract: Contract, lines: int) -> list[Any]:
    low, high = contract.rows
    mend = "restore the file (`git checkout data/raw`), or change `rows` in stages/tables.py"
    return [
        _ask("ExpectTableRowCountToBeBetween", f"{low} to {high} rows", mend, min_value=low, max_value=high),
        _ask("ExpectTableRowCountToEqual", f"{lines} rows, one a line", "report this: reading lost rows", value=lines),
    ]


def _balance(column: Column) -> list[Any]:
    """Every class's share in words of Great Expectations: at least `low` of the rows are it, 1 - `high` are not."""
    (low, high), mend = column.shares or (0.0, 1.0), "complete the class, or thin it out, at its source"
    asked = []
    for label in column.classes:
        wanted = f"{low:.0%} to {high:.0%} of the rows are {label}"
        share = {"column": column.name, "value_set": [label]}
        asked += [
            _ask("ExpectColumnValuesToBeInSet", wanted, mend, **share, mostly=low),
            _ask("ExpectColumnValuesToNotBeInSet", wanted, mend, **share, mostly=1 - high),
        ]
    return asked


def _ask(expectation: str, wanted: str, mend: str, **arguments: Any) -> Any:
    """An expectation that carries the words in which its failure is reported."""
    return getattr(great_expectations().expectations, expectation)(**arguments, meta={"wanted": wanted, "mend": mend})


def judge(file: Path, frame: pd.DataFrame, expectations: list[Any]) -> tuple[Finding, ...]:
    """What fails in a frame whose index is lines of `file`; NotJudgedError if not every expectation has a verdict."""
    gx = great_expectations()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("raw").add_dataframe_asset(file.stem)
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": frame})
    suite = gx.ExpectationSuite(name=file.stem, expectations=expectations)
    outcome = batch.validate(suite, result_format={"result_format": "COMPLETE"})
    findings = tuple(_finding(file, result) for result in outcome.results if not result.success)
    if len(outcome.results) != len(expectations) or outcome.success != (not findings):
        raise NotJudgedError(f"{file}: {len(outcome.results)} of {len(expectations)} expectations were judged")
    return _together(findings)


def _finding(file: Path, result: Any) -> Finding:
    asked, seen = result.expectation_config, result.result
    if not seen:
        raise NotJudgedError(f"{file}: {asked.type} gave no verdict: {str(result.exception_info)[-200:]}")
    columns = (asked.kwargs["column"],) if "column" in asked.kwargs else ()
    found = Finding(file=file, expectation=asked.type, columns=columns, **asked.meta)
    if "details" in seen:
        return _of_header(found, seen["details"]["mismatched"])
    if "unexpected_list" not in seen:
        return replace(found, values=(str(seen["observed_value"]),))
    lines = tuple(seen["unexpected_index_list"])
    said = tuple("(empty)" if cell is None else repr(cell) for cell in seen["unexpected_list"])
    if {"value_set", "mostly"} <= asked.kwargs.keys():  # A class's share: its rows are the fault, or the lack of them.
        few, every = asked.type == "expect_column_values_to_be_in_set", seen["element_count"]
        said = (f"{every - len(lines) if few else len(lines)} of {every} rows are {asked.kwargs['value_set'][0]}",)
        lines = () if few else lines
    return replace(found, lines=lines, values=said)


def _of_header(found: Finding, wrong: Any) -> Finding:
    """`wrong`: of the set, the names that are "missing" and "unexpected"; of the ordered list, what differs."""
    if isinstance(wrong, dict):
        pairs = [(name, f"{name!r} is {how}") for how, names in wrong.items() for name in names]
    else:
        pairs = [(at["Expected"] or at["Found"], f"{at['Found']!r} in place of {at['Expected']!r}") for at in wrong]
    columns, said = zip(*pairs, strict=True)
    return replace(found, columns=columns, lines=(1,), values=said)


def _together(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """One finding for columns that fail alike on the same lines, as all do on a second header."""
    alike: dict[tuple[object, ...], Finding] = {}
    for found in findings:
        key = (found.expectation, found.lines, found.wanted)
        if seen := alike.get(key):
            found = replace(found, columns=seen.columns + found.columns, values=seen.values + found.values)
        alike[key] = found
    return tuple(alike.values())
