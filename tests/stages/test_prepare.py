"""The stage `prepare`: what a bad table says of itself, and what comes out of good ones.

Great Expectations is imported once for all of it. A bad table is judged alone (`only`): judging digits takes seconds.
"""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages import prepare as stage
from stages.contracts import CONTRACTS, Contract, Finding, NotJudgedError, cells, header, judge, values
from stages.prepare import BadTableError, PrepareError, Settings

pytestmark = pytest.mark.pipeline

ROOT = Path(__file__).resolve().parents[2]
RAW = ROOT / "data" / "raw"
SETTINGS = Settings(seed=7, test_share=0.2, probe_rows=64)
BY_NAME = {contract.table: contract for contract in CONTRACTS}
Lines = list[str]
Edit = Callable[[Lines], Lines | bytes]


def lines_of(table: str) -> Lines:
    return (RAW / f"{table}.csv").read_text(encoding="utf-8").splitlines()


def cell(line: int, column: int, text: str) -> Edit:
    """Put `text` into a cell; `line` is 1-based, as in the findings, `column` 0-based."""

    def edit(lines: Lines) -> Lines:
        fields = lines[line - 1].split(",")
        fields[column] = text
        return [*lines[: line - 1], ",".join(fields), *lines[line:]]

    return edit


def columns(*order: int) -> Edit:
    """Keep these columns, in this order, in every line."""
    return lambda lines: [",".join(line.split(",")[position] for position in order) for line in lines]


def joined(lines: Lines) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def relabelled(lines: Lines) -> Lines:
    """Every thirteenth digit becomes a 1."""
    return [f"{line.rpartition(',')[0]},1" if at and at % 13 == 0 else line for at, line in enumerate(lines)]


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, Edit], Path]:
    """Make an edited table the only one that there is; returns its path."""

    def make(table: str, edit: Edit) -> Path:
        monkeypatch.setattr(stage, "CONTRACTS", (BY_NAME[table],))
        edited = edit(lines_of(table))
        path = tmp_path / "raw" / f"{table}.csv"
        path.parent.mkdir()
        path.write_bytes(edited if isinstance(edited, bytes) else joined(edited))
        return path

    return make


def refused(path: Path, out: Path) -> tuple[tuple[Finding, ...], str]:
    with pytest.raises(BadTableError) as caught:
        stage.prepare(path.parent, out, SETTINGS)
    return caught.value.findings, str(caught.value)


ONES = tuple(at for at, line in enumerate(relabelled(lines_of("digits")), 1) if line.endswith(",1"))
ELEVEN = tuple(BY_NAME["diabetes"].names)
SET, REGEX = "expect_table_columns_to_match_set", "expect_column_values_to_match_regex"
NOT_NULL, BETWEEN = "expect_column_values_to_not_be_null", "expect_column_values_to_be_between"
ROW_COUNT, TWINS = "expect_table_row_count_to_be_between", "expect_compound_columns_to_be_unique"
IN_SET, NOT_IN_SET = "expect_column_values_to_be_in_set", "expect_column_values_to_not_be_in_set"
PLAIN, FIELDS, WHOLE = stage.LAYOUT

