"""The command: argv to one verb to exit code, in a blink, and with the reports at ERROR until the verb has ended."""

import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from builders import ENCODER, build, values
from reloadgate import cli, engine, project, report, verifying
from reloadgate.cli.app import subjects_named
from reloadgate.engine import End, Job
from reloadgate.nouns import read_json, write_json
from reloadgate.project import RECORDS, REPORTS

PARAMS = "models:\n  digits: {version: 1.0.0}\npolicy:\n  flips: 0\n"
HEAVY = ("tensorflow", "keras", "great_expectations", "pandas", "dvc", "numpy", "rich", "pydantic", "jinja2", "matplotlib")
EDGES = ("tensorflow", "keras", "great_expectations", "pandas", "dvc")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in an empty folder of its own: exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["reloadgate", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return command


@pytest.fixture
def pipeline(run: Run) -> Run:
    """The command in a project of which everything is trained and reloaded."""
    Path("params.yaml").write_text(PARAMS)
    build(Path()).record(RECORDS)
    return run


def status(folder: Path = REPORTS) -> str:
    return str(read_json(folder / report.VERDICT)["status"])


# In a blink


COMMAND = """
import sys
from reloadgate.cli import main
sys.argv = ["reloadgate", "{}"]
try:
    main()
except SystemExit as ended:
    assert ended.code == 0
"""


def imported(code: str, which: tuple[str, ...]) -> list[str]:
    """What of these is imported in a fresh interpreter once the code has run."""
    code += f"\nimport sys\nprint(sorted({{name.partition('.')[0] for name in sys.modules}} & set({which})), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stderr.strip().splitlines()[-1].replace("'", '"'))
    return found


def test_help_imports_nothing_heavy() -> None:
    assert imported(COMMAND.format("--help"), HEAVY) == []


def test_the_package_costs_nothing() -> None:
    assert imported("import reloadgate", (*HEAVY, "pydantic", "yaml", "typer", "jinja2")) == []


def test_what_judges_and_gates_imports_neither_tensorflow_nor_great_expectations() -> None:
    modules = ("gate", "compare", "judge", "report", "reload", "verifying", "recording", "engine", "formats", "expectations")
    assert imported("".join(f"import reloadgate.{name}\n" for name in modules), EDGES) == []


def test_a_gate_that_finds_all_the_same_imports_no_more_than_it_needs(pipeline: Run, tmp_path: Path) -> None:
    for verb in ("compare", "judge"):
        assert pipeline(verb)[0] == 0
    assert imported(COMMAND.format("gate"), (*EDGES, "numpy")) == []


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "reloadgate", "--help"], capture_output=True, text=True, check=True)
    for verb in ("verify", "reload", "compare", "judge", "gate"):
        assert verb in done.stdout
    assert done.stderr == ""


# Usage


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("verify", "--policy", "tolerences.resume=1"), "did you mean tolerances?"),
        (("verify", "--policy", "tolerances.resumes=1"), "did you mean resume?"),
        (("verify", "--policy", "tolerances.resume=-1"), "0 or more"),
        (("verify", "--policy", "tolerances.resume"), "KEY=VALUE"),
        (("verify", "digtis"), "digtis is no model version; did you mean digits?"),
        (("verify", "models/digits"), "models/digits is no model version; did you mean models/digits/1.0.0?"),
        (("verify", "train.py"), "train.py is no artifact that reloadgate knows (model.keras"),
        (("verify", "models/nowhere"), "models/nowhere does not exist"),
        (("verify", "digits", "nothing"), "nothing does not exist"),
        (("verify", "--polcy", "flips=1"), "No such option"),
        (("verfy",), "No such command"),
        (("gate", "digits"), "unexpected extra argument"),
        (("judge", "--policy", "flip=1"), "did you mean flips?"),
    ],
)
def test_what_was_mistyped_ends_with_2_and_is_said_on_standard_error(run: Run, arguments: tuple[str, ...], said: str) -> None:
    Path("params.yaml").write_text(PARAMS)
    Path("train.py").touch()
    Path("models/digits/1.0.0/evidence").mkdir(parents=True)
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_the_version_is_that_of_the_package(run: Run) -> None:
    assert run("--version") == (0, f"reloadgate {importlib.metadata.version('reloadgate')}\n", "")


