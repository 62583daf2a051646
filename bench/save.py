"""`save` of a ResNet50 with Adam, resumed steps off, against `model.save` and one `predict`.

Both as at the end of a training, before which nothing was predicted: the first `predict` traces the model.
"""

import tempfile
import uuid
from pathlib import Path

from bench.measure import by_turns, tell


def main() -> None:
    import keras
    import numpy as np

    import reloadgate

    model = keras.applications.ResNet50(weights=None, classes=10)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    x, y = np.random.default_rng(0).random((2, 224, 224, 3), np.float32), np.array([1, 2])
    model.train_on_batch(x, y)
    with tempfile.TemporaryDirectory() as folder:

        def ours() -> None:
            reloadgate.save(model, Path(folder) / uuid.uuid4().hex / "1", probe=(x, y), steps=0, location="any")

        def bare() -> None:
            model.save(Path(folder) / f"{uuid.uuid4().hex}.keras")
            model.make_predict_function(force=True)
            model.predict(x, verbose=0)

        one, other = by_turns(ours, bare)
    tell("save of a ResNet50 + Adam / model.save + predict", one / other, "≤ 1.3", f"{one:.1f} s / {other:.1f} s")


if __name__ == "__main__":
    main()
