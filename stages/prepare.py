"""Make train, test and probe arrays of the raw tables, but only if every table keeps its contract.

Run by DVC from the repository root: `python stages/prepare.py`. Reads `data/raw/<table>.csv` and the section `prepare`
of `params.yaml`, writes `data/prepared/<dataset>/{train,test,probe}.npz`; the same tables and settings give the same
bytes. Ends with 0; with 1 if a table is bad (stderr has every failed expectation); with 2 if nothing could be judged.

    PrepareError            could not prepare: a missing file, a mistyped setting
    └── BadTableError       could judge, and a table fails its contract
"""

from __future__ import annotations

import csv
import os
import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if not __package__:
    # As a script, Python looks for modules in `stages/`; the package `stages` itself is one level up.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from reloadgate.probe import Probe
from reloadgate.project import REPORTS
from reloadgate.report import begin
from stages.contracts import GAP, Contract, Finding, Kind, NotJudgedError, cells, header, judge, values
from stages.datasets import DATASETS, split
from stages.settings import PrepareError, Settings
from stages.tables import CONTRACTS

if TYPE_CHECKING:
    import pandas as pd

# Bytes that are no UTF-8 (decoded with surrogateescape), a BOM, control characters ("7\r" is no number either).
NOT_PLAIN = re.compile("[\x00-\x1f\x7f\ufeff\udc80-\udcff]")
# What must hold before there is a frame that Great Expectations could judge; named as it names its own.
LAYOUT = {
    "expect_lines_to_be_plain_utf8": "UTF-8 without BOM, carriage returns or other control characters",
    "expect_lines_to_have_the_fields_of_the_header": "as many fields as the header has, every quote closed",
    "expect_last_line_to_be_complete": "a line end after the last line; without it a number may have been cut short",
}
EXPORT_AGAIN = "restore the file (`git checkout data/raw`), or export it again: UTF-8, commas, \\n line ends, none within quotes"


class BadTableError(PrepareError):
    """At least one table fails its contract; `findings` are its failed expectations."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join(map(report, findings)))
        self.findings = tuple(findings)


def prepare(raw: Path, out: Path, settings: Settings) -> None:
    """Judge `raw/<table>.csv` of every contract and write `out/<dataset>/{train,test,probe}.npz`, all of them or none.

    Each is x and y as `reloadgate.probe` keeps them; what they are is in `stages/datasets.py`. The probe is the first
    `probe_rows` samples of the test split.

    Raises PrepareError if a table is missing or too small for the settings, BadTableError if any fails its contract,
    NotJudgedError if Great Expectations gave no verdict.
    """
    paths = {contract: raw / f"{contract.table}.csv" for contract in CONTRACTS}
    for path in paths.values():
        if not path.is_file():
            raise PrepareError(f"{path}: no such file. Run from the repository root, or `git checkout {path}`")
    frames: dict[Contract, pd.DataFrame] = {}
    findings: list[Finding] = []
    for contract, path in paths.items():
        try:
            frames[contract] = read_table(contract, path)
        except BadTableError as error:
            findings += error.findings
    _refuse(findings)
    publish(
        {
            out / dataset.name / f"{part}.npz": samples
            for dataset in DATASETS
            if dataset.contract in frames
            for part, samples in split(dataset, frames[dataset.contract], settings).items()
        }
    )


def read_table(contract: Contract, file: Path) -> pd.DataFrame:
    """The table, columns of their kinds' dtypes, index its lines; BadTableError has all that the first bad sitting finds."""
    import pandas as pd

    data = file.read_bytes()
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    _refuse(layout(contract, file, lines, complete=data[-1:] in (b"", b"\n")))
    names, *rows = [fields_of(line.decode("utf-8")) for line in lines] or [[]]
    filled = [[cell or None for cell in row] for row in rows]
    table = pd.DataFrame(filled, columns=names, index=range(2, len(rows) + 2), dtype=object)
    _refuse(judge(file, table, header(contract, len(rows))))
    _refuse(judge(file, table, cells(contract, len(rows))))
    for column in contract.columns:
        if column.kind is Kind.DAY:
            table[column.name] = pd.to_datetime(table[column.name], format="%Y-%m-%d", errors="coerce")
            table[GAP] = table[column.name].diff().dt.days.fillna({table.index[0]: 1})
        else:
            table[column.name] = table[column.name].astype(column.kind.value[0])
    _refuse(judge(file, table, values(contract, len(rows))))
    return table


