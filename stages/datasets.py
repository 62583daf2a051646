"""What each sample model learns from: the arrays that are made of a judged table, and which rows are held out.

Every dataset has the name of its model. Nothing that a model is tested on may be known to it from training; what that takes
differs from table to table, and so every dataset has its own way of holding rows out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reloadgate.probe import Probe, map_leaves
from stages import tables
from stages.contracts import Contract
from stages.settings import PrepareError, Settings

if TYPE_CHECKING:
    import pandas as pd

Rows = list[int]
PARTS = ("train", "test", "probe")

WINDOW = 14
"""Days that the forecast of the next one looks back on."""
MEASURES = ["precipitation", "temp_max", "temp_min", "wind"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Samples:
    """Inputs and targets of one dataset, sample by sample, and how some of them are held out.

    Attributes:
        x, y: an array or a dict of arrays whose first axis is the sample's.
        classes: how many classes the probe has to show, 1 for a quantity.
        hold_out: the samples of train and those of test, from `by_class`, `by_group` or `by_time`.
    """

    x: Any
    y: Any
    classes: int = 1
    hold_out: Callable[[Settings], tuple[Rows, Rows]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """The samples of one model, made of one table."""

    name: str
    contract: Contract
    samples: Callable[[pd.DataFrame], Samples]


def split(dataset: Dataset, frame: pd.DataFrame, settings: Settings) -> dict[str, Probe]:
    """Train, test and probe (the first samples of test) as x and y; raises PrepareError for too few samples."""
    samples = dataset.samples(frame)
    train, test = samples.hold_out(settings)
    least, most = samples.classes, len(test)
    if not least <= settings.probe_rows <= most:
        allowed = f"{dataset.name} has {most} test samples in {least} class(es), give {least} to {most}"
        raise PrepareError(f"prepare.probe_rows is {settings.probe_rows}: {allowed}")
    rows = dict(zip(PARTS, (train, test, test[: settings.probe_rows]), strict=True))
    return {part: _taken(samples, chosen) for part, chosen in rows.items()}


def _taken(samples: Samples, rows: Rows) -> Probe:
    return Probe(*(map_leaves(lambda leaf: leaf[rows], tree) for tree in (samples.x, samples.y)))


# Ways of holding samples out


def by_class(classes: NDArray[Any], settings: Settings) -> tuple[Rows, Rows]:
    """`test_share` of every class (n,) is held out; the test samples take the classes in turns."""
    generator = _generator(settings)
    train: Rows = []
    tests: list[Rows] = []
    for members in (np.flatnonzero(classes == one) for one in np.unique(classes)):
        shuffled = generator.permutation(members).tolist()
        size = _test_size(len(members), settings)
        tests.append(shuffled[:size])
        train += shuffled[size:]
    turns = chain.from_iterable(zip_longest(*tests))
    return generator.permutation(train).tolist(), [row for row in turns if row is not None]


def by_group(groups: NDArray[Any], settings: Settings) -> tuple[Rows, Rows]:
    """`test_share` of the groups is held out whole, so that no group (n,) is in both."""
    generator = _generator(settings)
    names = generator.permutation(np.unique(groups))
    held_out = np.isin(groups, names[: _test_size(len(names), settings)])
    train, test = (generator.permutation(np.flatnonzero(chosen)).tolist() for chosen in (~held_out, held_out))
    return train, test


def by_time(samples: int, settings: Settings) -> tuple[Rows, Rows]:
    """The last `test_share` of the samples, which are in the order of time, is held out."""
    generator = _generator(settings)
    first = samples - _test_size(samples, settings)
    return generator.permutation(first).tolist(), (first + generator.permutation(samples - first)).tolist()


def _generator(settings: Settings) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(settings.seed))


def _test_size(members: int, settings: Settings) -> int:
    size = round(settings.test_share * members)
    if not 0 < size < members:
        raise PrepareError(f"prepare.test_share is {settings.test_share}: it leaves train or test without rows")
    return size


# The datasets


def _numbers(frame: pd.DataFrame, target: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Every other column as float32 (n, inputs), and the target; of rows with the same inputs only the first."""
    x = frame.drop(columns=target).to_numpy(np.float64).astype(np.float32)
    # A row of the probe must not be one of the training rows.
    kept = np.sort(np.unique(x, axis=0, return_index=True)[1])
    return x[kept], frame[target].to_numpy()[kept]


