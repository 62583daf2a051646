"""A model is saved into a temporary directory."""

import tempfile
from pathlib import Path

import reloadgate
from examples.hazards.common import PROBE, compiled, same_predictions, trained

FROM = "0.1, 0.4"
TODAY = "TensorFlow does not warn, whatever is said of it; the next cleaning or restart takes the model away"
SILENT = True
ROW = "location"
REMEDY = "save below the project; `reloadgate.save` refuses such a place, also behind a link"


def hazard(version: Path) -> None:
    model = trained(compiled())
    temporary = Path(tempfile.mkdtemp()) / "1.0.0"
    reloadgate.save(model, temporary, probe=PROBE, location="any")  # without `location` this is refused
    version.parent.mkdir(parents=True, exist_ok=True)
    version.symlink_to(temporary)


def healthy(version: Path) -> None:
    reloadgate.save(trained(compiled()), version, probe=PROBE)


def today(version: Path) -> None:
    import keras

    again = keras.models.load_model(version / "model.keras")
    assert same_predictions(again, trained(again, epochs=0)), "while it is there, it loads, and nobody says a word"