BAD: list[tuple[str, str, Edit, str, tuple[str, ...], tuple[int, ...], str]] = [
    ("a missing column", "diabetes", columns(*range(6), *range(7, 11)), SET, ("s3",), (1,), "'s3' is missing"),
    (
        "an extra column",
        "diabetes",
        lambda lines: [f"{lines[0]},site", *(f"{line},1" for line in lines[1:])],
        SET,
        ("site",),
        (1,),
        "'site' is unexpected",
    ),
    (
        "two columns in each other's place",
        "diabetes",
        columns(1, 0, *range(2, 11)),
        "expect_table_columns_to_match_ordered_list",
        ("age", "sex"),
        (1,),
        "'sex' in place of 'age'",
    ),
    ("a pixel of 17", "digits", cell(900, 20, "17"), BETWEEN, ("px20",), (900,), "17"),
    ("a pixel with a fraction", "digits", cell(900, 20, "5.0"), REGEX, ("px20",), (900,), "'5.0'"),
    ("a NaN", "diabetes", cell(30, 2, "nan"), REGEX, ("bmi",), (30,), "'nan'"),
    ("an infinity", "diabetes", cell(30, 2, "inf"), REGEX, ("bmi",), (30,), "'inf'"),
    ("a number that overflows", "diabetes", cell(30, 2, "1e999"), BETWEEN, ("bmi",), (30,), "inf"),
    ("an empty cell", "diabetes", cell(443, 10, ""), NOT_NULL, ("progression",), (443,), "(empty)"),
    ("text in a number", "diabetes", cell(2, 0, "fifty"), REGEX, ("age",), (2,), "'fifty'"),
    ("a quoted number", "diabetes", cell(2, 0, '"59.0"'), REGEX, ("age",), (2,), "'\"59.0\"'"),
    ("a number in the digits of another script", "diabetes", cell(2, 0, "٥٩"), REGEX, ("age",), (2,), "'٥٩'"),
    ("a sex of 1.5", "diabetes", cell(9, 1, "1.5"), IN_SET, ("sex",), (9,), "1.5"),
    (
        "a second header in the middle",
        "diabetes",
        lambda lines: [*lines[:200], lines[0], *lines[200:]],
        REGEX,
        ELEVEN,
        (201,),
        "'age'",
    ),
    ("an empty file", "diabetes", lambda lines: b"", ROW_COUNT, (), (), "0"),
    ("nothing but a header", "diabetes", lambda lines: lines[:1], ROW_COUNT, (), (), "0"),
    ("half of the rows", "diabetes", lambda lines: lines[:222], ROW_COUNT, (), (), "221"),
    (
        "a letter in Latin-1",
        "diabetes",
        lambda lines: joined(cell(7, 3, "café")(lines)).decode().encode("latin-1"),
        PLAIN,
        ("bp",),
        (7,),
        r"b'\xe9'",
    ),
    (
        "a byte order mark",
        "diabetes",
        lambda lines: joined(lines).decode().encode("utf-8-sig"),
        PLAIN,
        ("age",),
        (1,),
        r"b'\xef\xbb\xbf'",
    ),
    ("a Windows line end", "diabetes", cell(443, 10, "57.0\r"), PLAIN, ("progression",), (443,), r"b'\r'"),
    (
        "a line with a field too few",
        "diabetes",
        cell(5, 0, "1,2"),
        FIELDS,
        ("(whole line)",),
        (5,),
        "12 fields, the header has 11",
    ),
    (
        "a blank line",
        "diabetes",
        lambda lines: [*lines, ""],
        FIELDS,
        ("(whole line)",),
        (444,),
        "1 fields, the header has 11",
    ),
    (
        "a last line cut off in a number",
        "diabetes",
        lambda lines: joined(lines)[:-3],
        WHOLE,
        ("progression",),
        (443,),
        "'57'",
    ),
    (
        "a last line cut off between numbers",
        "diabetes",
        lambda lines: joined([*lines[:-1], "36.0,1.0,30.0"])[:-1],
        FIELDS,
        ("(whole line)",),
        (443,),
        "3 fields, the header has 11",
    ),
    (
        "a class removed",
        "digits",
        lambda lines: [line for line in lines if not line.endswith(",3")],
        IN_SET,
        ("digit",),
        (),
        "0 of 1614 rows are 3",
    ),
    (
        "a class that swallows the others",
        "digits",
        relabelled,
        NOT_IN_SET,
        ("digit",),
        ONES,
        f"{len(ONES)} of 1797 rows are 1",
    ),
    (
        "many rows twice",
        "diabetes",
        lambda lines: [*lines, *lines[1:101]],
        TWINS,
        (),
        (*range(2, 102), *range(444, 544)),
        "{'age': 59.0,",
    ),
]


