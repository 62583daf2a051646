"""The rows of a comparison: saved evidence against reloaded evidence, one for every single thing looked at.

Every function here is pure: evidence in, rows out. What a difference is worth is decided by `judge`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from reloadgate.arrays import Array, ArrayReader
from reloadgate.comparison import Group, Outcome, Row
from reloadgate.differences import kept_difference
from reloadgate.evidence import (
    Environment,
    Kind,
    Log,
    Observation,
    Optimizer,
    Output,
    ReloadedEvidence,
    SavedEvidence,
    Tried,
    Variable,
)
from reloadgate.formats import own

GROUP_OF_KIND = {
    Kind.WEIGHT: Group.WEIGHTS,
    Kind.RECURRENT_STATE: Group.WEIGHTS,
    Kind.SLOT: Group.OPTIMIZER,
    Kind.ASSET: Group.ASSETS,
    Kind.RANDOM_STATE: Group.RANDOM_STATE,
}

HEALTHY_WARNINGS = (
    "__array__",
    "You are saving your model as an HDF5 file",
    "the compiled metrics have yet to be built",
    "does not have a `build()` method implemented",
    "`input_shape`/`input_dim`",
)
"""Parts of warnings that come with healthy round trips."""

LOSING_WARNINGS = ("Skipping variable loading for optimizer", "could not be loaded", "Skipping nested container")
"""Parts of warnings that say that state was not restored."""


REBUILT = (own.NAME,)
"""Formats whose architecture and compile settings the user's own code makes again."""


class Side:
    """One observation and its arrays."""

    def __init__(self, observation: Observation, arrays: ArrayReader) -> None:
        self.observation, self.arrays = observation, arrays


def row_of(group: Group, subject: str, outcome: Outcome, **facts: Any) -> Row:
    """A row without model and artifact: `compare_evidence` adds them."""
    return Row(model="", artifact="", group=group, subject=subject, outcome=outcome, **facts)


def compare_evidence(
    saved: SavedEvidence, theirs: ArrayReader, reloaded: ReloadedEvidence, ours: ArrayReader | None
) -> Iterator[Row]:
    """Rows for everything that can be compared of one artifact, in the order of the groups."""
    yield from _files(saved, reloaded)
    yield from fresh_rows(reloaded)
    if reloaded.observation is None or ours is None:
        return
    expected, seen = Side(saved.observation, theirs), Side(reloaded.observation, ours)
    rebuilt = reloaded.artifact.format in REBUILT
    yield from _structure(expected.observation, seen.observation, rebuilt)
    yield from _variables(expected, seen)
    yield from _compile(expected, seen, rebuilt)
    yield from _predictions(expected, seen)
    yield from _determinism(saved.observation, reloaded.observation)
    yield from _resume(expected, seen)


def fresh_rows(reloaded: ReloadedEvidence) -> Iterator[Row]:
    """Rows of what the fresh process found without looking at saved evidence."""
    yield from _tried(reloaded)
    yield from _load(reloaded)


def environment_changes(saved: Environment, reloaded: Environment | None) -> tuple[str, ...]:
    """What of the environment is another, as `name: then → now`; the environments are the same where this is empty."""
    if reloaded is None:
        return ("unknown",)
    names = Environment.__dataclass_fields__
    pairs = ((name, getattr(saved, name), getattr(reloaded, name)) for name in names)
    return tuple(f"{name}: {then} → {now}" for name, then, now in pairs if then != now)


# Files and loading


def _files(saved: SavedEvidence, reloaded: ReloadedEvidence) -> Iterator[Row]:
    recorded = {file.path: file for file in saved.files}
    seen = {file.path: file for file in reloaded.files}
    for path in sorted({*recorded, *seen}):
        then, now = recorded.get(path), seen.get(path)
        if then is None or now is None:
            outcome = Outcome.MISSING if now is None else Outcome.EXTRA
            yield row_of(Group.INTEGRITY, path, outcome, detail=f"the file is {outcome} against the manifest")
        else:
            same = then.sha256 == now.sha256
            yield row_of(
                Group.INTEGRITY, path, Outcome.SAME if same else Outcome.CHANGED,
                expected=f"SHA-256 {then.sha256[:16]}…, {then.size} bytes", seen=f"SHA-256 {now.sha256[:16]}…, {now.size} bytes",
                detail="" if same else "these are not the bytes that were saved",
            )  # fmt: skip


