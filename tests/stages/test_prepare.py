"""The stage `prepare`: what a bad table says of itself, and what comes out of good ones.

Great Expectations is imported once for all of it. A bad table is judged alone (`only`): judging digits takes seconds.
"""

import csv
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from reloadgate.probe import Probe, leaves
from stages import prepare as stage
from stages.contracts import GAP, Contract, Finding, NotJudgedError, cells, header, judge, values
from stages.datasets import DATASETS, WINDOW, by_class, by_group, by_time, split
from stages.prepare import BadTableError
from stages.settings import PrepareError, Settings
from stages.tables import CONTRACTS, LANGUAGES

pytestmark = pytest.mark.pipeline

ROOT = Path(__file__).resolve().parents[2]
RAW = ROOT / "data" / "raw"
SETTINGS = Settings(seed=7, test_share=0.2, probe_rows=32)
BY_NAME = {contract.table: contract for contract in CONTRACTS}
DATASET = {dataset.name: dataset for dataset in DATASETS}
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


def latin(lines: Lines) -> bytes:
    """UTF-8 that was read as Windows' Latin and written again, where that can be read at all; lines 6 to 30."""
    return joined([line if at < 5 or at > 29 else line.encode().decode("cp1252", "replace") for at, line in enumerate(lines)])


def swapped(lines: Lines) -> Lines:
    """Lines 101 and 102 in each other's place."""
    return [*lines[:100], lines[101], lines[100], *lines[102:]]


MOJIBAKE = tuple(at for at, line in enumerate(lines_of("country_names"), 1) if 6 <= at <= 30 and not line.isascii())
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
    ("a quote within a number", "diabetes", cell(2, 0, '5"9'), REGEX, ("age",), (2,), "'5\"9'"),
    (
        "a quote that is not closed",
        "diabetes",
        cell(2, 10, '"151.0'),
        FIELDS,
        ("(whole line)",),
        (2,),
        "a quote that is not closed",
    ),
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
    ("a cultivar of 3", "wine", cell(9, 13, "3"), BETWEEN, ("cultivar",), (9,), "3"),
    ("a column of wine missing", "wine", columns(*range(12), 13), SET, ("proline",), (1,), "'proline' is missing"),
    ("text in a measure of wine", "wine", cell(9, 0, "strong"), REGEX, ("alcohol",), (9,), "'strong'"),
    (
        "a cultivar almost gone",
        "wine",
        lambda lines: [line for at, line in enumerate(lines) if not line.endswith(",2") or at % 4 == 0],
        ROW_COUNT,
        (),
        (),
        "142",
    ),
    ("a name read in a wrong encoding", "country_names", latin, REGEX, ("name",), MOJIBAKE, "'Ã"),
    ("a name decomposed", "country_names", cell(6, 2, "A\u030aland"), REGEX, ("name",), (6,), "'A\u030aland'"),
    ("a name with a space before it", "country_names", cell(3, 2, " Afghanistan"), REGEX, ("name",), (3,), "' Afghanistan'"),
    ("a name that is empty", "country_names", cell(3, 2, ""), NOT_NULL, ("name",), (3,), "(empty)"),
    ("a comma outside quotes", "country_names", cell(3, 2, "Korea, Republik"), FIELDS, ("(whole line)",), (3,), "4 fields"),
    ("another language", "country_names", cell(3, 0, "ru"), IN_SET, ("language",), (3,), "'ru'"),
    (
        "a language removed",
        "country_names",
        lambda lines: [line for line in lines if not line.startswith("fi,")],
        IN_SET,
        ("language",),
        (),
        "0 of 2241 rows are fi",
    ),
    ("a day left out", "seattle_weather", lambda lines: [*lines[:100], *lines[101:]], BETWEEN, (GAP,), (101,), "2.0"),
    ("a day twice", "seattle_weather", lambda lines: [*lines[:100], lines[99], *lines[100:]], BETWEEN, (GAP,), (101,), "0.0"),
    ("days in another order", "seattle_weather", swapped, BETWEEN, (GAP,), (101, 102, 103), "2.0"),
    ("a day that is none", "seattle_weather", cell(61, 0, "2012-02-31"), NOT_NULL, ("date",), (61,), "NaT"),
    ("a day in another notation", "seattle_weather", cell(61, 0, "29/02/2012"), REGEX, ("date",), (61,), "'29/02/2012'"),
    ("a temperature in Fahrenheit", "seattle_weather", cell(61, 2, "48.9"), BETWEEN, ("temp_max",), (61,), "48.9"),
    ("a kind of weather with another name", "seattle_weather", cell(61, 5, "sunny"), IN_SET, ("weather",), (61,), "'sunny'"),
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
    assert {finding.file.stem for finding in findings} == set(BY_NAME)


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


def arrays(made: Path, name: str) -> dict[str, Probe]:
    return {part: Probe.read(made / name / f"{part}.npz") for part in ("train", "test", "probe")}