@pytest.mark.parametrize(
    ("table", "edit", "expectation", "which", "at", "value"),
    [pytest.param(*row, id=name.replace(" ", "-")) for name, *row in BAD],
)
def test_a_bad_table_is_named_and_nothing_is_written(
    only: Callable[[str, Edit], Path],
    tmp_path: Path,
    table: str,
    edit: Edit,
    expectation: str,
    which: tuple[str, ...],
    at: tuple[int, ...],
    value: str,
) -> None:
    path = only(table, edit)
    findings, said = refused(path, tmp_path / "out")
    (found,) = [finding for finding in findings if finding.expectation == expectation]
    assert (found.file, found.columns, found.lines) == (path, which, at)
    assert found.values[0].startswith(value)
    assert f"{path}: {expectation} failed" in said
    assert "mend:" in said
    assert list(tmp_path.iterdir()) == [path.parent]


def test_a_file_in_utf_16_is_named(only: Callable[[str, Edit], Path], tmp_path: Path) -> None:
    path = only("diabetes", lambda lines: joined(lines).decode().encode("utf-16"))
    (found, *_), said = refused(path, tmp_path / "out")
    assert (found.expectation, found.lines[:2], found.values[0]) == (PLAIN, (1, 2), r"b'\xff'")
    assert "lines:  1, 2, 3, 4, 5, ... (444 in all)" in said


def test_an_expectation_names_every_line_but_shows_five(only: Callable[[str, Edit], Path], tmp_path: Path) -> None:
    path = only("diabetes", lambda lines: [lines[0], *(f"500{line}" if at < 7 else line for at, line in enumerate(lines[1:]))])
    (found,), said = refused(path, tmp_path / "out")
    assert (found.expectation, found.lines) == (BETWEEN, tuple(range(2, 9)))
    assert "column: age\n  lines:  2, 3, 4, 5, 6, ... (7 in all)\n  values: 50059.0, 50048.0" in said
    assert "wanted: 15 to 100" in said


def test_the_faults_of_all_tables_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    for table in BY_NAME:
        (tmp_path / "raw" / f"{table}.csv").write_bytes(b"")
    findings, _ = refused(tmp_path / "raw" / "digits.csv", tmp_path / "out")
    assert {finding.file.stem for finding in findings} == {"digits", "diabetes"}


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.table)
def test_no_suite_passes_a_frame_without_rows_or_a_column_without_values(contract: Contract) -> None:
    for suite in (header, cells, values):
        kinds = [type(expectation).__name__ for expectation in suite(contract, 5)]
        assert {"ExpectTableRowCountToEqual", "ExpectTableRowCountToBeBetween"} <= set(kinds)
        assert contract.rows[0] > 0
        assert kinds.count("ExpectColumnValuesToNotBeNull") == (0 if suite is header else len(contract.columns))


def test_rows_lost_between_file_and_frame_are_found(only: Callable[[str, Edit], Path]) -> None:
    path = only("diabetes", list)
    frame = stage.read_table(BY_NAME["diabetes"], path)
    (found,) = judge(path, frame, header(BY_NAME["diabetes"], lines=443))
    assert (found.expectation, found.values) == ("expect_table_row_count_to_equal", ("442",))


def test_an_expectation_that_cannot_be_judged_is_no_pass(only: Callable[[str, Edit], Path]) -> None:
    path = only("diabetes", list)
    frame = stage.read_table(BY_NAME["diabetes"], path)
    with pytest.raises(NotJudgedError, match=r"diabetes\.csv: expect_.* gave no verdict"):
        judge(path, frame.drop(columns="s3"), values(BY_NAME["diabetes"], lines=442))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made")
    stage.prepare(RAW, out, SETTINGS)
    return out


