"""Rows of what a model does: predictions, determinism, resumed steps."""

import math
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from reloadgate.arrays import Array
from reloadgate.comparison import Outcome, Row
from reloadgate.evidence import CALL, OF_A_TEST, PREDICT, SERVE, TRAIN_STEP, Group, Kind, Observation, Output
from reloadgate.rows import Side, advanced, array_row, is_rate_in_other_dtype, rate_row, row_of, short
from reloadgate.text import unnumbered

# Predictions and resumed steps


def prediction_rows(expected: Side, seen: Side) -> Iterator[Row]:
    then = {(o.mode, o.name): o for o in expected.observation.outputs}
    now = {(o.mode, o.name): o for o in seen.observation.outputs}
    untold = {note.subject for note in seen.observation.notes if note.group == Group.PREDICTIONS}  # which have a row each
    for key in [*then, *(key for key in now if key not in then)]:
        subject = f"{key[0]}: {key[1]}"
        if key not in now and key[0] in untold:
            continue
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
    row = array_row(Group.PREDICTIONS, subject, then.value, expected, now.value, seen, noise=then.noise)
    if row.outcome is Outcome.DIFFERS:
        from reloadgate.differences import changed_decisions

        flips = changed_decisions(expected.arrays.get(then.value), seen.arrays.get(now.value))
        row = replace(row, flips=flips, detail=f"predictions drift; {flips} decisions flip")
    return row


def _not_numbers(array: Array) -> int:
    return array.nans + array.infinities


def _size(array: Array) -> int:
    return math.prod(array.shape)


def agreement_rows(first: Side, other: Side, saved: Observation) -> Iterator[Row]:
    """Whether two artifacts of one version predict the same, in the mode that both have."""
    then, now = ({(o.mode, o.name): o for o in side.observation.outputs} for side in (first, other))
    floors = {(o.mode, o.name): o.noise for o in saved.outputs}
    modes = {mode for mode, _ in then} & {mode for mode, _ in now}
    mode = next((mode for mode in (PREDICT, SERVE, CALL) if mode in modes), None)
    if mode is None:
        yield row_of(Group.AGREEMENT, "predictions", Outcome.UNCHECKED, detail="the artifacts have no prediction in common")
    for key in sorted(key for key in {*then, *now} if key[0] == mode):
        if key not in then or key not in now:
            yield row_of(Group.AGREEMENT, key[1], Outcome.MISSING, detail="the artifacts of this version have other outputs")
            continue
        row = array_row(Group.AGREEMENT, key[1], then[key].value, first, now[key].value, other, noise=floors.get(key, 0.0))
        differs = row.outcome in (Outcome.DIFFERS, Outcome.CHANGED)
        yield replace(row, detail="the artifacts of this version predict differently") if differs else row


def determinism_rows(expected: Observation, seen: Observation) -> Iterator[Row]:
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


