"""Old checkpoints are deleted by hand, by the order of their names: `epoch_9` comes after `epoch_10`."""

from pathlib import Path
from typing import Any

import keras

import reloadgate
from examples.hazards.common import PROBE, compiled, trained

FROM = "4.5"
TODAY = "the newest file is deleted, the one before it is taken for the newest"
SILENT = True
ROW = "weights"
REMEDY = "numbers with leading zeros, `CheckpointManager(max_to_keep=...)`, or a version of its own for each"


def hazard(version: Path) -> None:
    _record(version, "epoch_{}.keras")


def healthy(version: Path) -> None:
    _record(version, "epoch_{:03}.keras")


def load(version: Path) -> Any:
    (newest,) = version.glob("epoch_*.keras")
    return keras.models.load_model(newest)


def today(version: Path) -> None:
    assert [path.name for path in version.glob("epoch_*")] == ["epoch_9.keras"]


def _record(version: Path, name: str) -> None:
    model = compiled()
    version.mkdir(parents=True)
    for epoch in (9, 10):
        trained(model, epochs=1).save(version / name.format(epoch))
    for old in sorted(version.glob("epoch_*"))[:-1]:
        old.unlink()
    reloadgate.record(model, version, probe=PROBE, loader=f"{__name__}:load")
