"""Make train, test and probe arrays of the raw tables, but only if every table keeps its contract.

Run by DVC from the repository root: `python stages/prepare.py`. Reads `data/raw/<table>.csv` and the section `prepare`
of `params.yaml`, writes `data/prepared/<table>/{train,test,probe}.npz`; the same tables and settings give the same
bytes. Ends with 0; with 1 if a table is bad (stderr has every failed expectation); with 2 if nothing could be judged.

    PrepareError            could not prepare: a missing file, a mistyped setting
    └── BadTableError       could judge, and a table fails its contract
"""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from numpy.typing import NDArray

if not __package__:
    # As a script, Python looks for modules in `stages/`; the package `stages` itself is one level up.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from reloadgate.project import REPORTS
from reloadgate.report import begin
from stages.contracts import CONTRACTS, Contract, Finding, NotJudgedError, cells, header, judge, values

if TYPE_CHECKING:
    import pandas as pd

Arrays = tuple[NDArray[Any], NDArray[Any]]  # x and y

# Bytes that are no UTF-8 (decoded with surrogateescape), a BOM, control characters ("7\r" is no number either).
NOT_PLAIN = re.compile("[\x00-\x1f\x7f\ufeff\udc80-\udcff]")
# What must hold before there is a frame that Great Expectations could judge; named as it names its own.
LAYOUT = {
    "expect_lines_to_be_plain_utf8": "UTF-8 without BOM, carriage returns or other control characters",
    "expect_lines_to_have_the_fields_of_the_header": "as many fields as the header has",
    "expect_last_line_to_be_complete": "a line end after the last line; without it a number may have been cut short",
}
EXPORT_AGAIN = "restore the file (`git checkout data/raw`), or export it again: UTF-8, commas, no quotes, \\n line ends"


class PrepareError(Exception):
    """The tables could not be prepared; the message says what, where and how to mend it."""


class BadTableError(PrepareError):
    """At least one table fails its contract; `findings` are its failed expectations."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join(map(report, findings)))
        self.findings = tuple(findings)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The section `prepare` of `params.yaml`; raises PrepareError for a value of the wrong type or out of range."""

    seed: int
    test_share: float
    probe_rows: int

    def __post_init__(self) -> None:
        # `type(...) is`: a bool is an int to isinstance, and `seed: yes` is a mistake.
        if type(self.seed) is not int or self.seed < 0:
            raise PrepareError(f"prepare.seed is {self.seed!r}: give an integer from 0")
        if type(self.test_share) is not float or not 0 < self.test_share < 1:
            raise PrepareError(f"prepare.test_share is {self.test_share!r}: give a number between 0 and 1, like 0.2")
        if type(self.probe_rows) is not int or self.probe_rows < 1:
            raise PrepareError(f"prepare.probe_rows is {self.probe_rows!r}: give an integer from 1")

    @classmethod
    def read(cls, params: Path) -> Settings:
        """The settings in a YAML file; raises PrepareError for an unreadable file and for an unknown or missing key."""
        known = [field.name for field in fields(cls)]
        try:
            section = yaml.safe_load(params.read_text(encoding="utf-8"))["prepare"]
            given = {str(key): value for key, value in section.items()}
        except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            raise PrepareError(f"{params}: give it a section `prepare` with {', '.join(known)} ({error!r})") from error
        faults = [f"prepare.{key} is missing" for key in known if key not in given]
        for key in given.keys() - set(known):
            close = difflib.get_close_matches(key, known, n=1)
            faults.append(f"prepare.{key} is unknown" + (f", did you mean {close[0]}?" if close else ""))
        if faults:
            raise PrepareError(f"{params}: {'; '.join(sorted(faults))}")
        return cls(**given)