def rows_of(samples: Probe) -> list[tuple[Any, ...]]:
    """Every sample as a tuple of all that it holds."""
    columns = [leaf.reshape(len(leaf), -1).tolist() for part in (samples.x, samples.y) for leaf in leaves(part)]
    return [tuple(value for column in row for value in column) for row in zip(*columns, strict=True)]


@pytest.mark.parametrize(
    ("name", "sizes", "x", "y"),
    [
        ("digits", (1438, 359), [(64,)], [()]),
        ("diabetes", (354, 88), [(10,)], [(1,)]),
        ("wine", (142, 36), [(13,)], [()]),
        ("parity", (1438, 359), [(64,)], [(), (1,)]),
        ("languages", (1085, 249), [()], [()]),
        ("weather", (1158, 289), [(WINDOW, 4), (WINDOW,)], [(1,)]),
    ],
)
def test_good_tables_become_arrays_of_the_stated_types(
    made: Path, name: str, sizes: tuple[int, int], x: list[tuple[int, ...]], y: list[tuple[int, ...]]
) -> None:
    for (part, samples), size in zip(arrays(made, name).items(), (*sizes, 32), strict=True):
        assert [leaf.shape for leaf in leaves(samples.x)] == [(size, *tail) for tail in x], part
        assert [leaf.shape for leaf in leaves(samples.y)] == [(size, *tail) for tail in y], part
        kinds = [leaf.dtype.name for tree in (samples.x, samples.y) for leaf in leaves(tree)]
        assert {kind for kind in kinds if not kind.startswith("str")} <= {"float32", "int64"}, part
    assert sorted(file.name for file in (made / name).iterdir()) == ["probe.npz", "test.npz", "train.npz"]


@pytest.mark.parametrize(("name", "scale"), [("digits", 16), ("diabetes", 1), ("wine", 1)])
def test_train_and_test_are_the_raw_rows_each_once(made: Path, name: str, scale: int) -> None:
    raw = np.loadtxt(RAW / f"{name}.csv", delimiter=",", skiprows=1)
    expected = [(*np.float32(row[:-1] / scale).tolist(), np.float32(row[-1]).item()) for row in raw]
    made_of = arrays(made, name)
    assert sorted(rows_of(made_of["train"]) + rows_of(made_of["test"])) == sorted(expected)


@pytest.mark.parametrize("name", DATASET)
def test_the_probe_is_the_head_of_the_test_split_and_absent_from_train(made: Path, name: str) -> None:
    samples = arrays(made, name)
    assert rows_of(samples["probe"]) == rows_of(samples["test"])[:32]
    assert set(rows_of(samples["probe"])).isdisjoint(rows_of(samples["train"]))


def test_every_table_has_a_dataset_and_every_model_is_trained_on_one() -> None:
    assert {dataset.contract for dataset in DATASETS} == set(CONTRACTS)
    assert list(DATASET) == list(yaml.safe_load((ROOT / "params.yaml").read_text())["models"])


def test_every_digit_is_in_the_probe_and_held_out_in_its_share(made: Path) -> None:
    samples = arrays(made, "digits")
    assert samples["probe"].y[:20].tolist() == [*range(10), *range(10)]
    held_out, kept = np.bincount(samples["test"].y), np.bincount(samples["train"].y)
    assert np.abs(held_out / (held_out + kept) - 0.2).max() < 0.004


def test_parity_is_the_digits_own(made: Path) -> None:
    for samples in arrays(made, "parity").values():
        assert np.array_equal(samples.y["odd"][:, 0], samples.y["digit"] % 2)


def test_no_country_is_in_train_and_test_and_no_name_in_two_languages(made: Path) -> None:
    table = list(csv.DictReader(lines_of("country_names")))
    country = {row["name"]: row["country"] for row in table}
    language = {(row["name"], LANGUAGES.index(row["language"])) for row in table}
    samples = arrays(made, "languages")
    train, test = ({country[str(name)] for name in samples[part].x} for part in ("train", "test"))
    assert train.isdisjoint(test)
    names = [*samples["train"].x, *samples["test"].x]
    assert len(names) == len(set(names))
    labels = [*samples["train"].y.tolist(), *samples["test"].y.tolist()]
    assert {(str(name), label) for name, label in zip(names, labels, strict=True)} <= language
    assert "Angola" not in names, "it is spelt alike in ten languages"


def test_the_weather_to_forecast_is_later_than_all_that_was_learned(made: Path) -> None:
    days = [tuple(float(cell) for cell in line.split(",")[1:5]) for line in lines_of("seattle_weather")[1:]]
    windows = (days[start : start + WINDOW] for start in range(len(days) - WINDOW))
    at = {tuple(tuple(np.float32(day).tolist()) for day in window): start for start, window in enumerate(windows)}
    found = {}
    for part, samples in arrays(made, "weather").items():
        found[part] = [at[tuple(tuple(day) for day in window.tolist())] for window in samples.x["measures"]]
        expected = [np.float32(days[start + WINDOW][1]) for start in found[part]]
        assert samples.y[:, 0].tolist() == expected
    assert max(found["train"]) < min(found["test"])


