"""`init` in repositories of several shapes: what was there stays, nothing is changed twice, and undoing leaves every byte."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from reloadgate import adoption, insertion
from reloadgate.errors import UsageError
from reloadgate.policy import policy_from, read_yaml
from reloadgate.project import declared

GET_STARTED = """\
# the pipeline of the course
stages:
  prepare:
    cmd: python src/prepare.py data/data.xml   # splits
    deps:
    - data/data.xml
    outs:
    - data/prepared
  train:
    cmd: >-
      python src/train.py data/features
      model.pkl
    deps:
    - data/features
    params:
    - train.min_split

    outs:
    - model.pkl
    # the last comment of train

# what `dvc plots` shows
plots:
- ROC: {x: fpr}
"""
PARAMS = "prepare:\n  split: 0.20   # as in the paper\n  seed: 20170428\n\ntrain: {min_split: 0.01}\n"
TRAIN = "stages:\n  train:\n    cmd: x\n"

Shape = dict[str, str]
SHAPES: dict[str, Shape] = {
    "get started": {"dvc.yaml": GET_STARTED, "params.yaml": PARAMS, "requirements.txt": "keras\n", ".gitignore": "/model.pkl\n"},
    "no newline at the end": {
        "dvc.yaml": "stages:\n  train:\n    cmd: python train.py",
        "params.yaml": "a: 1",
        "Makefile": "all:\n\techo",
    },
    "deep indentation": {
        "dvc.yaml": "stages:\n    train_model:\n        cmd: x\n        outs:\n            - a\n            - b: {cache: false}\n"
    },
    "foreach over params": {
        "dvc.yaml": "stages:\n  train:\n    foreach: ${models}\n"
        "    do:\n      cmd: train ${key}\n      outs:\n      - out/${key}\n",
        "params.yaml": "models:\n  churn: {version: 2.1.0}\n  fraud: {version: 1.0.0}\n",
    },
    "foreach over names": {"dvc.yaml": "stages:\n  train:\n    foreach: [a, b]\n    do:\n      cmd: train ${item}\n"},
    "matrix": {
        "dvc.yaml": (
            "stages:\n  train:\n    matrix:\n      kind: [cnn, mlp]\n      data: ${sets}\n"
            "    cmd: train ${item.kind} ${item.data}\n"
        ),
        "params.yaml": "sets: [x, y]\n",
    },
    "names under vars, in a folder": {
        "dvc.yaml": (
            "vars:\n- cfg.yaml:names,folder\nstages:\n  train:\n    foreach: ${names}\n"
            "    do:\n      wdir: ${folder}/train\n      cmd: train ${item}\n"
        ),
        "cfg.yaml": "names: [a, b]\nfolder: src\n",
        "src/train/train.py": "",
    },
    "several pipelines": {
        "features/dvc.yaml": "stages:\n  build:\n    cmd: x\n",
        "training/dvc.yaml": "stages:\n  train:\n    cmd: x\n    outs:\n      - y\n",
    },
    "a Makefile alone": {"Makefile": "train:\n\tpython train.py\n.PHONY: train\n"},
    "github": {"dvc.yaml": "stages: {}\n".replace(" {}", "\n  a:\n    cmd: x"), ".github/workflows/test.yml": "on: push\n"},
    "gitlab": {"dvc.yaml": "stages:\n  a:\n    cmd: x\n", ".gitlab-ci.yml": "test:\n  script: [pytest]\n"},
    "an empty DVC repository": {".dvc/config": ""},
    "lists in one line": {"dvc.yaml": "stages:\n  train:\n    cmd: x\n    outs: [a, b]\n"},
    "empty files": {"dvc.yaml": TRAIN, "params.yaml": "", ".gitignore": "", ".dvcignore": "", ".github/CODEOWNERS": ""},
    "carriage returns": {"dvc.yaml": "stages:\r\n  train:\r\n    cmd: x\r\n"},
    "adopted by hand": {
        "dvc.yaml": "stages:\n  reload:\n    cmd:\n      - date\n      - python -m reloadgate reload --fresh\n",
        "Makefile": "test verify: lint\n\tpytest\n\n\tuv run \\\n  reloadgate verify\nlint:\n\truff check\n",
        "params.yaml": "models: {a: {version: 1}}\npolicy: {flips: 1}\n",
    },
}


@pytest.fixture(params=SHAPES)
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return lay(tmp_path / "churn", SHAPES[request.param])


def lay(root: Path, shape: Shape) -> Path:
    (root / ".git").mkdir(parents=True)
    for name, text in shape.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text.encode())
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def adopted(root: Path) -> adoption.Plan:
    plan = adoption.adopt(root)
    plan.apply(root)
    return plan


def test_what_was_there_is_there_line_by_line(repository: Path) -> None:
    before = contents(repository)
    adopted(repository)
    after = contents(repository)
    assert after != before
    for name, text in before.items():
        kept = iter(after[name].decode().splitlines())
        assert all(line in kept for line in text.decode().splitlines()), "every line, in its order"


def test_nothing_is_changed_twice(repository: Path) -> None:
    adopted(repository)
    before = contents(repository)
    plan = adopted(repository)
    assert (plan.changes, plan.difference()) == ({}, "")
    assert contents(repository) == before


def test_undoing_leaves_every_byte_as_it_was(repository: Path) -> None:
    before = contents(repository)
    adopted(repository)
    adoption.undo(repository).apply(repository)
    assert contents(repository) == before
    assert adoption.undo(repository).changes == {}


def test_undoing_what_was_never_done_changes_nothing(repository: Path) -> None:
    assert adoption.undo(repository).changes == {}


def test_what_lies_behind_a_link_is_written_there(tmp_path: Path) -> None:
    shape = SHAPES["get started"] | {"Makefile": "all:\n\techo\n"}
    root, shared = lay(tmp_path / "churn", {}), lay(tmp_path / "shared", shape)
    for name in shape:
        (root / name).symlink_to(Path("../shared") / name)
    (root / ".dvcignore").symlink_to("nowhere")
    before, links = contents(shared), {*shape, ".dvcignore"}
    adopted(root)
    assert {path.name for path in root.iterdir() if path.is_symlink()} == links
    assert "reload:" in (shared / "dvc.yaml").read_text()
    adoption.undo(root).apply(root)
    assert {path.name for path in root.iterdir() if path.is_symlink()} == links
    assert (contents(shared), (root / "nowhere").exists()) == (before, False)


def test_what_is_shown_is_what_is_written(tmp_path: Path) -> None:
    root = lay(tmp_path / "churn", SHAPES["get started"] | SHAPES["github"] | {"dvc.yaml": GET_STARTED})
    shown = adoption.adopt(root).difference()
    copy = lay(tmp_path / "copy", {name: text.decode() for name, text in contents(root).items()})
    adopted(root)
    subprocess.run(["git", "apply", "-"], cwd=copy, input=shown, text=True, check=True)
    assert contents(copy) == contents(root)


def test_the_settings_are_ones_that_reloadgate_reads(repository: Path) -> None:
    plan = adopted(repository)
    params = read_yaml(repository / "params.yaml")
    assert {subject.name for subject in declared(params)} >= set(plan.models)
    policy_from(params["policy"])


@pytest.mark.parametrize(
    ("shape", "models", "outputs"),
    [
        ("get started", ("churn",), ["models/churn/${models.churn.version}", "reports/versions/churn.json"]),
        ("foreach over params", ("churn", "fraud"), ["models/${key}/${item.version}", "reports/versions/${key}.json"]),
        ("foreach over names", ("a", "b"), ["models/${item}/1.0.0", "reports/versions/${item}.json"]),
        (
            "matrix",
            ("cnn-x", "cnn-y", "mlp-x", "mlp-y"),
            ["models/${item.kind}-${item.data}/1.0.0", "reports/versions/${item.kind}-${item.data}.json"],
        ),
        (
            "names under vars, in a folder",
            ("a", "b"),
            ["../../models/${item}/1.0.0", "../../reports/versions/${item}.json"],
        ),
    ],
)
def test_the_stage_that_trains_declares_what_it_will_save(
    tmp_path: Path, shape: str, models: tuple[str, ...], outputs: list[str]
) -> None:
    root = lay(tmp_path / "churn", SHAPES[shape])
    plan = adopted(root)
    stage = YAML().load(root / "dvc.yaml")["stages"]["train"]
    added = (stage.get("do") or stage)["outs"][-2:]
    assert [next(iter(one)) if isinstance(one, dict) else one for one in added] == outputs
    assert plan.models == models


def test_a_pipeline_in_a_folder_writes_to_the_root(tmp_path: Path) -> None:
    root = lay(tmp_path / "churn", SHAPES["several pipelines"])
    assert adopted(root).stage == "training/dvc.yaml:train"
    outs = YAML().load(root / "training/dvc.yaml")["stages"]["train"]["outs"]
    assert outs[1] == "../models/churn/1.0.0"
    assert "reload" in YAML().load(root / "dvc.yaml")["stages"]
    said = adoption.next_step(adoption.adopt(root))
    assert 'reloadgate.save(model, "../models/churn/1.0.0", ' in said, "the script runs in the folder"
    assert 'records="../reports/versions")' in said


def test_a_list_in_one_line_is_left_to_its_owner(tmp_path: Path) -> None:
    root = lay(tmp_path / "churn", SHAPES["lists in one line"])
    plan = adopted(root)
    assert "outs: [a, b]" in (root / "dvc.yaml").read_text()
    assert "stages.train.outs is written in one line" in adoption.next_step(plan)
    assert "- models/churn/${models.churn.version}" in adoption.next_step(plan)


@pytest.mark.parametrize(
    ("settings", "parameters"),
    [
        ("", ["policy.own_loader"]),
        ("policy:\n  flips: 1\n", None),
        ("policy:\n", None),
        ("policy: {own_loader: strict}\ninspect: {file: 1000}\n", ["policy.own_loader", "inspect"]),
        ("policy: {}\ninspect: {file: 1000}\n", ["inspect"]),
    ],
)
def test_the_reload_depends_on_the_parameters_that_are_there(tmp_path: Path, settings: str, parameters: list[str] | None) -> None:
    root = lay(tmp_path / "churn", SHAPES["get started"])
    (root / "params.yaml").write_text((root / "params.yaml").read_text() + settings)
    adopted(root)
    assert YAML().load(root / "dvc.yaml")["stages"]["reload"].get("params") == parameters
    policy = read_yaml(root / "params.yaml")["policy"] or {}
    assert ("own_loader" in policy) == ("policy.own_loader" in (parameters or ()))


def test_a_stage_that_runs_the_command_is_not_replaced(tmp_path: Path) -> None:
    root = lay(tmp_path / "churn", SHAPES["adopted by hand"])
    adopted(root)
    stages = YAML().load(root / "dvc.yaml")["stages"]
    assert stages["reload"]["cmd"] == ["date", "python -m reloadgate reload --fresh"]
    assert list(stages) == ["reload", "compare", "judge", "gate"]
    assert read_yaml(root / "params.yaml")["policy"] == {"flips": 1}


@pytest.mark.parametrize(
    ("shape", "path", "depth"),
    [
        ("github", ".github/workflows/reloadgate.yml", "'fetch-depth': 0"),
        ("gitlab", ".gitlab-ci.yml", "'GIT_DEPTH': 0"),
    ],
)
def test_ci_is_that_of_the_service_whose_files_are_there(tmp_path: Path, shape: str, path: str, depth: str) -> None:
    root = lay(tmp_path / "churn", SHAPES[shape])
    adopted(root)
    job = YAML().load(root / path)
    assert "dvc pull && dvc repro --pull --allow-missing gate" in str(job)
    assert depth in str(job), "history and --against read earlier commits"
    others = {".github/workflows/reloadgate.yml", ".gitlab-ci.yml"} - {path}
    assert not any((root / other).exists() for other in others)


@pytest.mark.parametrize(
    ("files", "installs"),
    [
        (("requirements.txt", "pyproject.toml"), 'pip install -r requirements.txt "reloadgate[dvc]"'),
        (("pyproject.toml",), 'pip install . "reloadgate[dvc]"'),
        (("setup.py",), 'pip install . "reloadgate[dvc]"'),
        ((), 'pip install "reloadgate[dvc]"'),
    ],
)
@pytest.mark.parametrize(("shape", "path"), [("github", ".github/workflows/reloadgate.yml"), ("gitlab", ".gitlab-ci.yml")])
def test_ci_installs_what_the_project_names(tmp_path: Path, shape: str, path: str, files: tuple[str, ...], installs: str) -> None:
    root = lay(tmp_path / "churn", SHAPES[shape])
    for name in ("requirements.txt", "pyproject.toml", "setup.py"):
        (root / name).unlink(missing_ok=True)
        if name in files:
            (root / name).touch()
    adopted(root)
    assert f"'{installs}'" in str(YAML().load(root / path))
    assert ("# and what the project needs" in (root / path).read_text()) is (not files)


def test_a_makefile_alone_gets_targets_and_no_pipeline(tmp_path: Path) -> None:
    root = lay(tmp_path / "churn", SHAPES["a Makefile alone"])
    adopted(root)
    assert not (root / "dvc.yaml").exists()
    assert planned(root) == "reloadgate verify\nreloadgate drill\n"
    said = adoption.next_step(adoption.adopt(root))
    assert "No stage that trains" not in said
    assert "Then: train, and `reloadgate verify`" in said


def test_a_target_that_runs_the_command_is_not_replaced(tmp_path: Path) -> None:
    root = lay(tmp_path / "churn", {"Makefile": "verify:\n\techo mine\n\t.venv/bin/reloadgate verify churn\n"})
    adopted(root)
    assert planned(root) == "echo mine\n.venv/bin/reloadgate verify churn\nreloadgate drill\n"


@pytest.mark.parametrize("verb", adoption.STAGES)
def test_a_stage_that_does_something_else_is_no_stage_of_reloadgate(tmp_path: Path, verb: str) -> None:
    root = lay(tmp_path / "churn", {"dvc.yaml": f"stages:\n  {verb}:\n    cmd: reloadgate inspect x && echo {verb}\n"})
    with pytest.raises(UsageError, match=f"dvc.yaml has a stage `{verb}` of its own, which does not run `reloadgate {verb}`"):
        adoption.adopt(root)


@pytest.mark.parametrize("rule", ["verify:\n\techo x\n", "lint verify:: x\n", "verify: ; echo x\n\nx:\n\treloadgate verify\n"])
def test_a_target_that_does_something_else_is_no_target_of_reloadgate(tmp_path: Path, rule: str) -> None:
    root = lay(tmp_path / "churn", {"Makefile": rule})
    with pytest.raises(UsageError, match="Makefile has a target `verify` of its own, which does not run `reloadgate verify`"):
        adoption.adopt(root)


def test_a_variable_of_the_makefile_is_no_target(tmp_path: Path) -> None:
    root = lay(tmp_path / "churn", {"Makefile": "verify := 1\ndrill ::= 2\n.PHONY: verify\n"})
    adopted(root)
    assert planned(root) == "reloadgate verify\nreloadgate drill\n"


def planned(root: Path) -> str:
    command = ["make", "--no-print-directory", "-n", "verify", "drill"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ({}, "neither a DVC pipeline nor a Makefile"),
        ({"dvc.yaml": "stages: ["}, "dvc.yaml cannot be read as YAML"),
        ({"dvc.yaml": "stages: {a: {cmd: x}}\n"}, "stages is not written as a block"),
        ({"dvc.yaml": "stages:\n  a:\n    cmd: x\n", "params.yaml": "models: [a]\n"}, "rename it"),
        ({"dvc.yaml": "stages:\n  a:\n    cmd: x\n", "params.yaml": "models: {a: 1}\n"}, "models.a has no version"),
        *(
            ({"dvc.yaml": f"stages:\n  train:\n    {models}\n    do: {{cmd: x}}\n"}, "its training stage cannot be told; give it")
            for models in ("foreach: ${nowhere.b}", "foreach: []", "foreach: [{a: 1}]", "matrix: {a: [x], b: '${c}'}")
        ),
        ({"dvc.yaml": "stages:\n  train:\n    foreach: [a/b]\n    do:\n      cmd: x\n"}, "'a/b' cannot be the name of a model"),
        ({"dvc.yaml": f"{TRAIN}    wdir: ${{a.b}}\n"}, r"write its `wdir` without \$\{a.b\}"),
        (
            {"dvc.yaml": f"{TRAIN}    outs:\n    - models\n"},
            r"models/churn/1.0.0 \(of train\) would lie in the output models \(of train\)",
        ),
        (
            {"dvc.yaml": TRAIN + "  b:\n    wdir: reports\n    matrix: {c: [a, churn]}\n    outs: ['versions/${item.c}.json']\n"},
            r"would lie in the output reports/versions/churn.json \(of b\)",
        ),
        (
            {"dvc.yaml": TRAIN, "reports.dvc": "outs:\n- md5: a1.dir\n  path: reports\n"},
            r"would lie in the output reports \(of reports.dvc\)",
        ),
        ({"dvc.yaml": TRAIN, "params.yaml": "policy: strict\n"}, "params.yaml: policy is not a mapping"),
        ({"dvc.yaml": TRAIN, "params.yaml": "policy: {kl: 1}\n"}, "policy: there is no setting kl; .* rename the section"),
        ({"dvc.yaml": TRAIN, "params.yaml": "engine: {fuel: gas}\n"}, "engine: there is no setting fuel"),
        ({"dvc.yaml": TRAIN, "params.yaml": "inspect: [a]\n"}, "params.yaml: inspect is not a mapping"),
    ],
)
def test_what_cannot_be_added_to_is_said_and_nothing_is_written(tmp_path: Path, shape: Shape, said: str) -> None:
    root = lay(tmp_path / "churn", shape)
    before = contents(root)
    with pytest.raises(UsageError, match=said):
        adoption.adopt(root)
    assert contents(root) == before


def test_outputs_beside_those_of_reloadgate_are_no_overlap(tmp_path: Path) -> None:
    """Nor are those of which nobody can tell here what they are."""
    stage = "  {0}:\n    vars: [{{place: {0}}}]\n    cmd: x\n    outs: ['${{place}}', 'models/{0}', models/churn.{0}]\n"
    root = lay(tmp_path / "churn", {"dvc.yaml": "stages:\n" + stage.format("a") + stage.format("b") + "  train:\n    cmd: x\n"})
    assert adopted(root).models == ("churn",)


def test_a_name_with_a_dot_leads_nowhere_in_the_settings(tmp_path: Path) -> None:
    root = lay(tmp_path / "churn", SHAPES["get started"])
    adoption.adopt(root, "churn.v2").apply(root)
    assert "models/churn.v2/1.0.0" in YAML().load(root / "dvc.yaml")["stages"]["train"]["outs"]
    for name in ("a/b", "..", "#a", "2024", "null"):
        with pytest.raises(UsageError, match="cannot be the name of a model"):
            adoption.adopt(root, name)


def test_a_block_whose_end_is_gone_is_not_taken_out_with_all_that_follows() -> None:
    text = insertion.append("a: 1\n", "b: 2").replace(insertion.END, "")
    with pytest.raises(UsageError, match="is missing"):
        insertion.without(text + "c: 3\n")


# The command


def command(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "reloadgate", "init", *arguments], cwd=root, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]}, check=False,
    )  # fmt: skip


def test_the_difference_is_shown_first_and_written_only_when_told(tmp_path: Path) -> None:
    root = lay(tmp_path / "churn", SHAPES["get started"])
    before = contents(root)
    asked = command(root)
    assert (asked.returncode, contents(root)) == (2, before)
    assert "+  gate:" in asked.stdout
    told = command(root, "--yes")
    assert told.returncode == 0, told.stderr
    assert 'reloadgate.save(model, "models/churn/1.0.0"' in told.stdout
    undone = command(root, "--undo", "--yes")
    assert (undone.returncode, contents(root)) == (0, before)


@pytest.mark.pipeline
@pytest.mark.parametrize(
    "shape",
    [
        "get started", "foreach over params", "foreach over names", "matrix", "names under vars, in a folder", "several pipelines"
    ],
)  # fmt: skip
def test_dvc_reads_what_was_written(tmp_path: Path, shape: str) -> None:
    root = lay(tmp_path / "churn", SHAPES[shape] | {".dvc/config": ""})
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    adopted(root)
    shown = subprocess.run([sys.executable, "-m", "dvc", "dag", "--md"], cwd=root, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert "reload" in shown.stdout
    assert re_edges(shown.stdout), "reload waits for training"
    plan = adoption.adopt(root)
    reading = "import sys, dvc.repo; print(*next(iter(dvc.repo.Repo(sys.argv[1]).artifacts.read().values())))"
    listed = subprocess.run(
        [sys.executable, "-c", reading, root],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert listed.stdout.split() == list(plan.models), listed.stderr


def re_edges(diagram: str) -> bool:
    """Whether an edge leads from a stage that trains to the reload."""
    names = dict(line.strip().split("[", 1) for line in diagram.splitlines() if "[" in line)
    edges = [line.strip().split("-->") for line in diagram.splitlines() if "-->" in line]
    return any("train" in names[one] and "reload" in names[other] for one, other in edges)
