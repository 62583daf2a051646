"""`reloadgate inspect`: 0 accepted, 1 refused, 2 usage."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import artifacts
import pytest

from reloadgate import cli

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    config = artifacts.config()
    config["config"]["layers"][1].update(module="acme", class_name="Scale", registered_name="acme>Scale")
    weights = {
        name.replace("dense/", "scale/").replace("dense_1/", "dense/"): value for name, value in artifacts.arrays().items()
    }
    custom = artifacts.members(config=json.dumps(config), weights=artifacts.hdf5(weights))
    Path("good.keras").write_bytes(artifacts.archive(artifacts.members()))
    Path("custom.keras").write_bytes(artifacts.archive(custom))
    artifacts.write_checkpoint(Path("ck"))

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["reloadgate", "inspect", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return command


def test_what_is_accepted_is_told_in_a_line(run: Run) -> None:
    code, said, _ = run("good.keras", "ck", "ck/ckpt-1")
    assert code == 0
    first, *others = said.splitlines()
    assert first.startswith("ACCEPTED good.keras: keras archive, ")
    assert first.endswith("3 layers, 14 arrays, Adam with 10 variables, keras 3.15.1")
    assert [line.split(":")[0] for line in others] == ["ACCEPTED ck", "ACCEPTED ck/ckpt-1"]


def test_what_is_refused_says_where_why_and_what_to_do(run: Run) -> None:
    code, said, _ = run("custom.keras", "good.keras")
    assert code == 1
    lines = said.splitlines()
    assert lines[0].startswith("REFUSED custom.keras · config.json.config.layers[1]: the class acme>Scale")
    assert "--declare" in lines[1]
    assert lines[-1].startswith("ACCEPTED good.keras")


def test_custom_classes_can_be_declared(run: Run) -> None:
    assert run("custom.keras", "--declare", "acme>Scale")[0] == 0
    assert run("custom.keras", "--declare", "acme:Scale")[0] == 0
    assert run("custom.keras", "--declare", "acme>Other")[0] == 1


def test_json_is_one_document(run: Run) -> None:
    code, said, _ = run("custom.keras", "good.keras", "--json")
    custom, good = json.loads(said)
    assert (code, custom["refused"], good["refused"]) == (1, True, False)
    assert custom["findings"][0]["code"] == "undeclared-class"
    assert good["variables"][0] == {"path": "layers/dense/vars/0", "shape": [4, 3], "dtype": "float32"}


def test_limits_are_the_users(run: Run) -> None:
    Path("params.yaml").write_text("inspect: {layers: 1}\n")
    assert run("good.keras")[0] == 1
    Path("params.yaml").write_text("inspect: {layer: 1}\n")
    code, _, said = run("good.keras")
    assert (code, "did you mean layers?" in said) == (2, True)
    Path("params.yaml").write_text("inspect: 5\n")
    assert run("good.keras")[0] == 2


def test_a_path_that_is_not_there_is_usage(run: Run) -> None:
    assert run("none.keras")[0] == 2
    assert run()[0] == 2