def test_a_second_run_gives_the_same_bytes(made: Path, tmp_path: Path) -> None:
    stage.prepare(RAW, tmp_path / "again", SETTINGS)
    files = sorted(path.relative_to(made) for path in made.rglob("*.npz"))
    assert len(files) == 3 * len(DATASETS)
    for file in files:
        assert (made / file).read_bytes() == (tmp_path / "again" / file).read_bytes()
        with zipfile.ZipFile(made / file) as archive:
            assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_seed_decides_the_split_and_nothing_else_does() -> None:
    strata = np.repeat(np.arange(4), 25)
    other = Settings(seed=8, test_share=0.2, probe_rows=32)
    for way in (lambda s: by_class(strata, s), lambda s: by_group(strata, s), lambda s: by_time(100, s)):
        assert way(SETTINGS) == way(SETTINGS)
        assert way(SETTINGS) != way(other)


def test_rows_with_the_same_inputs_are_used_once(only: Callable[[str, Edit], Path], tmp_path: Path) -> None:
    path = only("diabetes", lambda lines: [*lines, lines[1], lines[2]])
    stage.prepare(path.parent, tmp_path, SETTINGS)
    samples = arrays(tmp_path, "diabetes")
    assert samples["train"].rows + samples["test"].rows == 442


def test_a_failure_of_writing_leaves_no_file_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write = Probe.write

    def full_disk(samples: Probe, path: Path) -> None:
        if "c.npz" in path.name:
            raise OSError(28, "No space left on device")
        write(samples, path)

    monkeypatch.setattr(Probe, "write", full_disk)
    pair = Probe(np.zeros(3), np.zeros(3))
    with pytest.raises(OSError, match="No space left"):
        stage.publish({tmp_path / "out" / f"{name}.npz": pair for name in "abcd"})
    assert list((tmp_path / "out").iterdir()) == []


def test_a_probe_that_the_table_cannot_fill_is_refused() -> None:
    frame = stage.read_table(BY_NAME["digits"], RAW / "digits.csv")
    for probe_rows in (9, 360):
        with pytest.raises(PrepareError, match=r"digits has 359 test samples in 10 class\(es\), give 10 to 359"):
            split(DATASET["digits"], frame, Settings(seed=7, test_share=0.2, probe_rows=probe_rows))


@pytest.mark.parametrize("share", [0.001, 0.999])
def test_a_test_share_that_leaves_a_split_empty_is_refused(share: float) -> None:
    with pytest.raises(PrepareError, match="test_share"):
        by_class(np.zeros(100), Settings(seed=7, test_share=share, probe_rows=1))


def test_settings_are_read_as_dvc_reads_them(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("prepare: {seed: 010, test_share: 2e-1, probe_rows: 64}")
    assert Settings.read(tmp_path / "params.yaml") == Settings(seed=10, test_share=0.2, probe_rows=64)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "prepare: {seed: 7, test_share: 0.2, probe_row: 64}",
            "params.yaml: prepare: probe_rows: Field required; there is no setting probe_row; did you mean probe_rows?",
        ),
        ("prepare: {seed: 7, test_share: 0.2}", "prepare: probe_rows: Field required"),
        ("prepare: {seed: true, test_share: 0.2, probe_rows: 64}", "prepare: seed: Input should be a valid integer"),
        ("prepare: {seed: yes, test_share: 0.2, probe_rows: 64}", "prepare: seed: Input should be a valid integer"),
        ("prepare: {seed: 7, test_share: 1.5, probe_rows: 64}", "prepare: test_share is 1.5"),
        ("prepare: {seed: 7, test_share: .nan, probe_rows: 64}", "prepare: test_share: Input should be a finite number"),
        ("prepare: {seed: 7, test_share: 0.2, probe_rows: 0}", "prepare: probe_rows is 0"),
        ("prepare: {seed: 7, seed: 8}", "the key 'seed' stands twice"),
        ("prepare: [", "params.yaml cannot be read as YAML"),
        ("prepare:", "prepare: seed: Field required"),
        ("train: {}", "prepare: seed: Field required"),
        (None, "params.yaml is missing"),
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
        "  mend:   correct the value at its source or, if it is true, change its column in stages/tables.py",
        "Nothing was written. Mended lines, headers and cells may show further faults.",
    ]
    assert not (tmp_path / "data" / "prepared").exists()


def test_importing_the_stage_imports_nothing_slow() -> None:
    code = "import sys, stages.prepare; print(sorted({'pandas', 'great_expectations', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
