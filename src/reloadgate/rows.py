"""What the rows of a comparison are made with: pure, evidence in, rows out."""

import contextlib
import math
import re
import struct
from collections.abc import Iterator
from typing import Any

from reloadgate.arrays import Array, ArrayReader
from reloadgate.comparison import Outcome, Row
from reloadgate.evidence import Group, Kind, Log, Observation, Variable
from reloadgate.text import one_line

ABSENT = "absent"
"""What a setting is that only the other side has: not None, which is a value."""


OTHER_SETTING = "the setting is another"

UNBUILT = "the layer came back without its variables, and made new ones when it was called"


_GROUP_OF_KIND = {
    Kind.WEIGHT: Group.WEIGHTS,
    Kind.RECURRENT_STATE: Group.WEIGHTS,
    Kind.REPLICA: Group.WEIGHTS,
    Kind.SLOT: Group.OPTIMIZER,
    Kind.ASSET: Group.ASSETS,
    Kind.RANDOM_STATE: Group.RANDOM_STATE,
}

_OPTIMIZER = re.compile(r"^(?:(?P<inner>.+)/)?optimizer/(.+/)?vars/\d+$")
"""Where an optimizer's variables are stored: that of the model, or of an inner one that was compiled by itself."""


class Side:
    """One observation and its arrays."""

    def __init__(self, observation: Observation, arrays: ArrayReader) -> None:
        self.observation, self.arrays = observation, arrays


def group_of(variable: Variable) -> Group:
    """The group that a variable's rows are in: what Keras stores of an optimizer within another is no asset of a layer's."""
    if variable.kind is Kind.ASSET and _OPTIMIZER.match(variable.key):
        return Group.OPTIMIZER
    return _GROUP_OF_KIND.get(variable.kind, Group.STRUCTURE)


def inner_optimizer(variable: Variable) -> str:
    """Where the optimizer lies whose state this is, of a model within the model; "" of everything else."""
    found = _OPTIMIZER.match(variable.key) if variable.kind is Kind.ASSET else None
    return f"{found['inner']}/optimizer" if found and found["inner"] else ""


def row_of(group: Group, subject: str, outcome: Outcome, **facts: Any) -> Row:
    """A row without model and artifact: `compare` adds them."""
    return Row(model="", artifact="", group=group, subject=subject, outcome=outcome, **facts)


def setting_row(group: Group, subject: str, expected: object, seen: object) -> Row:
    same = expected == seen
    return row_of(group, subject, Outcome.SAME if same else Outcome.CHANGED, expected=short(expected), seen=short(seen))


def setting_rows(group: Group, subject: str, expected: Any, seen: Any, rebuilt: bool = False) -> Iterator[Row]:
    """One row where two JSON values are equal, else one for each place (at most 20) where they are not.

    Args:
        rebuilt: the user's own code made the model again, and may say the same in other words: what differs is noted, and
            its effect is seen in predictions and resumed steps.
    """
    outcome = Outcome.NOTED if rebuilt else Outcome.CHANGED
    places = list(unequal_places(expected, seen, subject))
    if not places:
        yield row_of(group, subject, Outcome.SAME)
    for place, then, now in places[:20]:
        yield row_of(group, place, outcome, expected=short(then), seen=short(now), detail=OTHER_SETTING)


def unequal_places(expected: Any, seen: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    """The places where two JSON values are not equal, with what is there on both sides."""
    if isinstance(expected, dict) and isinstance(seen, dict):
        for key in sorted({*expected, *seen}):
            yield from unequal_places(expected.get(key, ABSENT), seen.get(key, ABSENT), f"{place}.{key}")
    elif isinstance(expected, list) and isinstance(seen, list) and len(expected) == len(seen):
        for number, (then, now) in enumerate(zip(expected, seen, strict=True)):
            yield from unequal_places(then, now, f"{place}[{number}]")
    elif expected != seen or isinstance(expected, bool) != isinstance(seen, bool):
        yield place, expected, seen


def short(value: object) -> str:
    return one_line(value, 120)


def array_row(group: Group, subject: str, then: Array, expected: Side, now: Array, seen: Side, **facts: Any) -> Row:
    """One array against another: shape and dtype before values."""
    if (then.shape, then.dtype) != (now.shape, now.dtype):
        return row_of(
            group, subject, Outcome.CHANGED, expected=f"{then.dtype}{list(then.shape)}", seen=f"{now.dtype}{list(now.shape)}",
            detail="shape or dtype is another", **facts,
        )  # fmt: skip
    facts = {"dtype": then.dtype, "scale": then.largest, **facts}
    if then.sha256 == now.sha256:
        return row_of(group, subject, Outcome.SAME, **facts)
    from reloadgate.differences import kept_difference

    difference = kept_difference(then, expected.arrays, now, seen.arrays)
    if difference is None:
        counts = [f"{array.nans} NaN, {array.infinities} infinite" for array in (then, now)]
        detail = "NaN or infinity where there was none, or text that differs"
        return row_of(group, subject, Outcome.CHANGED, expected=counts[0], seen=counts[1], detail=detail, **facts)
    return row_of(group, subject, Outcome.DIFFERS, difference=difference, **facts)


def advanced(observation: Observation) -> set[str]:
    """Keys of the variables that the resumed steps moved."""
    return {v.key for v in observation.variables if v.final is not None and v.final.sha256 != v.value.sha256}


def log_values(log: Log | None, arrays: ArrayReader) -> tuple[float | None, ...]:
    """The values of a log by step; None where one is no finite number."""
    values = () if log is None else arrays.vector(log.values)
    return tuple(value if math.isfinite(value) else None for value in values)


def unbuilt(expected: Observation, seen: Observation) -> set[str]:
    """The layers, by storage path, that came back without their weights and made new ones when they were called."""
    there = {variable.key for variable in seen.variables}
    lost = {v.key.rpartition("/vars/")[0] for v in expected.variables if v.kind is Kind.WEIGHT and v.key not in there}
    made = {v.key.removeprefix("untracked/").rpartition("/")[0] for v in seen.variables if v.kind is Kind.UNTRACKED}
    return lost & made


def is_rate_in_other_dtype(then: Variable, now: Variable) -> bool:
    """Whether both are an optimizer's rate, which Keras makes in the `floatx` of the process, and it is another one's."""
    rates = all(one.kind is Kind.SLOT and one.path.rpartition("/")[2] == "learning_rate" for one in (then, now))
    return rates and {then.value.dtype, now.value.dtype} == {"float32", "float64"}


def rate_row(group: Group, subject: str, then: Array, expected: Side, now: Array, seen: Side) -> Row:
    """The row of a rate in another dtype: the same rate where it is the same as float32, the narrower one."""
    rates = [as_float32(float(side.arrays.get(one))) for one, side in ((then, expected), (now, seen))]
    detail = "the rate is held in another dtype, as Keras makes it in the `floatx` of the process"
    outcome = Outcome.NOTED if rates[0] == rates[1] else Outcome.CHANGED
    told = [f"{one.dtype} {rate:.9g}" for one, rate in zip((then, now), rates, strict=True)]
    return row_of(group, subject, outcome, expected=told[0], seen=told[1], detail=detail)


def as_float32(number: float) -> float:
    """The nearest number that float32 has; the number itself where it is too large."""
    with contextlib.suppress(OverflowError):
        (number,) = struct.unpack("f", struct.pack("f", number))
    return number
