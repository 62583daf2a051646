"""Peak memory of the child that verifies a ResNet50 with Adam, against a bare load and predict in a process of its own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.measure import tell
from reloadgate.surroundings import fresh


def bare(artifact: Path) -> None:
    """What anybody does to look whether a model loads."""
    import keras
    import numpy as np

    keras.models.load_model(artifact).predict(np.zeros((2, 224, 224, 3), "float32"), verbose=0)


def verified(version: Path, out: Path) -> None:
    """What a child does."""
    from reloadgate.evidence import EVIDENCE_DIR, Depth, read_saved
    from reloadgate.inspection import Limits
    from reloadgate.live.fresh import reload_artifact

    artifact = read_saved(version / EVIDENCE_DIR)[0].artifacts[0]
    with tempfile.TemporaryDirectory() as folder:
        reload_artifact(
            version, artifact, out, Path(folder), uncontained="", limits=Limits(), strict=False, depth=Depth.AGAIN, opened=set
        )


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


SIDES: dict[str, Callable[..., None]] = {"bare": bare, "verified": verified}


def peak(side: str, *paths: Path) -> float:
    """MiB that a process of its own has had resident at most; `ru_maxrss` would count what its parent had before it."""
    command = [sys.executable, "-m", "bench.memory", side, *map(str, paths)]
    environment = fresh(os.environ, ()) if side == "verified" else None
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return int(done.stdout.split()[-1]) / 1024


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        version, out = Path(folder) / "resnet/1", Path(folder) / "out"
        out.mkdir()
        resnet(version, 1)
        one, other = peak("verified", version, out), peak("bare", version / "model.keras")
        tell("peak memory of a ResNet50 / load and predict", one / other, "≤ 1.3", f"{one:.0f} MiB / {other:.0f} MiB")


if __name__ == "__main__":
    if arguments := sys.argv[1:]:
        SIDES[arguments[0]](*map(Path, arguments[1:]))
        print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
    else:
        main()