def test_without_arguments_the_command_explains_itself(run: Run) -> None:
    code, out, err = run()
    assert code in (0, 2)
    assert "Usage: " in out + err
    assert "Traceback" not in err


def test_a_path_is_verified_where_params_yaml_names_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("policy: {location: any}\n")
    Path("models/wine/1").mkdir(parents=True)
    (subject,) = subjects_named(["models/wine/1"])
    assert subject.path == "models/wine/1"


@pytest.mark.parametrize("verb", ["verify", "reload", "compare", "gate"])
@pytest.mark.parametrize(
    ("params", "said"),
    [
        (None, "params.yaml is missing"),
        ("models: {}\n", "names no model"),
        ("models: {digits: 1.0.0}\n", "models.digits has no version"),
        ("models: [\n", "params.yaml cannot be read as YAML: while parsing a flow node"),
        ("- models\n", "no YAML mapping"),
    ],
)
def test_params_that_name_no_model_end_with_2(run: Run, verb: str, params: str | None, said: str) -> None:
    if params is not None:
        Path("params.yaml").write_text(params)
    code, out, err = run(verb)
    assert (code, out) == (2, "")
    assert said in err
    assert "unicode string" not in err


@pytest.mark.parametrize("verb", ["verify", "judge", "gate"])
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("policy: {tolerence: 1}", "did you mean tolerances?"),
        ("policy: 1", "not a mapping"),
        ("polcy: {location: any}", "did you mean it by polcy?"),
    ],
)
def test_a_policy_that_is_mistyped_in_params_ends_with_2(pipeline: Run, verb: str, settings: str, said: str) -> None:
    Path("params.yaml").write_text(f"models: {{digits: {{version: 1.0.0}}}}\n{settings}\n")
    code, _, err = pipeline(verb)
    assert code == 2
    assert said in err


def test_a_version_that_is_missing_ends_with_2_and_says_how_to_get_it(run: Run) -> None:
    Path("params.yaml").write_text(PARAMS)
    code, _, err = run("reload")
    assert code == 2
    assert "train it, or take it back from where it is kept (with DVC: `dvc pull`)" in err
    assert status() == "ERROR"


# A run


def test_compare_judge_and_gate_pass_where_all_is_well(pipeline: Run) -> None:
    for verb, after in (("compare", "ERROR"), ("judge", "PASS"), ("gate", "PASS")):
        code, out, err = pipeline(verb)
        assert (code, err) == (0, ""), verb
        assert out
        assert status() == after


def test_a_model_that_fails_is_data_to_judge_and_the_end_to_the_gate(run: Run) -> None:
    Path("params.yaml").write_text(PARAMS)
    build(Path(), changed={f"before/{ENCODER}": np.ones((4, 3), np.float32)}).record(RECORDS)
    assert [run(verb)[0] for verb in ("compare", "judge")] == [0, 0]
    code, out, _ = run("gate")
    assert (code, status()) == (1, "FAIL")
    first = out.splitlines()[2].split()
    assert first[:3] == ["FAIL", "digits", "models/digits/1.0.0:"]
    assert f"{ENCODER} (model.keras):" in " ".join(out.split())
    assert "→" in out
    assert out.splitlines()[-2:] == ["report: reports/report.html", "FAIL: 1 FAIL"]


def test_judge_takes_settings_over_params_and_the_gate_does_not_believe_them(run: Run) -> None:
    Path("params.yaml").write_text(PARAMS)
    moved = values()[f"after/{ENCODER}"] + np.float32(1e-3)
    build(Path(), changed={f"after/{ENCODER}": moved}).record(RECORDS)
    run("compare")
    run("judge", "--policy", "tolerances.resume=1e-2")
    assert status() == "PASS"
    code, _, err = run("gate")
    assert (code, status()) == (1, "FAIL")
    assert "judging again says FAIL" in err


def test_a_verdict_edited_by_hand_is_replaced_by_what_the_gate_objects_to(pipeline: Run) -> None:
    pipeline("compare")
    pipeline("judge")
    write_json(REPORTS / report.VERDICT, read_json(REPORTS / report.VERDICT) | {"models": []})
    code, _, err = pipeline("gate")
    assert (code, status()) == (3, "ERROR")
    assert "somebody edited it" in err
    assert b"somebody edited it" in (REPORTS / "report.html").read_bytes()


