"""`reloadgate inspect` of a `.keras` of 283 MB, cold start included, against `sha256sum` of it."""

import subprocess
import tempfile
from pathlib import Path

from bench.measure import by_turns, python, tell


def main() -> None:
    import keras
    import numpy as np

    model = keras.applications.ResNet50(weights=None, classes=10)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    model.train_on_batch(np.zeros((1, 224, 224, 3), np.float32), np.array([1]))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model.keras")
        model.save(path)

        def run(command: list[str]) -> None:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

        one, other = by_turns(lambda: run(python("-m", "reloadgate", "inspect", path)), lambda: run(["sha256sum", path]))
    tell("inspect of a ResNet50 with Adam / sha256sum", one / other, "≤ 3", f"{one:.2f} s / {other:.2f} s")


if __name__ == "__main__":
    main()
