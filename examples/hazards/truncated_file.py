"""A file is copied in part, or its writer is killed."""

from pathlib import Path

import keras

import reloadgate
from examples.hazards.common import PROBE, compiled, trained

FROM = "0.2"
TODAY = 'fails only when the model is needed, and says "File not found"'
SILENT = False
ROW = "integrity"
REMEDY = "`dvc checkout --force`; `reloadgate.save` publishes a version whole or not at all"


def hazard(version: Path) -> None:
    artifact = healthy(version) / "model.keras"
    artifact.write_bytes(artifact.read_bytes()[:4000])


def healthy(version: Path) -> Path:
    return reloadgate.save(trained(compiled()), version, probe=PROBE)


def today(version: Path) -> None:
    try:
        keras.models.load_model(version / "model.keras")
    except ValueError as error:
        assert "File not found" in str(error)
    else:
        raise AssertionError("it loads")