@pytest.mark.parametrize("content", [b"", b'{"schema_version": "1.0", "status"', b"[]"])
def test_a_verdict_that_is_damaged_is_named_where_it_lies_with_what_to_do(pipeline: Run, content: bytes) -> None:
    pipeline("compare"), pipeline("judge")
    (REPORTS / report.VERDICT).write_bytes(content)
    code, _, err = pipeline("gate")
    assert code == 3
    assert f"cannot be read ({REPORTS / report.VERDICT}" in err
    assert "run `dvc repro judge`, or `reloadgate judge` without DVC" in err
    assert "scratch" not in err


@pytest.mark.parametrize("verb", ["judge", "gate"])
def test_a_stage_without_the_one_before_it_ends_with_3_and_leaves_error(pipeline: Run, verb: str) -> None:
    code, _, err = pipeline(verb)
    assert (code, status()) == (3, "ERROR")
    assert "run `" in err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (RuntimeError("surprise"), 3, "ERROR: the checking itself broke"),
        (KeyboardInterrupt(), 130, ""),
        (MemoryError(), 3, "ERROR: the checking itself broke"),
    ],
)
@pytest.mark.parametrize("verb", ["reload", "compare", "gate"])
def test_a_verb_that_breaks_leaves_error_in_place_of_an_earlier_pass(
    pipeline: Run, monkeypatch: pytest.MonkeyPatch, verb: str, error: BaseException, code: int, said: str
) -> None:
    for earlier in ("compare", "judge"):
        pipeline(earlier)
    assert status() == "PASS"

    def break_(params: object) -> None:
        raise error

    monkeypatch.setattr(project, "declared", break_)
    found, _, err = pipeline(verb)
    assert (found, status()) == (code, "ERROR")
    assert said in err


@pytest.mark.parametrize("verb", ["verify", "drill"])
@pytest.mark.parametrize("reports", ["a-file", "a-file/below", "/dev/null/below", "/proc/below"])
def test_a_folder_that_takes_no_reports_is_named_and_nothing_is_said_of_reports(run: Run, verb: str, reports: str) -> None:
    Path("params.yaml").write_text(PARAMS)
    Path("a-file").touch()
    code, _, err = run(verb, "digits", "--reports", reports)
    assert (code, Path("a-file").read_bytes()) == (3, b"")
    assert f"no reports can be written to {reports} (" in err
    assert "Traceback" not in err
    assert "reports say" not in err