def arrays(made: Path, table: str) -> dict[str, dict[str, Any]]:
    return {name: dict(np.load(made / table / f"{name}.npz")) for name in ("train", "test", "probe")}


def rows_of(split: dict[str, Any]) -> list[tuple[float, ...]]:
    return [(*x.tolist(), *np.ravel(y).tolist()) for x, y in zip(split["x"], split["y"], strict=True)]


@pytest.mark.parametrize(
    ("table", "inputs", "sizes", "dtype", "tail"),
    [("digits", 64, (1438, 359, 64), np.int64, ()), ("diabetes", 10, (354, 88, 64), np.float32, (1,))],
)
def test_good_tables_become_arrays_of_the_stated_types(
    made: Path, table: str, inputs: int, sizes: tuple[int, ...], dtype: type, tail: tuple[int, ...]
) -> None:
    for (name, split), size in zip(arrays(made, table).items(), sizes, strict=True):
        assert set(split) == {"x", "y"}, name
        assert (split["x"].dtype, split["x"].shape) == (np.float32, (size, inputs)), name
        assert (split["y"].dtype, split["y"].shape) == (dtype, (size, *tail)), name
    assert sorted(file.name for file in (made / table).iterdir()) == ["probe.npz", "test.npz", "train.npz"]


@pytest.mark.parametrize(("table", "scale"), [("digits", 16), ("diabetes", 1)])
def test_train_and_test_are_the_raw_rows_each_once(made: Path, table: str, scale: int) -> None:
    raw = np.loadtxt(RAW / f"{table}.csv", delimiter=",", skiprows=1)
    expected = [(*np.float32(row[:-1] / scale).tolist(), np.float32(row[-1]).item()) for row in raw]
    split = arrays(made, table)
    assert sorted(rows_of(split["train"]) + rows_of(split["test"])) == sorted(expected)


@pytest.mark.parametrize("table", BY_NAME)
def test_the_probe_is_the_head_of_the_test_split_and_absent_from_train(made: Path, table: str) -> None:
    split = arrays(made, table)
    assert rows_of(split["probe"]) == rows_of(split["test"])[:64]
    assert {row[:-1] for row in rows_of(split["probe"])}.isdisjoint(row[:-1] for row in rows_of(split["train"]))


def test_every_digit_is_in_the_probe_and_held_out_in_its_share(made: Path) -> None:
    split = arrays(made, "digits")
    assert split["probe"]["y"][:20].tolist() == [*range(10), *range(10)]
    held_out, kept = np.bincount(split["test"]["y"]), np.bincount(split["train"]["y"])
    assert np.abs(held_out / (held_out + kept) - 0.2).max() < 0.004


def test_a_second_run_gives_the_same_bytes(made: Path, tmp_path: Path) -> None:
    stage.prepare(RAW, tmp_path / "again", SETTINGS)
    files = sorted(path.relative_to(made) for path in made.rglob("*.npz"))
    assert len(files) == 6
    for file in files:
        assert (made / file).read_bytes() == (tmp_path / "again" / file).read_bytes()
        with zipfile.ZipFile(made / file) as archive:
            assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_seed_decides_the_split_and_nothing_else_does() -> None:
    strata = np.repeat(np.arange(4), 25)
    assert stage.shuffle(strata, SETTINGS) == stage.shuffle(strata, SETTINGS)
    assert stage.shuffle(strata, SETTINGS) != stage.shuffle(strata, Settings(seed=8, test_share=0.2, probe_rows=64))


def test_rows_with_the_same_inputs_are_used_once(only: Callable[[str, Edit], Path], tmp_path: Path) -> None:
    path = only("diabetes", lambda lines: [*lines, lines[1], lines[2]])
    stage.prepare(path.parent, tmp_path, SETTINGS)
    split = arrays(tmp_path, "diabetes")
    assert len(split["train"]["x"]) + len(split["test"]["x"]) == 442