def _load(reloaded: ReloadedEvidence) -> Iterator[Row]:
    if reloaded.error:
        yield row_of(Group.LOAD, "model", Outcome.BROKEN, seen=reloaded.error, detail="it does not load in a fresh process")
    elif reloaded.observation is not None:
        yield row_of(Group.LOAD, "model", Outcome.SAME, seen=f"loads in {reloaded.seconds:.1f} s")
    for warned in reloaded.warnings:
        text = f"{warned.category}: {warned.message}"
        if any(part in warned.message for part in HEALTHY_WARNINGS):
            continue
        losing = any(part in warned.message for part in LOSING_WARNINGS)
        yield row_of(
            Group.LOAD, "warning", Outcome.BROKEN if losing else Outcome.NOTED, seen=text,
            detail="Keras says that it did not restore all" if losing else "",
        )  # fmt: skip


def _tried(reloaded: ReloadedEvidence) -> Iterator[Row]:
    outcomes = {
        Tried.HOLDS: Outcome.SAME,
        Tried.BROKEN: Outcome.BROKEN,
        Tried.UNCHECKED: Outcome.UNCHECKED,
        Tried.SKIPPED: Outcome.SKIPPED,
    }
    for check in reloaded.checks:
        yield row_of(Group(check.group), check.subject, outcomes[check.tried], detail=check.message)


# Structure and compile settings


def _structure(expected: Observation, seen: Observation, rebuilt: bool) -> Iterator[Row]:
    yield _setting(Group.STRUCTURE, "class", expected.class_name, seen.class_name)
    if expected.config is None and rebuilt:
        yield row_of(Group.STRUCTURE, "configuration", Outcome.SKIPPED, detail="the model has no serializable configuration")
    else:
        yield from _settings(Group.STRUCTURE, "configuration", expected.config, seen.config, rebuilt)
    yield from _notes(expected, seen, rebuilt)


def _notes(expected: Observation, seen: Observation, rebuilt: bool) -> Iterator[Row]:
    """What could not be observed: on the reloaded side alone it is broken, on the saved side unchecked."""
    before = {(note.group, note.subject) for note in expected.notes}
    for note in expected.notes:
        if rebuilt and note.subject == "configuration":
            continue
        detail = f"could not be observed when the model was saved: {note.message}"
        yield row_of(Group(note.group), note.subject, Outcome.UNCHECKED, detail=detail)
    for note in seen.notes:
        if (note.group, note.subject) not in before:
            detail = "worked in the training process, and fails after the reload"
            yield row_of(Group(note.group), note.subject, Outcome.BROKEN, seen=note.message, detail=detail)


def _compile(expected: Side, seen: Side, rebuilt: bool) -> Iterator[Row]:
    then, now = expected.observation, seen.observation
    yield _setting(Group.COMPILE, "compiled", then.compiled, now.compiled)
    if not then.compiled or not now.compiled:
        return
    before, after = then.compile_config or {}, now.compile_config or {}
    for key in sorted({*before, *after} - {"optimizer"}):
        yield from _settings(Group.COMPILE, key, before.get(key), after.get(key), rebuilt)
    optimizers = {optimizer.key: optimizer for optimizer in now.optimizers}
    for optimizer in then.optimizers:
        other = optimizers.get(optimizer.key)
        if other is not None:
            yield _setting(Group.COMPILE, f"{optimizer.key} class", optimizer.class_name, other.class_name)
            yield from _settings(Group.COMPILE, optimizer.key, _without_name(optimizer), _without_name(other))
            yield from _learning_rate(optimizer, other, expected, seen)


def _without_name(optimizer: Optimizer) -> dict[str, Any]:
    """An optimizer's configuration; Keras numbers its name within a process."""
    config = optimizer.config.get("config")
    return {key: value for key, value in config.items() if key != "name"} if isinstance(config, dict) else {}


def _learning_rate(then: Optimizer, now: Optimizer, expected: Side, seen: Side) -> Iterator[Row]:
    subject = f"{then.key} learning rate"
    if then.learning_rate is None or now.learning_rate is None:
        yield row_of(Group.COMPILE, subject, Outcome.UNCHECKED, detail="the learning rate could not be read")
    else:
        yield _array(Group.COMPILE, subject, then.learning_rate, expected, now.learning_rate, seen)