def digits(frame: pd.DataFrame) -> Samples:
    """Which digit: pixels divided by 16 to the digit, int64 (n,)."""
    x, digit = _numbers(frame, "digit")
    return Samples(x=x / 16, y=digit, classes=10, hold_out=lambda settings: by_class(digit, settings))


def parity(frame: pd.DataFrame) -> Samples:
    """Which digit, and whether it is odd: two targets, `digit` int64 (n,) and `odd` float32 (n, 1)."""
    x, digit = _numbers(frame, "digit")
    y = {"digit": digit, "odd": (digit % 2).astype(np.float32)[:, np.newaxis]}
    return Samples(x=x / 16, y=y, classes=10, hold_out=lambda settings: by_class(digit, settings))


def diabetes(frame: pd.DataFrame) -> Samples:
    """How far the disease goes: measures, not scaled, to float32 (n, 1)."""
    x, progression = _numbers(frame, "progression")
    y = progression.astype(np.float32)[:, np.newaxis]
    return Samples(x=x, y=y, hold_out=lambda settings: by_class(np.zeros(len(y)), settings))


def wine(frame: pd.DataFrame) -> Samples:
    """Which cultivar: measures, not scaled, to int64 (n,)."""
    x, cultivar = _numbers(frame, "cultivar")
    return Samples(x=x, y=cultivar, classes=3, hold_out=lambda settings: by_class(cultivar, settings))


def languages(frame: pd.DataFrame) -> Samples:
    """Which language a country's name is in: text (n,) to the language's place in `tables.LANGUAGES`, int64 (n,).

    Names that several languages share tell none, and are left out. Countries are held out whole, since the names of one
    country are much alike.
    """
    telling = frame[~frame["name"].duplicated(keep=False)]
    y = telling["language"].map({name: at for at, name in enumerate(tables.LANGUAGES)}).to_numpy(np.int64)
    countries = telling["country"].to_numpy(np.str_)
    x = telling["name"].to_numpy(np.str_)
    return Samples(x=x, y=y, classes=len(tables.LANGUAGES), hold_out=lambda settings: by_group(countries, settings))


def weather(frame: pd.DataFrame) -> Samples:
    """How warm it gets tomorrow: the last 14 days to the next day's highest temperature in °C, float32 (n, 1).

    The days are `measures`, float32 (n, 14, 4), and `weather`, text (n, 14). What is held out comes last, as the future does.
    """
    starts = range(len(frame) - WINDOW)
    measures, kinds = frame[MEASURES].to_numpy(np.float32), frame["weather"].to_numpy(np.str_)
    x = {name: np.stack([days[at : at + WINDOW] for at in starts]) for name, days in (("measures", measures), ("weather", kinds))}
    y = frame["temp_max"].to_numpy(np.float32)[WINDOW:, np.newaxis]
    return Samples(x=x, y=y, hold_out=lambda settings: by_time(len(y), settings))


DATASETS = (
    Dataset(name="digits", contract=tables.DIGITS, samples=digits),
    Dataset(name="diabetes", contract=tables.DIABETES, samples=diabetes),
    Dataset(name="wine", contract=tables.WINE, samples=wine),
    Dataset(name="parity", contract=tables.DIGITS, samples=parity),
    Dataset(name="languages", contract=tables.COUNTRY_NAMES, samples=languages),
    Dataset(name="weather", contract=tables.SEATTLE_WEATHER, samples=weather),
)