def resume_rows(expected: Side, seen: Side, same_graphs: bool) -> Iterator[Row]:
    then, now = expected.observation, seen.observation
    if not then.logs:
        if not any(note.group == Group.RESUME for note in then.notes):
            yield row_of(Group.RESUME, "steps", Outcome.UNCHECKED, detail="no resumed steps were recorded")
        return
    if not now.logs:
        return  # `_notes` tells why
    if then.steps != now.steps:
        detail = "another number of steps was taken after the reload"
        yield row_of(Group.RESUME, "steps", Outcome.CHANGED, expected=str(then.steps), seen=str(now.steps), detail=detail)
    trained = [v for v in then.variables if v.kind is Kind.WEIGHT and v.trainable]
    lost = next((v for v in trained if v.final is not None and _not_numbers(v.final) > _not_numbers(v.value)), None)
    if lost is not None:
        yield row_of(
            Group.RESUME, "steps", Outcome.UNCHECKED,
            detail=f"{lost.path} is NaN or infinite after the steps, and whatever was lost would end there: "
            "probe with rows that train to numbers (is a value missing in one?)",
        )  # fmt: skip
        return
    yield from _logs(expected, seen)
    after = {v.key: v for v in now.variables}
    moved = advanced(then)
    for variable in then.variables:
        other = after.get(variable.key)
        if variable.final is None or other is None or (variable.kind is Kind.UNTRACKED and variable.key not in moved):
            continue  # what the steps only read has a row of its own where it differs
        if other.final is None:
            detail = f"{variable.path} has no value after the resumed steps"
            yield row_of(Group.RESUME, variable.key, Outcome.MISSING, detail=detail)
            continue
        subject = f"{variable.key} after {then.steps} steps"
        if is_rate_in_other_dtype(variable, other):
            yield rate_row(Group.RESUME, subject, variable.final, expected, other.final, seen)
            continue
        yield array_row(Group.RESUME, subject, variable.final, expected, other.final, seen, noise=variable.noise)
    for variable in trained:
        if variable.key not in moved:
            yield row_of(
                Group.RESUME, variable.key, Outcome.NOT_EXERCISED,
                detail=f"trainable, and no resumed step moved {variable.path}",
            )  # fmt: skip
    gathered = any("gradient_accumulator" in v.path and v.key in moved for v in then.variables)  # for a later step to apply
    if not gathered and not any(v.key in moved for v in trained):
        yield row_of(Group.RESUME, "steps", Outcome.UNCHECKED, detail="no trainable variable moved in the resumed steps")
    # Where the step was traced on both sides, and its graphs are compared, they tell whether it computes with them.
    traced = same_graphs and all(any(graph.layer == TRAIN_STEP for graph in side.graphs) for side in (then, now))
    if then.moved_attributes != now.moved_attributes and not traced:
        yield row_of(
            Group.RESUME, "Python attributes", Outcome.UNCHECKED, expected=short(list(then.moved_attributes)),
            seen=short(list(now.moved_attributes)),
            detail="other attributes moved in the steps, and there is no graph to tell whether a step depends on them",
        )  # fmt: skip
    for attribute in sorted({*then.moved_attributes, *now.moved_attributes}):
        detail = "a Python attribute that the steps move: no artifact holds it"
        yield row_of(Group.RESUME, attribute, Outcome.NOTED, detail=detail)


def _renumbered(then: Collection[str], now: Collection[str]) -> dict[str, str]:
    """Names of logs that are those of the other side but for Keras' numbers, paired in the order of the numbers."""
    names, others = _without_numbers(then), _without_numbers(now)
    pairs = [(others[key], names[key]) for key in names if len(others.get(key, ())) == len(names[key])]
    return {other: name for pair in pairs for other, name in zip(*pair, strict=True) if other != name}


def _without_numbers(names: Iterable[str]) -> dict[str, list[str]]:
    """The names by what is left of them without Keras' numbers, each list in the order of the numbers: 9 before 10."""
    found: dict[str, list[str]] = {}
    for name in sorted(names, key=_numbers):
        found.setdefault(unnumbered(name), []).append(name)
    return found


def _numbers(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]


def _logs(expected: Side, seen: Side) -> Iterator[Row]:
    then = {log.name: log for log in expected.observation.logs}
    tested = any(name.startswith(OF_A_TEST) for name in then)  # older evidence has nothing of it
    now = {log.name: log for log in seen.observation.logs if tested or not log.name.startswith(OF_A_TEST)}
    renamed = _renumbered(then, now)
    now = {renamed.get(name, name): log for name, log in now.items()}
    for other, name in renamed.items():
        outcome, detail = (
            Outcome.NOTED,
            "Keras numbers names within a process, and neither the configuration nor the builder gives this one",
        )
        if _numbers(other) > _numbers(name):
            outcome = Outcome.CHANGED
            detail = (
                "what loads the model makes another of its kind first, so that it logs under another name than callbacks "
                "look for: give it a name"
            )
        yield row_of(Group.RESUME, f"{name} by name", outcome, expected=name, seen=other, detail=detail)
    dtype = _dtype_of_training(expected.observation)
    for name in [*then, *(name for name in now if name not in then)]:
        if name not in then or name not in now:
            outcome = Outcome.MISSING if name not in now else Outcome.EXTRA
            yield row_of(Group.RESUME, name, outcome, detail="training logs other values after the reload")
        else:
            yield array_row(
                Group.RESUME, f"{name} per step", then[name].values, expected, now[name].values, seen,
                noise=then[name].noise, dtype=dtype,
            )  # fmt: skip


PRECISIONS = ("bfloat16", "float16", "float32", "float64")
"""From the coarsest on."""


def _dtype_of_training(observation: Observation) -> str:
    """The coarsest dtype of what is trained: what is logged was computed from that, and is kept as float64."""
    trained = {variable.value.dtype for variable in observation.variables if variable.kind is Kind.WEIGHT and variable.trainable}
    return next((dtype for dtype in PRECISIONS if dtype in trained), "float32")