def _setting(group: Group, subject: str, expected: object, seen: object) -> Row:
    same = expected == seen
    return row_of(group, subject, Outcome.SAME if same else Outcome.CHANGED, expected=_short(expected), seen=_short(seen))


def _settings(group: Group, subject: str, expected: Any, seen: Any, rebuilt: bool = False) -> Iterator[Row]:
    """One row where two JSON values are equal, else one for each place (at most 20) where they are not.

    Args:
        rebuilt: the user's own code made the model again, and may say the same in other words: what differs is noted, and
            its effect is seen in predictions and resumed steps.
    """
    outcome = Outcome.NOTED if rebuilt else Outcome.CHANGED
    places = list(_unequal_places(expected, seen, subject))
    if not places:
        yield row_of(group, subject, Outcome.SAME)
    for place, then, now in places[:20]:
        yield row_of(group, place, outcome, expected=_short(then), seen=_short(now), detail="the setting is another")


def _unequal_places(expected: Any, seen: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(expected, dict) and isinstance(seen, dict):
        for key in sorted({*expected, *seen}):
            yield from _unequal_places(expected.get(key), seen.get(key), f"{place}.{key}")
    elif isinstance(expected, list) and isinstance(seen, list) and len(expected) == len(seen):
        for number, (then, now) in enumerate(zip(expected, seen, strict=True)):
            yield from _unequal_places(then, now, f"{place}[{number}]")
    elif expected != seen or isinstance(expected, bool) != isinstance(seen, bool):
        yield place, expected, seen


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 120 else text[:117] + "…"


# Variables


def _variables(expected: Side, seen: Side) -> Iterator[Row]:
    then, now = expected.observation, seen.observation
    before = {v.key: v for v in (*then.variables, *then.assets)}
    after = {v.key: v for v in (*now.variables, *now.assets)}
    advanced = _advanced(then)
    built = {o.key: o.was_built for o in now.optimizers}
    for key in [*before, *(key for key in after if key not in before)]:
        variable = before.get(key) or after[key]
        if variable.kind is Kind.RANDOM_STATE:
            yield _random_state(before.get(key), after.get(key), key in advanced)
            continue
        group = GROUP_OF_KIND[variable.kind]
        if key not in after or key not in before:
            outcome = Outcome.MISSING if key not in after else Outcome.EXTRA
            yield row_of(group, key, outcome, detail=f"{variable.path} ({variable.kind}) is {outcome} after the reload")
            continue
        row = _array(group, key, before[key].value, expected, after[key].value, seen)
        if row.outcome is not Outcome.SAME:
            row = replace(row, **_cause(before[key], after[key], before, after, built))
        yield row
    yield from _swapped_names(then.variables, now.variables)
    yield from (_missing_optimizers(then, now))


def _cause(
    then: Variable,
    now: Variable,
    before: Mapping[str, Variable],
    after: Mapping[str, Variable],
    built: Mapping[str, bool],
) -> dict[str, Any]:
    """Why a variable differs, where its neighbours tell: swapped with another, or never restored."""
    for key, other in before.items():
        if key == then.key or other.value.shape != then.value.shape or key not in after:
            continue
        if other.value.sha256 == now.value.sha256 and after[key].value.sha256 == then.value.sha256:
            return {"outcome": Outcome.SWAPPED, "detail": f"swapped with {key}: each has the other's values"}
    if then.kind is Kind.SLOT and not built.get(then.key.rsplit("/vars/", 1)[0], True):
        return {
            "outcome": Outcome.MISSING,
            "detail": f"{then.path} was not restored: the optimizer came back without its slots",
        }
    if now.value.largest == 0.0 and not now.value.nans and then.value.largest:
        return {"detail": f"{then.path} came back as zeros"}
    return {"detail": f"{then.path} has other values after the reload"}


def _missing_optimizers(then: Observation, now: Observation) -> Iterator[Row]:
    present = {optimizer.key for optimizer in now.optimizers}
    for optimizer in then.optimizers:
        if optimizer.key not in present:
            yield row_of(
                Group.OPTIMIZER, optimizer.key, Outcome.MISSING, expected=optimizer.class_name,
                detail="the model came back without this optimizer",
            )  # fmt: skip
        elif not optimizer.was_built:
            yield row_of(Group.OPTIMIZER, optimizer.key, Outcome.NOTED, detail="it had never trained when it was saved")


def _swapped_names(expected: tuple[Variable, ...], seen: tuple[Variable, ...]) -> Iterator[Row]:
    """Variables whose chosen names moved to another storage path: what Keras' own mapping swaps, its paths cannot see."""
    then, now = _by_chosen_name(expected), _by_chosen_name(seen)
    for name in sorted({*then} & {*now}):
        here, there = then[name], now[name]
        if here.key != there.key and here.value.sha256 != there.value.sha256:
            other = next((n for n, v in then.items() if v.key == there.key), there.key)
            yield row_of(
                GROUP_OF_KIND[here.kind], here.key, Outcome.SWAPPED, expected=f"{name} at {here.key}",
                seen=f"{name} at {there.key}", detail=f"{name} came back with the values of {other}",
            )  # fmt: skip


def _by_chosen_name(variables: Iterable[Variable]) -> dict[str, Variable]:
    """Variables by the name that a user chose, where it is there once."""
    found: dict[str, list[Variable]] = {}
    for variable in variables:
        if variable.name and variable.kind is Kind.WEIGHT:
            found.setdefault(variable.name, []).append(variable)
    return {name: same[0] for name, same in found.items() if len(same) == 1}


def _random_state(then: Variable | None, now: Variable | None, advances: bool) -> Row:
    key = (then or now).key  # type: ignore[union-attr]
    if then is not None and now is not None and then.value.sha256 == now.value.sha256:
        return row_of(Group.RANDOM_STATE, key, Outcome.SAME)
    if not advances:
        return row_of(Group.RANDOM_STATE, key, Outcome.NOTED, detail="it differs, and training does not use it")
    return row_of(
        Group.RANDOM_STATE, key, Outcome.LOST,
        detail="the artifact does not hold it: without it training goes on with other random numbers",
    )  # fmt: skip


def _advanced(observation: Observation) -> set[str]:
    return {v.key for v in observation.variables if v.final is not None and v.final.sha256 != v.value.sha256}


def _array(group: Group, subject: str, then: Array, expected: Side, now: Array, seen: Side, **facts: Any) -> Row:
    """One array against another: shape and dtype before values."""
    if (then.shape, then.dtype) != (now.shape, now.dtype):
        return row_of(
            group, subject, Outcome.CHANGED, expected=f"{then.dtype}{list(then.shape)}", seen=f"{now.dtype}{list(now.shape)}",
            detail="shape or dtype is another", **facts,
        )  # fmt: skip
    facts = {"dtype": then.dtype, "scale": then.largest, **facts}
    if then.sha256 == now.sha256:
        return row_of(group, subject, Outcome.SAME, **facts)
    difference = kept_difference(then, expected.arrays, now, seen.arrays)
    if difference is None:
        counts = [f"{array.nans} NaN, {array.infinities} infinite" for array in (then, now)]
        detail = "NaN or infinity where there was none, or text that differs"
        return row_of(group, subject, Outcome.CHANGED, expected=counts[0], seen=counts[1], detail=detail, **facts)
    return row_of(group, subject, Outcome.DIFFERS, difference=difference, **facts)


# Predictions and resumed steps


def _predictions(expected: Side, seen: Side) -> Iterator[Row]:
    then = {(o.mode, o.name): o for o in expected.observation.outputs}
    now = {(o.mode, o.name): o for o in seen.observation.outputs}
    for key in [*then, *(key for key in now if key not in then)]:
        subject = f"{key[0]}: {key[1]}"
        if key not in then or key not in now:
            outcome = Outcome.MISSING if key not in now else Outcome.EXTRA
            yield row_of(Group.PREDICTIONS, subject, outcome, detail="this output has no counterpart")
            continue
        yield _prediction(subject, then[key], expected, now[key], seen)
        if then[key].constant:
            yield row_of(Group.PREDICTIONS, subject, Outcome.NOT_EXERCISED, detail="the same for every row of the probe")


def _prediction(subject: str, then: Output, expected: Side, now: Output, seen: Side) -> Row:
    for output, side in ((then, "when it was saved"), (now, "after the reload")):
        if output.value.nans and output.value.nans == _size(output.value):
            detail = f"every prediction was NaN {side}"
            return row_of(Group.PREDICTIONS, subject, Outcome.CHANGED, seen="NaN", detail=detail)
    row = _array(Group.PREDICTIONS, subject, then.value, expected, now.value, seen, noise=then.noise)
    if row.outcome is Outcome.DIFFERS:
        flips = _flips(expected.arrays.get(then.value), seen.arrays.get(now.value))
        row = replace(row, flips=flips, detail=f"predictions drift; {flips} decisions flip")
    return row


def _size(array: Array) -> int:
    return int(np.prod(array.shape))


def _flips(expected: np.ndarray[Any, Any], seen: np.ndarray[Any, Any]) -> int:
    """Rows whose decision changed: the largest of several columns, the sign of one."""
    if expected.dtype.kind not in "fiu" or expected.ndim < 1:
        return 0
    decide: Callable[[Any], Any]
    decide = np.sign if expected.ndim < 2 or expected.shape[-1] == 1 else lambda a: np.argmax(a, axis=-1)
    return int(np.count_nonzero(decide(expected) != decide(seen)))


def _determinism(expected: Observation, seen: Observation) -> Iterator[Row]:
    floors = {(o.mode, o.name): o.noise for o in expected.outputs}
    for output in seen.outputs:
        floor = floors.get((output.mode, output.name), 0.0)
        above = output.noise > floor
        subject = f"{output.mode}: {output.name}"
        yield row_of(
            Group.DETERMINISM, subject, Outcome.BROKEN if above else Outcome.SAME, noise=floor, scale=output.value.largest,
            expected=f"at most {floor:.3g}, the noise floor when it was saved", seen=f"{output.noise:.3g}",
            detail="two predictions of the same reloaded model differ" if above else "",
        )  # fmt: skip


def _resume(expected: Side, seen: Side) -> Iterator[Row]:
    then, now = expected.observation, seen.observation
    if not then.logs:
        if not any(note.group == Group.RESUME for note in then.notes):
            yield row_of(Group.RESUME, "steps", Outcome.UNCHECKED, detail="no resumed steps were recorded")
        return
    if not now.logs:
        return  # `_notes` tells why
    yield from _logs(expected, seen)
    after = {v.key: v for v in now.variables}
    moved = _advanced(then)
    trained = [v for v in then.variables if v.kind is Kind.WEIGHT and v.trainable]
    for variable in then.variables:
        other = after.get(variable.key)
        if variable.final is None or other is None or other.final is None:
            continue
        yield _array(
            Group.RESUME, f"{variable.key} after {then.steps} steps", variable.final, expected, other.final, seen,
            noise=variable.noise,
        )  # fmt: skip
    for variable in trained:
        if variable.key not in moved:
            yield row_of(
                Group.RESUME, variable.key, Outcome.NOT_EXERCISED,
                detail=f"trainable, and no resumed step moved {variable.path}",
            )  # fmt: skip
    if not any(v.key in moved for v in trained):
        yield row_of(Group.RESUME, "steps", Outcome.UNCHECKED, detail="no trainable variable moved in the resumed steps")
    if then.moved_attributes != now.moved_attributes:
        yield row_of(
            Group.RESUME, "Python attributes", Outcome.CHANGED, expected=_short(list(then.moved_attributes)),
            seen=_short(list(now.moved_attributes)), detail="other attributes of the model moved in the steps",
        )  # fmt: skip
    for attribute in then.moved_attributes:
        detail = "a Python attribute that the steps move: no artifact holds it"
        yield row_of(Group.RESUME, attribute, Outcome.NOTED, detail=detail)


def _logs(expected: Side, seen: Side) -> Iterator[Row]:
    then = {log.name: log for log in expected.observation.logs}
    now = {log.name: log for log in seen.observation.logs}
    for name in [*then, *(name for name in now if name not in then)]:
        if name not in then or name not in now:
            outcome = Outcome.MISSING if name not in now else Outcome.EXTRA
            yield row_of(Group.RESUME, name, outcome, detail="training logs other values after the reload")
        else:
            yield _array(
                Group.RESUME, f"{name} per step", then[name].values, expected, now[name].values, seen,
                noise=then[name].noise,
            )  # fmt: skip


def log_values(log: Log | None, arrays: ArrayReader) -> tuple[float | None, ...]:
    """The values of a log by step; None where one is no finite number."""
    values = () if log is None else arrays.get(log.values).tolist()
    return tuple(value if np.isfinite(value) else None for value in values)