def test_a_failure_of_writing_leaves_no_file_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    save = np.savez

    def full_disk(stream: Any, **arrays: Any) -> None:
        if "c.npz" in stream.name:
            raise OSError(28, "No space left on device")
        save(stream, **arrays)

    monkeypatch.setattr(np, "savez", full_disk)
    pair = (np.zeros(3), np.zeros(3))
    with pytest.raises(OSError, match="No space left"):
        stage.publish({tmp_path / "out" / f"{name}.npz": pair for name in "abcd"})
    assert list((tmp_path / "out").iterdir()) == []


def test_a_probe_that_the_table_cannot_fill_is_refused() -> None:
    frame = stage.read_table(BY_NAME["digits"], RAW / "digits.csv")
    for probe_rows in (9, 360):
        with pytest.raises(PrepareError, match=r"digits has 359 test rows in 10 class\(es\), give 10 to 359"):
            stage.split(BY_NAME["digits"], frame, Settings(seed=7, test_share=0.2, probe_rows=probe_rows))


@pytest.mark.parametrize("share", [0.001, 0.999])
def test_a_test_share_that_leaves_a_split_empty_is_refused(share: float) -> None:
    with pytest.raises(PrepareError, match="test_share"):
        stage.shuffle(np.zeros(100), Settings(seed=7, test_share=share, probe_rows=1))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "prepare: {seed: 7, test_share: 0.2, probe_row: 64}",
            "prepare.probe_row is unknown, did you mean probe_rows?",
        ),
        ("prepare: {seed: 7, test_share: 0.2}", "prepare.probe_rows is missing"),
        ("prepare: {seed: yes, test_share: 0.2, probe_rows: 64}", "prepare.seed is True"),
        ("prepare: {seed: 7, test_share: 1.5, probe_rows: 64}", "prepare.test_share is 1.5"),
        ("prepare: {seed: 7, test_share: .nan, probe_rows: 64}", "prepare.test_share is nan"),
        ("prepare: {seed: 7, test_share: 0.2, probe_rows: 0}", "prepare.probe_rows is 0"),
        ("prepare: [", "give it a section `prepare`"),
        ("prepare:", "give it a section `prepare`"),
        ("train: {}", "give it a section `prepare`"),
        (None, "give it a section `prepare`"),
    ],
)
def test_settings_that_cannot_be_read_end_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str | None, fault: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if text:
        (tmp_path / "params.yaml").write_text(text)
    assert stage.main() == 2
    assert fault in capsys.readouterr().err


def test_a_missing_table_ends_with_2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("prepare: {seed: 7, test_share: 0.2, probe_rows: 64}")
    assert stage.main() == 2
    assert capsys.readouterr().err.startswith(f"prepare: {Path('data/raw/digits.csv')}: no such file")


def test_the_script_ends_with_1_and_says_why_on_stderr_without_noise(tmp_path: Path) -> None:
    shutil.copytree(RAW, tmp_path / "data" / "raw", copy_function=shutil.copyfile)
    bad = cell(900, 20, "17")(cell(12, 20, "99")(lines_of("digits")))
    (tmp_path / "data" / "raw" / "digits.csv").write_bytes(joined(bad))
    (tmp_path / "params.yaml").write_text("prepare: {seed: 7, test_share: 0.2, probe_rows: 64}")
    script = [sys.executable, ROOT / "stages" / "prepare.py"]
    done = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "data/raw/digits.csv: expect_column_values_to_be_between failed",
        "  column: px20",
        "  lines:  12, 900",
        "  values: 99, 17",
        "  wanted: 0 to 16",
        "  mend:   correct the value at its source or, if it is true, change its column in stages/contracts.py",
        "Nothing was written. Mended lines, headers and cells may show further faults.",
    ]
    assert not (tmp_path / "data" / "prepared").exists()


def test_importing_the_stage_imports_nothing_slow() -> None:
    code = "import sys, stages.prepare; print(sorted({'pandas', 'great_expectations', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
