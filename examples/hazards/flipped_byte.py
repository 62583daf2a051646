"""One byte of a weights file is another."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

import reloadgate
from examples.hazards.common import PROBE, compiled, trained

FROM = "4.6"
TODAY = "`.weights.h5` has no checksum: it loads, and one weight is another"
SILENT = True
ROW = "integrity"
REMEDY = "`dvc checkout --force` brings the recorded bytes back"


def hazard(version: Path) -> None:
    healthy(version)
    with h5py.File(version / "model.weights.h5", "r") as file:
        at = file["layers/dense/vars/0"].id.get_offset()
    damaged = bytearray((version / "model.weights.h5").read_bytes())
    damaged[at + 2] ^= 64
    (version / "model.weights.h5").write_bytes(damaged)


def healthy(version: Path) -> None:
    model = trained(compiled())
    version.mkdir(parents=True)
    model.save_weights(version / "model.weights.h5")
    np.save(version / "kernel.npy", model.get_weights()[0])
    reloadgate.record(model, version, probe=PROBE, loader=f"{__name__}:load")


def load(version: Path) -> Any:
    model = compiled()
    model.optimizer.build(model.trainable_variables)
    model.load_weights(version / "model.weights.h5")
    return model


def today(version: Path) -> None:
    assert np.count_nonzero(load(version).get_weights()[0] != np.load(version / "kernel.npy")) == 1
