"""Say what the raw tables must be, and let Great Expectations judge whether they are.

A `Contract` declares one table; a further table is one more in `CONTRACTS`. It is judged in three sittings, since each
needs what the one before has established: `header` (columns, number of rows), `cells` (every cell's text), `values`.

Great Expectations passes a frame without rows, and NaN in a range. So every sitting counts the rows, those that look at
cells refuse nulls, and numbers are made only of text that has passed. It takes seconds to import: functions do that.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


class Kind(Enum):
    """What a column's text stands for: the dtype that it becomes, the pattern of its text, its name for people."""

    # 18 digits cannot overflow int64; `[0-9]` is ASCII, unlike `\d`; no cell has the line end that `$` would let pass.
    INTEGER = "int64", r"^-?[0-9]{1,18}$", "an integer"
    NUMBER = "float64", r"^-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$", "a finite number with a decimal point"


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column, never empty, from `low` to `high` (both included) and, where `among` is given, one of those."""

    name: str
    kind: Kind = Kind.NUMBER
    low: float
    high: float
    among: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Contract:
    """One table: its columns in order (the last one is the target), and what holds for it as a whole.

    Attributes:
        rows: fewest and most rows.
        repeats: largest share (0 to 1) of rows that have a twin, equal in every column.
        shares: smallest and largest share (0 to 1) of each class, if the target's integers are classes.
        scale: what the inputs are divided by when they are prepared.
    """

    table: str
    columns: tuple[Column, ...]
    rows: tuple[int, int]
    repeats: float = 0.02
    shares: tuple[float, float] | None = None
    scale: float = 1.0

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def classes(self) -> range:
        """The classes of the target; empty if the target is a quantity."""
        target = self.columns[-1]
        return range(int(target.low), int(target.high) + 1) if self.shares else range(0)


_PIXELS = tuple(Column(name=f"px{pixel:02}", kind=Kind.INTEGER, low=0, high=16) for pixel in range(64))

CONTRACTS = (
    Contract(
        table="digits",
        columns=(*_PIXELS, Column(name="digit", kind=Kind.INTEGER, low=0, high=9)),
        rows=(1500, 2500),
        shares=(0.05, 0.15),
        scale=16.0,
    ),
    Contract(
        table="diabetes",
        columns=(  # The ranges are those of the 442 patients, with a margin for further ones.
            Column(name="age", low=15, high=100),
            Column(name="sex", low=1, high=2, among=(1, 2)),
            Column(name="bmi", low=12, high=60),
            Column(name="bp", low=40, high=180),
            Column(name="s1", low=60, high=450),
            Column(name="s2", low=20, high=350),
            Column(name="s3", low=10, high=150),
            Column(name="s4", low=1, high=15),
            Column(name="s5", low=2, high=8),
            Column(name="s6", low=40, high=250),
            Column(name="progression", low=10, high=500),
        ),
        rows=(400, 600),
    ),
)


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
    wanted, mend = "the columns that stages/contracts.py lists, in that order", "give the file exactly these columns"
    return [
        _ask("ExpectTableColumnsToMatchSet", wanted, mend, column_set=contract.names, exact_match=True),
        _ask("ExpectTableColumnsToMatchOrderedList", wanted, mend, column_list=contract.names),
        *_row_counts(contract, lines),
    ]


def cells(contract: Contract, lines: int) -> list[Any]:
    """Expectations on the cells as text: none is empty and each reads as its column's kind."""
    mend = "write the number, or delete the line (where two files were joined, a second header is left over)"
    asked = _row_counts(contract, lines)
    for column in contract.columns:
        name, (_, pattern, wanted) = column.name, column.kind.value
        asked += [
            _ask("ExpectColumnValuesToNotBeNull", "a value in every cell", mend, column=name),
            _ask("ExpectColumnValuesToMatchRegex", wanted, mend, column=name, regex=pattern),
        ]
    return asked


def values(contract: Contract, lines: int) -> list[Any]:
    """Expectations on the numbers: types, ranges, repeated rows, the balance of the classes."""
    mend = "correct the value at its source or, if it is true, change its column in stages/contracts.py"
    asked = _row_counts(contract, lines)
    for column in contract.columns:
        name, dtype, low, high = column.name, column.kind.value[0], column.low, column.high
        asked += [
            _ask("ExpectColumnValuesToNotBeNull", "a number in every cell", mend, column=name),
            _ask("ExpectColumnValuesToBeOfType", dtype, mend, column=name, type_=dtype),
            _ask("ExpectColumnValuesToBeBetween", f"{low} to {high}", mend, column=name, min_value=low, max_value=high),
        ]
        if among := list(column.among):
            asked += [_ask("ExpectColumnValuesToBeInSet", f"one of {among}", mend, column=name, value_set=among)]
    wanted, mend = f"at most {contract.repeats:.0%} of the rows have a twin", "delete the repeated lines"
    unique = {"column_list": contract.names, "mostly": 1 - contract.repeats}
    return [*asked, _ask("ExpectCompoundColumnsToBeUnique", wanted, mend, **unique), *_balance(contract)]


def _row_counts(contract: Contract, lines: int) -> list[Any]:
    low, high = contract.rows
    mend = "restore the file (`git checkout data/raw`), or change `rows` in stages/contracts.py"
    return [
        _ask("ExpectTableRowCountToBeBetween", f"{low} to {high} rows", mend, min_value=low, max_value=high),
        _ask("ExpectTableRowCountToEqual", f"{lines} rows, one a line", "report this: reading lost rows", value=lines),
    ]


def _balance(contract: Contract) -> list[Any]:
    """Every class's share in words of Great Expectations: at least `low` of the rows are it, 1 - `high` are not."""
    (low, high), mend = contract.shares or (0.0, 1.0), "complete the class, or thin it out, at its source"
    asked = []
    for label in contract.classes:
        wanted = f"{low:.0%} to {high:.0%} of the rows are {label}"
        share = {"column": contract.names[-1], "value_set": [label]}
        asked += [
            _ask("ExpectColumnValuesToBeInSet", wanted, mend, **share, mostly=low),
            _ask("ExpectColumnValuesToNotBeInSet", wanted, mend, **share, mostly=1 - high),
        ]
    return asked


def _ask(expectation: str, wanted: str, mend: str, **arguments: Any) -> Any:
    """An expectation that carries the words in which its failure is reported."""
    return getattr(_great_expectations().expectations, expectation)(**arguments, meta={"wanted": wanted, "mend": mend})


def judge(file: Path, frame: pd.DataFrame, expectations: list[Any]) -> tuple[Finding, ...]:
    """What fails in a frame whose index is lines of `file`; NotJudgedError if not every expectation has a verdict."""
    gx = _great_expectations()
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


def _great_expectations() -> Any:
    with warnings.catch_warnings():
        # Great Expectations 1.24 imports `sre_constants` and `sre_parse`, which Python 3.11 deprecates.
        warnings.filterwarnings("ignore", message="module 'sre_", category=DeprecationWarning)
        import great_expectations as gx
    return gx


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