def fields_of(line: str) -> list[str]:
    """The fields of one line of a CSV."""
    return next(csv.reader([line]), [""]) or [""]


def closed(line: str) -> bool:
    """Whether every quote of a line is closed where its field ends."""
    try:
        list(csv.reader([line], strict=True))
    except csv.Error:
        return False
    return True


def _refuse(findings: Sequence[Finding]) -> None:
    if findings:
        raise BadTableError(findings)


def layout(contract: Contract, file: Path, lines: list[bytes], *, complete: bool) -> list[Finding]:
    """What keeps lines (the last has its line end if `complete`) from being a table; pandas would pad and shift."""
    faults: dict[str, list[tuple[int, str, str]]] = {expectation: [] for expectation in LAYOUT}
    plain, even, whole = faults.values()
    column = dict(enumerate(contract.names)).get
    named = 0
    for at, line in enumerate(lines, 1):
        read = line.decode("utf-8", "surrogateescape")
        text = NOT_PLAIN.sub("?", read)
        fields = fields_of(text)
        named = named or len(fields)
        if odd := NOT_PLAIN.search(read):
            what = odd.group().encode("utf-8", "surrogateescape")
            plain.append((at, column(len(fields_of(text[: odd.start()])) - 1, "(beyond the last)"), repr(what)))
        elif len(fields) != named:
            even.append((at, "(whole line)", f"{len(fields)} fields, the header has {named}"))
        elif not closed(text):
            even.append((at, "(whole line)", "a quote that is not closed, or that closes before its field ends"))
        if at == len(lines) and not complete:
            whole.append((at, column(len(fields) - 1, "(beyond the last)"), ascii(fields[-1])))
    findings = []
    fault = partial(Finding, file=file, mend=EXPORT_AGAIN)
    for name, found in ((name, found) for name, found in faults.items() if found):
        at_lines, where, what_is = zip(*found, strict=True)
        unique = tuple(dict.fromkeys(where))
        findings.append(fault(expectation=name, wanted=LAYOUT[name], columns=unique, lines=at_lines, values=what_is))
    return findings


def publish(files: dict[Path, Probe]) -> None:
    """Write every file beside its place, then rename them all: a failure of writing leaves none of them behind."""
    staged = {file: file.with_name(f".{file.name}.{os.getpid()}") for file in files}
    try:
        for file, samples in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            samples.write(staged[file])  # NumPy dates the members 1980: no clock gets into the bytes.
        for file, temporary in staged.items():
            temporary.replace(file)
    finally:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)


def report(finding: Finding) -> str:
    """One finding as stderr shows it: of columns, lines and values the first five, and how many there are."""

    def first(items: Sequence[object]) -> str:
        shown = ", ".join(text if len(text) <= 60 else f"{text[:57]}..." for text in map(str, items[:5]))
        return (shown or "(whole table)") + (f", ... ({len(items)} in all)" if len(items) > 5 else "")

    found = {"column": finding.columns, "lines": finding.lines, "values": finding.values}
    words = {**{name: first(items) for name, items in found.items()}, "wanted": finding.wanted, "mend": finding.mend}
    return "\n".join(
        [f"{finding.file}: {finding.expectation} failed", *(f"  {name + ':':<8}{text}" for name, text in words.items())]
    )


def main() -> int:
    """Prepare what `params.yaml` says; returns the exit code."""
    begin(REPORTS, "prepare")
    try:
        prepare(Path("data/raw"), Path("data/prepared"), Settings.read(Path("params.yaml")))
    except BadTableError as error:
        print(f"{error}\nNothing was written. Mended lines, headers and cells may show further faults.", file=sys.stderr)
        return 1
    except (PrepareError, NotJudgedError, OSError, csv.Error) as error:
        print(f"prepare: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
