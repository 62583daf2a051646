"""One more small artifact, all checks, against the same loads, predictions and steps in one warm process.

Twice: in the engine as it runs, with a child a core, and with one child at a time, which is what isolation and the checks cost.
"""

import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.measure import REPEATS, small_versions, tell, timed
from reloadgate.engine import LocalEngine
from reloadgate.policy import policy_from
from reloadgate.probe import Probe
from reloadgate.project import Subject
from reloadgate.verifying import verify_all

COUNT = 8


def warm(versions: list[Path], folder: Path) -> None:
    """Three loads and a save, both ways to predict (twice), three steps: what the checks do, without the checks."""
    import keras

    for version in versions:
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
    with tempfile.TemporaryDirectory() as folder, LocalEngine() as many, LocalEngine(children=1) as one:
        versions = small_versions(Path(folder), COUNT)
        subjects = [Subject(name=f"m{number}", path=str(version)) for number, version in enumerate(versions)]
        policy = policy_from({"location": "any"})
        sides: list[Callable[[], object]] = [partial(verify_all, subjects, policy, engine) for engine in (many, one)]
        sides.append(partial(warm, versions, Path(folder)))
        seconds = [[timed(side) / COUNT for side in sides] for _ in range(REPEATS + 1)][1:]  # the first of each warms up
        as_it_runs, alone, other = map(statistics.median, zip(*seconds, strict=True))
        tell("one more artifact / the same in a warm process", as_it_runs / other, "≤ 1.3", f"{as_it_runs:.2f} s / {other:.2f} s")
        tell("the same, one child at a time", alone / other, "", f"{alone:.2f} s / {other:.2f} s")


if __name__ == "__main__":
    main()
