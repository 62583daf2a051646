"""The newest checkpoint is looked for where none is."""

from pathlib import Path
from typing import Any

import tensorflow as tf

import reloadgate
from examples.hazards.common import PROBE, compiled, trained

FROM = "4.2, 4.4"
TODAY = "`latest_checkpoint` takes a directory and gives None for a prefix; `restore(None)` does nothing, and says nothing"
SILENT = True
ROW = "weights"
REMEDY = "`CheckpointManager(...).restore_or_initialize()`, and a look at what it returns"


def hazard(version: Path) -> None:
    _record(version, "load")


def healthy(version: Path) -> None:
    _record(version, "load_newest")


def load(version: Path) -> Any:
    """The placeholder `{epoch}` was never filled either: the file is called so."""
    model = _built()
    tf.train.Checkpoint(model=model).restore(tf.train.latest_checkpoint(version / "state-{epoch}")).expect_partial()
    return model


def load_newest(version: Path) -> Any:
    model = _built()
    tf.train.Checkpoint(model=model).restore(tf.train.latest_checkpoint(version)).assert_consumed()
    return model


def today(version: Path) -> None:
    assert (version / "state-{epoch}-1.index").exists()
    assert tf.train.latest_checkpoint(version / "state-{epoch}") is None
    assert int(load(version).optimizer.iterations) == 0


def _built() -> Any:
    model = compiled()
    model.optimizer.build(model.trainable_variables)
    return model


def _record(version: Path, loader: str) -> None:
    model = trained(compiled())
    version.mkdir(parents=True)
    tf.train.Checkpoint(model=model).save(str(version / "state-{epoch}"))
    reloadgate.record(model, version, probe=PROBE, loader=f"{__name__}:{loader}")
