"""Every user of the machine may put another model in this one's place."""

from pathlib import Path

import keras

import reloadgate
from examples.hazards.common import PROBE, compiled, trained

FROM = "0.3"
TODAY = "Keras looks at no permissions"
SILENT = True
ROW = "location"
REMEDY = "`chmod o-w` on the folders that the message names"


def hazard(version: Path) -> None:
    healthy(version).chmod(0o777)


def healthy(version: Path) -> Path:
    return reloadgate.save(trained(compiled()), version, probe=PROBE)


def today(version: Path) -> None:
    assert keras.models.load_model(version / "model.keras").built
