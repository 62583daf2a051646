"""The check that a user writes by hand: load, predict, compare weights, optimizer and predictions with saved arrays.

`python by_hand.py save VERSION…` writes the arrays beside `model.keras`; `python by_hand.py check VERSION` ends 0 when all agree.
"""

import sys
from pathlib import Path

import keras
import numpy as np


def arrays(version: Path) -> dict[str, np.ndarray]:
    model = keras.models.load_model(version / "model.keras")
    with np.load(version / "evidence/probe.npz") as probe:
        inputs = probe["leaf000"]
    found = {f"weight{n}": np.asarray(v.numpy()) for n, v in enumerate(model.variables) if "seed" not in v.path}
    found |= {f"slot{n}": np.asarray(v.numpy()) for n, v in enumerate(model.optimizer.variables)}
    return found | {"predictions": model.predict(inputs, verbose=0)}


def main(verb: str, *versions: str) -> None:
    for version in map(Path, versions):
        found, path = arrays(version), version.parent / "by_hand.npz"
        if verb == "save":
            np.savez(path, **found)  # type: ignore[arg-type]
            continue
        with np.load(path) as saved:
            assert set(saved.files) == set(found)
            for name in saved.files:
                np.testing.assert_array_equal(saved[name], found[name], err_msg=name)


if __name__ == "__main__":
    main(*sys.argv[1:])