def prepare(raw: Path, out: Path, settings: Settings) -> None:
    """Judge `raw/<table>.csv` of every contract and write `out/<table>/{train,test,probe}.npz`, all of them or none.

    Each holds `x`, float32 (n, inputs), divided by the contract's scale, and `y`: int64 (n,) for classes, float32
    (n, 1) for a quantity. The probe is the first `probe_rows` rows of the test split.

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
    files: dict[Path, Arrays] = {}
    for contract, frame in frames.items():
        for name, arrays in split(contract, frame, settings).items():
            files[out / contract.table / f"{name}.npz"] = arrays
    publish(files)


def read_table(contract: Contract, file: Path) -> pd.DataFrame:
    """The table, columns int64 or float64, index its lines; BadTableError has all that the first bad sitting finds."""
    import pandas as pd

    data = file.read_bytes()
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    _refuse(layout(contract, file, lines, complete=data[-1:] in (b"", b"\n")))
    names, *rows = [line.decode("utf-8").split(",") for line in lines] or [[]]
    filled = [[cell or None for cell in row] for row in rows]
    text = pd.DataFrame(filled, columns=names, index=range(2, len(rows) + 2), dtype=object)
    _refuse(judge(file, text, header(contract, len(rows))))
    _refuse(judge(file, text, cells(contract, len(rows))))
    numbers = text.astype({column.name: column.kind.value[0] for column in contract.columns})
    _refuse(judge(file, numbers, values(contract, len(rows))))
    return numbers


def _refuse(findings: Sequence[Finding]) -> None:
    if findings:
        raise BadTableError(findings)


def layout(contract: Contract, file: Path, lines: list[bytes], *, complete: bool) -> list[Finding]:
    """What keeps lines (the last has its line end if `complete`) from being a table; pandas would pad and shift."""
    faults: dict[str, list[tuple[int, str, str]]] = {expectation: [] for expectation in LAYOUT}
    plain, even, whole = faults.values()
    column = dict(enumerate(contract.names)).get
    for at, line in enumerate(lines, 1):
        text = line.decode("utf-8", "surrogateescape")
        fields, named = text.count(",") + 1, lines[0].count(b",") + 1
        if odd := NOT_PLAIN.search(text):
            what = odd.group().encode("utf-8", "surrogateescape")
            plain.append((at, column(text.count(",", 0, odd.start()), "(beyond the last)"), repr(what)))
        elif fields != named:
            even.append((at, "(whole line)", f"{fields} fields, the header has {named}"))
        if at == len(lines) and not complete:
            whole.append((at, column(fields - 1, "(beyond the last)"), ascii(text.rpartition(",")[2])))
    findings = []
    fault = partial(Finding, file=file, mend=EXPORT_AGAIN)
    for name, found in ((name, found) for name, found in faults.items() if found):
        at_lines, where, what_is = zip(*found, strict=True)
        unique = tuple(dict.fromkeys(where))
        findings.append(fault(expectation=name, wanted=LAYOUT[name], columns=unique, lines=at_lines, values=what_is))
    return findings


def split(contract: Contract, frame: pd.DataFrame, settings: Settings) -> dict[str, Arrays]:
    """The arrays of train, test and probe, as `prepare` describes them; raises PrepareError for too few rows."""
    x = (frame[contract.names[:-1]].to_numpy(np.float64) / contract.scale).astype(np.float32)
    target = frame[contract.names[-1]].to_numpy()
    # Of rows with the same inputs only the first stays: a row of the probe must not be one of the training rows.
    kept = np.sort(np.unique(x, axis=0, return_index=True)[1])
    x, target = x[kept], target[kept]
    train, test = shuffle(target if contract.shares else np.zeros_like(target), settings)
    least, most = max(1, len(contract.classes)), len(test)
    if not least <= settings.probe_rows <= most:
        allowed = f"{contract.table} has {most} test rows in {least} class(es), give {least} to {most}"
        raise PrepareError(f"prepare.probe_rows is {settings.probe_rows}: {allowed}")
    y = target.astype(np.int64) if contract.shares else target.astype(np.float32)[:, np.newaxis]
    rows = {"train": train, "test": test, "probe": test[: settings.probe_rows]}
    return {name: (x[chosen], y[chosen]) for name, chosen in rows.items()}


def shuffle(strata: NDArray[Any], settings: Settings) -> tuple[list[int], list[int]]:
    """Rows of train and of test, `test_share` of every stratum (n,) in test, whose rows take the strata in turns."""
    generator = np.random.Generator(np.random.PCG64(settings.seed))
    train: list[int] = []
    tests: list[list[int]] = []
    for stratum in np.unique(strata):
        members = generator.permutation(np.flatnonzero(strata == stratum)).tolist()
        size = round(settings.test_share * len(members))
        if not 0 < size < len(members):
            raise PrepareError(f"prepare.test_share is {settings.test_share}: it leaves train or test without rows")
        tests.append(members[:size])
        train += members[size:]
    turns = chain.from_iterable(zip_longest(*tests))
    return generator.permutation(train).tolist(), [row for row in turns if row is not None]


def publish(files: dict[Path, Arrays]) -> None:
    """Write every file beside its place, then rename them all: a failure of writing leaves none of them behind."""
    staged = {file: file.with_name(f".{file.name}.{os.getpid()}") for file in files}
    try:
        for file, (x, y) in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            with staged[file].open("wb") as stream:
                np.savez(stream, x=x, y=y)  # NumPy dates the members 1980: no clock gets into the bytes.
                stream.flush()
                os.fsync(stream.fileno())
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
    except (PrepareError, NotJudgedError, OSError) as error:
        print(f"prepare: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