@pytest.mark.parametrize("error", [RuntimeError("surprise"), KeyboardInterrupt()])
def test_of_reports_that_no_command_began_nothing_is_said(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def break_(*_: object, **__: object) -> None:
        raise error

    Path("params.yaml").write_text(PARAMS)
    Path("model.keras").touch()
    monkeypatch.setattr(project, "declared", break_)
    monkeypatch.setattr(verifying, "verify_all", break_)
    assert "; the reports say" in run("compare")[2]
    assert "; the reports say" in run("verify")[2]
    code, _, err = run("verify", "model.keras")
    assert code in (3, 130)
    assert "the reports" not in err


def test_an_interrupt_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(params: object) -> None:
        raise KeyboardInterrupt

    Path("params.yaml").write_text(PARAMS)
    monkeypatch.setattr(project, "declared", interrupt)
    code, _, err = run("compare")
    assert code == 130
    assert "interrupted" in err


@pytest.mark.parametrize("arguments", [("--policy", "flip=1"), ()])
def test_a_verify_that_breaks_leaves_error_in_place_of_an_earlier_pass(pipeline: Run, arguments: tuple[str, ...]) -> None:
    write_json(REPORTS / "verify" / report.VERDICT, {"status": "PASS"})
    (RECORDS / "digits.json").write_text("garbage")
    assert pipeline("verify", *arguments)[0] in (2, 3)
    assert status(REPORTS / "verify") == "ERROR"


# Verify, without TensorFlow


class Killed:
    """An engine in which every child is killed."""

    jobs: ClassVar[list[Job]] = []

    def __init__(self, hash_seeds: object) -> None:
        self.jobs.clear()

    def __enter__(self) -> "Killed":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def run(self, jobs: Iterable[Job], started: Callable[[Job], None]) -> Iterator[End]:
        for job in jobs:
            started(job)
            self.jobs.append(job)
            Path(job.out).mkdir(parents=True, exist_ok=True)
            yield End(job=job, exit_code=-9, seconds=0.1)


def test_a_reload_that_was_killed_is_a_model_that_does_not_load(pipeline: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "engine_for", lambda settings: Killed)
    code, out, _ = pipeline("verify")
    assert code == 1
    assert "the reloading process broke: it was killed by signal 9" in " ".join(out.split())
    assert status(REPORTS / "verify") == "FAIL"
    assert not (REPORTS / report.VERDICT).exists()


@pytest.mark.parametrize("verb", ["verify", "reload"])
def test_what_an_artifact_may_be_is_read_where_the_policy_is_and_mistyped_it_ends_with_2(
    pipeline: Run, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    for place in (verifying, engine):
        monkeypatch.setattr(place, "engine_for", lambda settings: Killed)
    Path("params.yaml").write_text(f"{PARAMS}\ninspect: {{layers: 7}}\n")
    pipeline(verb)
    assert {job.inspecting.layers for job in Killed.jobs} == {7}
    Path("params.yaml").write_text(f"{PARAMS}\ninspect: {{fiel: 7}}\n")
    code, _, err = pipeline(verb)
    assert (code, "params.yaml: inspect: there is no setting fiel; did you mean file?" in err) == (2, True)


def test_versions_of_one_name_are_reloaded_into_folders_of_their_own(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "engine_for", lambda settings: Killed)
    versions = [build(Path(place)).subject.path for place in ("here", "there")]
    run("verify", *versions)
    assert len({job.version for job in Killed.jobs}) == 2
    assert len({job.out for job in Killed.jobs}) == 2


def test_folders_of_models_are_called_by_their_names_and_lie_in_one(tmp_path: Path) -> None:
    names = ["digits", "my-model", "v1.0_b", "a/b", "a_b", "a:b", ".", "..", "/", "../.."]
    made = [project.file_name_of(name) for name in names]
    assert made[:3] == names[:3]
    assert len(set(made)) == len(names)
    assert {(tmp_path / one).resolve().parent for one in made} == {tmp_path}, "none leads out of it"


# As data


def test_json_is_one_document_and_nothing_else(pipeline: Run) -> None:
    for verb in ("compare", "judge"):
        pipeline(verb)
    code, out, err = pipeline("gate", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == read_json(REPORTS / report.VERDICT)


def test_json_says_what_the_exit_code_says(pipeline: Run) -> None:
    for verb in ("compare", "judge"):
        pipeline(verb)
    (Path("models/digits/1.0.0") / "stray.txt").touch()
    code, out, _ = pipeline("gate", "--json")
    assert code == 3
    assert json.loads(out)["status"] == "UNVERIFIED"


def test_against_is_of_what_lies_here_and_of_a_revision_that_there_is(run: Run) -> None:
    code, _, said = run("verify", "--against", "v1", "--rev", "v2")
    assert (code, "--against compares what lies here" in said) == (2, True)
    Path("params.yaml").write_text(PARAMS)
    code, _, said = run("verify", "--against", "v1")
    assert (code, "git knows no revision 'v1'" in said) == (2, True)


def test_a_gate_that_opens_where_git_kept_no_pages_writes_them(pipeline: Run) -> None:
    for verb in ("compare", "judge"):
        pipeline(verb)
    before = {name: (REPORTS / name).read_bytes() for name in (report.VERDICT, report.METRICS, *report.PAGES)}
    for name in report.PAGES:
        (REPORTS / name).unlink()
    assert pipeline("gate")[0] == 0
    assert {name: (REPORTS / name).read_bytes() for name in before} == before, "and none of them says ERROR"


def test_a_gate_writes_pages_anew_that_are_of_another_verdict(pipeline: Run) -> None:
    pages = {}
    for policy in ((), ("--policy", "random_state=ignored")):
        pipeline("compare")
        pipeline("judge", *policy)
        pages[policy] = {name: (REPORTS / name).read_bytes() for name in report.PAGES}
    pipeline("judge")
    for name, content in pages[policy].items():
        (REPORTS / name).write_bytes(content)
    assert pipeline("gate")[0] == 0
    assert {name: (REPORTS / name).read_bytes() for name in report.PAGES} == pages[()]
