"""One more small artifact, all checks, against the same loads, predictions and steps in one warm process."""

import statistics
import tempfile
from functools import partial
from pathlib import Path

from bench.measure import small_versions, tell, timed
from reloadgate.engine import LocalEngine
from reloadgate.policy import policy_from
from reloadgate.probe import Probe
from reloadgate.project import Subject
from reloadgate.verifying import verify_all

COUNT = 8


def warm(version: Path, folder: Path) -> None:
    """Three loads and a save, both ways to predict (twice), three steps: what the checks do, without the checks."""
    import keras

    probe = Probe.read(version / "evidence/probe.npz")
    model = keras.models.load_model(version / "model.keras")
    for _ in range(2):
        model(probe.x, training=False)
    for _ in range(2):
        model.predict(probe.x, batch_size=probe.rows, verbose=0)
    for _ in range(3):
        model.train_on_batch(probe.x, probe.y, return_dict=True)
    model.save(folder / "again.keras")
    for path in (folder / "again.keras", version / "model.keras"):
        keras.models.load_model(path)(probe.x, training=False)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, LocalEngine(children=1) as engine:
        versions = small_versions(Path(folder), COUNT)
        policy = policy_from({"location": "any"})
        ours, theirs = [], []
        for version in versions:  # by turns; the first of each warms up
            ours.append(timed(partial(verify_all, [Subject(name="m", path=str(version))], policy, engine)))
            theirs.append(timed(partial(warm, version, Path(folder))))
        one, other = statistics.median(ours[1:]), statistics.median(theirs[1:])
        tell("one more artifact / the same in a warm process", one / other, "≤ 1.3", f"{one:.2f} s / {other:.2f} s")


if __name__ == "__main__":
    main()
