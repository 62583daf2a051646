"""What the scripts of `bench/` share: small trained versions, timing by turns, and the line that each prints."""

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

REPEATS = 3
"""Measurements of each side; odd, so that the median is one of them."""


def timed(action: Callable[[], object]) -> float:
    """Wall seconds of an action."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def by_turns(one: Callable[[], object], other: Callable[[], object], repeats: int = REPEATS) -> tuple[float, float]:
    """Median wall seconds of two actions, measured by turns, so that whatever else the machine does meets both."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for action, measured in zip((one, other), seconds, strict=True):
            os.sync()  # an fsync in the one would wait for what the other has left to be written
            measured.append(timed(action))
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def tell(what: str, ratio: float, bar: str, detail: str) -> None:
    """One row for docs/performance.md."""
    print(f"| {what} | {ratio:.2f} | {bar} | {detail} |", flush=True)


def small_versions(folder: Path, count: int) -> list[Path]:
    """Versions of small dense models with dropout and Adam, trained for one epoch, each with its evidence."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import numpy as np

    import reloadgate

    random = np.random.default_rng(0)
    x, y = random.normal(size=(64, 8)).astype(np.float32), random.normal(size=(64, 2)).astype(np.float32)
    versions = []
    for number in range(count):
        keras.utils.set_random_seed(number)
        layers = [keras.layers.Dense(16 + number, activation="relu") for _ in range(2 + number % 3)]
        model = keras.Sequential([keras.Input((8,)), *layers, keras.layers.Dropout(0.5), keras.layers.Dense(2)])
        model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
        model.fit(x, y, verbose=0)
        versions.append(reloadgate.save(model, folder / f"model{number}/1", probe=(x, y), location="any"))
    return versions


def python(*arguments: str) -> list[str]:
    return [sys.executable, "-P", *arguments]
