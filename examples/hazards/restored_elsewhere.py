"""A checkpoint is restored into one object, and another one is used."""

from pathlib import Path
from typing import Any

import tensorflow as tf

import reloadgate
from examples.hazards.common import PROBE, compiled, trained

FROM = "4.1"
TODAY = "`assert_consumed` passes, because the object that was restored is whole"
SILENT = True
ROW = "weights"
REMEDY = "make the checkpoint of the model that is returned; compare that model, not the status"


def hazard(version: Path) -> None:
    _record(version, "load")


def healthy(version: Path) -> None:
    _record(version, "load_itself")


def load(version: Path) -> Any:
    old, new = _built(), _built()
    tf.train.Checkpoint(model=old).restore(str(version / "state-1")).assert_consumed()
    return new


def load_itself(version: Path) -> Any:
    new = _built()
    tf.train.Checkpoint(model=new).restore(str(version / "state-1")).assert_consumed()
    return new


def today(version: Path) -> None:
    assert int(load(version).optimizer.iterations) == 0, "nothing was raised, nothing restored"
    assert int(load_itself(version).optimizer.iterations) == 6


def _built() -> Any:
    model = compiled()
    model.optimizer.build(model.trainable_variables)
    return model


def _record(version: Path, loader: str) -> None:
    model = trained(compiled())
    version.mkdir(parents=True)
    tf.train.Checkpoint(model=model).save(str(version / "state"))
    reloadgate.record(model, version, probe=PROBE, loader=f"{__name__}:{loader}")
