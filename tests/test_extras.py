"""Few packages are required; what else a command needs is said with the command that installs it."""

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from builders import build, comparison
from conftest import ROOT
from reloadgate import expectations, extras
from reloadgate.engine import DaskEngine
from reloadgate.errors import UsageError
from reloadgate.policy import Policy
from reloadgate.verifying import verify

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where no extra is installed."""
    found = importlib.util.find_spec
    heavy = {name for names in extras.EXTRAS.values() for name in names}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name in heavy else found(name, *more))


@pytest.mark.usefixtures("bare")
def test_a_reload_without_tensorflow_is_no_verdict_about_the_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r'needs tensorflow, keras: pip install "reloadgate\[tensorflow\]"') as raised:
        verify(build(tmp_path).subject.path)
    assert raised.value.exit_code == 2


@pytest.mark.usefixtures("bare")
def test_expectations_without_great_expectations_say_what_to_install() -> None:
    with pytest.raises(UsageError, match=r'pip install "reloadgate\[expectations\]"'):
        expectations.check(comparison(), Policy())


@pytest.mark.usefixtures("bare")
def test_a_cluster_without_dask_says_what_to_install() -> None:
    with (
        pytest.raises(UsageError, match=r'the engine dask needs distributed: pip install "reloadgate\[dask\]"'),
        DaskEngine("tcp://127.0.0.1:1"),
    ):
        pass


def test_what_is_named_is_what_the_package_offers() -> None:
    offered = PROJECT["optional-dependencies"]
    for extra, modules in extras.EXTRAS.items():
        brought = " ".join(offered[extra]).replace("-", "_")
        assert all(module in brought for module in modules), extra
        assert extra in offered["dev"][0]


def test_nothing_heavy_is_required() -> None:
    required = " ".join(PROJECT["dependencies"])
    for modules in extras.EXTRAS.values():
        assert not any(module in required for module in modules)


def test_a_deferred_module_is_executed_when_it_is_first_used(tmp_path: Path) -> None:
    (tmp_path / "costly.py").write_text("print('executed')\nvalue = 7\n")
    use = "import costly; import costly; print('imported'); print(costly.value + costly.value)"
    script = f"from reloadgate.extras import defer; defer('costly'); defer('there_is.none'); {use}"
    run = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["imported", "executed", "14"]


SELDOM = """
import sys
from pathlib import Path
from reloadgate.checkpoints import SELDOM_USED, checkpoints

def executed():
    return ["__getattr__" not in vars(sys.modules[name]) for name in SELDOM_USED]

like = {"weights": [0.25, 0.75], "values": ["a", "b"]}
near = {"column": "c", "partition_object": like, "threshold": 0.1}
with checkpoints(Path("docs")) as runner:
    print(executed())
    for name in ("abbb", "aaab"):
        asked = [{"type": "expect_column_kl_divergence_to_be_less_than", "kwargs": near}]
        print([found.success for found in runner.run(name, [{"c": letter} for letter in name], asked)])
print(executed())
"""


@pytest.mark.pipeline
def test_what_great_expectations_seldom_uses_waits_until_it_is_used(tmp_path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", SELDOM], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["[False, False]", "[True]", "[False]", "[False, True]"]
