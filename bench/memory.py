"""Peak memory of the child that verifies a ResNet50 with Adam, against a bare load and predict in a process of its own."""

import subprocess
import tempfile
from pathlib import Path

from bench.measure import python, tell

BARE = """
import sys
import keras, numpy as np
model = keras.models.load_model(sys.argv[1])
model.predict(np.zeros((2, 224, 224, 3), "float32"), verbose=0)
print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))
"""

VERIFIED = """
import sys, tempfile
from pathlib import Path
from reloadgate.evidence import EVIDENCE_DIR, read_saved
from reloadgate.live.fresh import reload_artifact
version, out = Path(sys.argv[1]), Path(sys.argv[2])
with tempfile.TemporaryDirectory() as folder:
    artifact = read_saved(version / EVIDENCE_DIR)[0].artifacts[0]
    reload_artifact(version, artifact, out, Path(folder), uncontained="", strict=False, again=True)
print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))
"""


def resnet(version: Path, steps: int) -> None:
    """A version of a ResNet50 that has taken one step with Adam: 283 MB."""
    import keras
    import numpy as np

    import reloadgate

    keras.utils.set_random_seed(0)
    model = keras.applications.ResNet50(weights=None, classes=10)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    x, y = np.random.default_rng(0).random((2, 224, 224, 3), np.float32), np.array([1, 2])
    model.train_on_batch(x, y)
    reloadgate.save(model, version, probe=(x, y), steps=steps, location="any")


def peak(script: str, *arguments: str) -> float:
    """MiB that a process of its own has had resident at most; `ru_maxrss` would count what its parent had before it."""
    done = subprocess.run(python("-c", script, *arguments), check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1]) / 1024


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        version, out = Path(folder) / "resnet/1", Path(folder) / "out"
        out.mkdir()
        resnet(version, 1)
        bare = peak(BARE, str(version / "model.keras"))
        verified = peak(VERIFIED, str(version), str(out))
        tell("peak memory of a ResNet50 / load and predict", verified / bare, "≤ 1.3", f"{verified:.0f} MiB / {bare:.0f} MiB")


if __name__ == "__main__":
    main()
