"""The section `engine` of params.yaml, read strictly; what a child is expected to take."""

from typing import Any

import pytest

from builders import ARTIFACT
from reloadgate.engine import EngineSettings, Job, Limits
from reloadgate.engine.jobs import EngineKind
from reloadgate.errors import UsageError
from reloadgate.settings import strictly


def test_what_is_left_out_has_its_default() -> None:
    assert strictly(EngineSettings, {}, "engine") == EngineSettings()
    set_ = strictly(EngineSettings, {"children": 3, "limits": {"wall_seconds": 30}}, "engine")
    assert set_ == EngineSettings(children=3, limits=Limits(wall_seconds=30.0))


def test_a_cluster_is_named_by_its_scheduler() -> None:
    set_ = strictly(EngineSettings, {"kind": "dask", "scheduler": "tcp://10.0.0.1:8786"}, "engine")
    assert (set_.kind, set_.scheduler) == (EngineKind.DASK, "tcp://10.0.0.1:8786")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"childs": 2}, "there is no setting childs; did you mean children?"),
        ({"limits": {"wall_second": 2}}, "there is no setting limits.wall_second; did you mean wall_seconds?"),
        ({"children": 0}, "at least 1 must run"),
        ({"children": "two"}, "engine: children"),
        ({"limits": {"wall_seconds": 0}}, "a finite number above 0"),
        ({"limits": {"memory_mib": -1}}, "a finite number above 0"),
        ({"kind": "ray"}, "engine: kind"),
        ({"kind": "dask"}, "needs the address of its scheduler"),
        ({"scheduler": "tcp://10.0.0.1:8786"}, "kind: local has none"),
    ],
)
def test_what_is_mistyped_is_refused_with_what_was_meant(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        strictly(EngineSettings, settings, "engine")
    assert str(refused.value).startswith("engine: ")
    assert said in str(refused.value)


def test_a_larger_model_is_expected_to_take_more() -> None:
    small, large = (Job(version="/v", artifact=ARTIFACT, out="/o", size=size).memory for size in (0, 1 << 30))
    assert large - small >= 2 << 30
    assert small > 0
