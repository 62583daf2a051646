"""Rows of what a model is: structure and compile settings."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from reloadgate.comparison import Outcome, Row
from reloadgate.evidence import UNSEEDED, Group, Observation, Optimizer
from reloadgate.rows import (
    ABSENT,
    Side,
    array_row,
    as_float32,
    is_rate_in_other_dtype,
    row_of,
    setting_row,
    setting_rows,
    short,
    unequal_places,
)
from reloadgate.text import snake_case

OWN_SWITCHES = (
    "`trainable` or `dtype` of a Sequential itself came back as another, as Keras 3.15.1 does with every one; its layers have "
    "their own, and those are the same"
)
MADE_NAMES = (
    "layers came back under other names, which Keras makes of the class where a `get_config` gives none; they are the same "
    "layers, in the same places"
)
LOSS_SCALE = (
    "`compile` added the loss scale because the global policy was `mixed_float16`, and a fresh process has another: give "
    "`compile` a `LossScaleOptimizer`"
)

WITHIN = ("inner_optimizer", "optimizer_map", "default_optimizer")
"""Settings of an optimizer that hold others."""


def structure_rows(expected: Observation, seen: Observation, rebuilt: bool) -> Iterator[Row]:
    of_class = setting_row(Group.STRUCTURE, "class", expected.class_name, seen.class_name)
    if rebuilt and of_class.outcome is Outcome.CHANGED:
        detail = "the user's own code made it again as another class: what that does is compared"
        of_class = replace(of_class, outcome=Outcome.NOTED, detail=detail)
    yield of_class
    if expected.config is None and rebuilt:
        yield row_of(Group.STRUCTURE, "configuration", Outcome.SKIPPED, detail="the model has no serializable configuration")
    else:
        then: Any = expected.config
        now: Any = seen.config
        for without, detail in ((_without_own_switches, OWN_SWITCHES), (_without_made_names, MADE_NAMES)):
            differed, then, now = then != now, without(then), without(now)
            if differed and then == now:
                yield row_of(Group.STRUCTURE, "configuration", Outcome.NOTED, detail=detail)
        yield from setting_rows(Group.STRUCTURE, "configuration", then, now, rebuilt)
        yield from _inputs(then, now)
    yield from note_rows(expected, seen, rebuilt)


def _inputs(then: Any, now: Any) -> Iterator[Row]:
    """Names of inputs that changed places: what is fed by name goes to the other one, and nothing else tells."""
    before, after = _input_names(then), _input_names(now)
    if before != after and sorted(before) == sorted(after):
        detail = "inputs that are fed by name, as a dict, go where others went: give them the names that they had, in their order"
        yield row_of(
            Group.STRUCTURE, "names of inputs", Outcome.CHANGED, expected=short(before), seen=short(after), detail=detail
        )


def _input_names(config: Any) -> list[str]:
    """The names of a Functional model's inputs, in the order in which they are given; none of another."""
    own = config.get("config") if isinstance(config, dict) else None
    inputs = own.get("input_layers") if isinstance(own, dict) else None
    return [str(one[0]) for one in inputs if isinstance(one, list) and one] if isinstance(inputs, list) else []


def _without_own_switches(config: Any) -> Any:
    """A configuration without what Keras 3.15.1 does not give back to a Sequential, and its layers have for themselves.

    The dtype is what inputs are cast to only where no `InputLayer` says it.
    """
    if isinstance(config, list):
        return [_without_own_switches(item) for item in config]
    if not isinstance(config, dict):
        return config
    kept = {key: _without_own_switches(value) for key, value in config.items()}
    if kept.get("class_name") == "Sequential" and isinstance(own := kept.get("config"), dict) and "layers" in own:
        first = next(iter(own["layers"]), None)
        told = isinstance(first, dict) and first.get("class_name") == "InputLayer"
        kept["config"] = {k: v for k, v in own.items() if k != "trainable" and not (k == "dtype" and told)}
    return kept


def _without_made_names(config: Any) -> Any:
    """A configuration in which a layer whose own one has no name has its place in the Functional model in the place of the name
    that Keras makes of its class, numbered anew in every process."""
    if isinstance(config, list):
        return [_without_made_names(item) for item in config]
    if not isinstance(config, dict):
        return config
    kept = {key: _without_made_names(value) for key, value in config.items()}
    if isinstance(layers := kept.get("layers"), list):
        places = {layer["name"]: f"layer {place}" for place, layer in enumerate(layers) if _is_made_name(layer)}
        kept = _renamed(kept, places) if places else kept
    return kept


def _is_made_name(layer: Any) -> bool:
    """As Keras makes it: a class in snake case, and a number from the second one on."""
    name = layer.get("name") if isinstance(layer, dict) else None
    if not isinstance(name, str) or not isinstance(own := layer.get("config"), dict) or "name" in own:
        return False
    return re.fullmatch(rf"{re.escape(snake_case(str(layer.get('class_name'))))}(_\d+)?", name) is not None


def _renamed(config: Any, names: Mapping[str, str]) -> Any:
    """Names of layers, and where a tensor comes from: a layer, which of its calls, which of the outputs."""
    if isinstance(config, list):
        if len(config) == 3 and isinstance(config[0], str) and all(isinstance(number, int) for number in config[1:]):
            return [names.get(config[0], config[0]), *config[1:]]
        return [_renamed(item, names) for item in config]
    if not isinstance(config, dict):
        return config
    renamed = {key: _renamed(value, names) for key, value in config.items()}
    if "inbound_nodes" in config and isinstance(config.get("name"), str):
        renamed["name"] = names.get(config["name"], config["name"])
    return renamed


RETRACED = ("unroll", "use_cudnn")
"""Settings of layers that say how is computed, and not what, and with which other operations are traced."""

EXECUTION = ("jit_compile", "run_eagerly", *RETRACED)
"""With those of `compile`, whose graphs are the same: the last bits may be others, as elsewhere."""


def computed_otherwise(expected: Observation, seen: Observation) -> tuple[str, ...]:
    """What of two models has what is computed come out in other last bits, as `name: then → now`: replicas among which rows are
    divided, and rates that are held in another dtype."""
    now = {variable.key: variable for variable in seen.variables}
    pairs = [(one, now[one.key]) for one in expected.variables if one.key in now]
    rates = [f"{a.path}: {a.value.dtype} → {b.value.dtype}" for a, b in pairs if is_rate_in_other_dtype(a, b)]
    replicas = [f"replicas: {expected.replicas} → {seen.replicas}"] * (expected.replicas != seen.replicas)
    return (*replicas, *rates)


def execution_changes(expected: Observation, seen: Observation, names: tuple[str, ...]) -> tuple[str, ...]:
    """Which of those settings is another, as `name: then → now`, where nothing but `EXECUTION` is, and the names."""
    then, now = [expected.config, expected.compile_config], [seen.config, seen.compile_config]
    places = unequal_places(then, now, "settings") if then != now else ()  # which is quicker, and usual
    settings = [(place.rpartition(".")[2], then, now) for place, then, now in places]
    if any(name not in (*EXECUTION, "name") for name, _, _ in settings):
        return ()
    return tuple(f"{name}: {short(then)} → {short(now)}" for name, then, now in settings if name in names)


def run_otherwise(expected: Observation, seen: Observation) -> tuple[str, ...]:
    """How the model is run where that is another with the same settings: set as an attribute, or by op determinism."""
    if (expected.config, expected.compile_config) != (seen.config, seen.compile_config):
        return ()
    then, now = expected.execution, seen.execution
    names = sorted({*then, *now}) if then else ()  # of which older evidence tells nothing
    return tuple(f"{one}: {then.get(one)} → {now.get(one)}" for one in names if then.get(one) != now.get(one))


def note_rows(expected: Observation, seen: Observation, rebuilt: bool) -> Iterator[Row]:
    """What could not be observed: on the reloaded side alone it is broken, on the saved side unchecked. An operation that only
    refuses to draw without a seed, which the training process had set, is not broken."""
    before = {(note.group, note.subject) for note in expected.notes}
    for note in expected.notes:
        if rebuilt and note.subject == "configuration":
            continue
        detail = f"could not be observed when the model was saved: {note.message}"
        yield row_of(note.group, note.subject, Outcome.UNCHECKED, detail=detail)
    for note in seen.notes:
        if (note.group, note.subject) not in before:
            outcome, detail = Outcome.BROKEN, "worked in the training process, and fails after the reload"
            if UNSEEDED in note.message:
                outcome = Outcome.UNCHECKED
                detail = f"drew from TensorFlow's generator in the training process, whose seed no artifact holds: {note.message}"
            yield row_of(note.group, note.subject, outcome, seen=note.message, detail=detail)


def compile_rows(expected: Side, seen: Side, rebuilt: bool) -> Iterator[Row]:
    then, now = expected.observation, seen.observation
    yield setting_row(Group.COMPILE, "compiled", then.compiled, now.compiled)
    if not then.compiled or not now.compiled:
        return
    before, after = then.compile_config or {}, now.compile_config or {}
    for key in sorted({*before, *after} - {"optimizer"}):
        yield from setting_rows(Group.COMPILE, key, before.get(key, ABSENT), after.get(key, ABSENT), rebuilt)
    optimizers = {optimizer.key: optimizer for optimizer in now.optimizers}
    for optimizer in then.optimizers:
        other = optimizers.get(optimizer.key)
        if other is not None:
            row = setting_row(Group.COMPILE, f"{optimizer.key} class", optimizer.class_name, other.class_name)
            added = optimizer.class_name == "LossScaleOptimizer" and before.get("optimizer") != optimizer.config
            yield replace(row, detail=LOSS_SCALE) if added and row.outcome is Outcome.CHANGED else row
            yield from setting_rows(Group.COMPILE, optimizer.key, _without_name(optimizer), _without_name(other))
            yield from _learning_rate(optimizer, other, expected, seen)
    yield _metrics(then, now)


def _metrics(then: Observation, now: Observation) -> Row:
    """What the metrics had summed up. Training does not go on from it: `fit` resets it with every epoch."""
    values = {variable.key: variable.value.sha256 for variable in now.metrics}
    lost = sorted({v.key.rpartition("/")[0] for v in then.metrics if values.get(v.key) != v.value.sha256})
    if not lost:
        return row_of(Group.COMPILE, "state of the metrics", Outcome.SAME)
    detail = (
        f"what {', '.join(lost)} had summed up did not come back: no format of Keras holds it, and `fit` begins every epoch "
        "without it; the evidence has it, and SaveVersions gives it back where training goes on within an epoch"
    )
    return row_of(Group.COMPILE, "state of the metrics", Outcome.SKIPPED, detail=detail)


def _without_name(optimizer: Optimizer) -> dict[str, Any]:
    """An optimizer's configuration without its class, which has a row of its own, and without names; a rate as float32, the
    narrowest that it is held in (that of a process whose `floatx` is another)."""
    kept = {key: value for key, value in _unnamed(optimizer.config).items() if key != "class_name"}
    settings = kept.get("config")
    if isinstance(settings, dict) and isinstance(rate := settings.get("learning_rate"), float):
        kept["config"] = settings | {"learning_rate": as_float32(rate)}
    return kept


def _unnamed(config: dict[str, Any]) -> dict[str, Any]:
    """A serialized optimizer without its name and those of the ones within it: Keras numbers them within a process."""
    settings = config.get("config")
    if not isinstance(settings, dict):  # the optimizers of an `OptimizerMap`, by pattern
        return {key: _unnamed(one) if isinstance(one, dict) else one for key, one in config.items()}
    kept = {key: value for key, value in settings.items() if key != "name"}
    inner = {key: _unnamed(value) for key, value in kept.items() if key in WITHIN and isinstance(value, dict)}
    return {**config, "config": kept | inner}


def _learning_rate(then: Optimizer, now: Optimizer, expected: Side, seen: Side) -> Iterator[Row]:
    subject = f"{then.key} learning rate"
    if then.learning_rate is None or now.learning_rate is None:
        yield row_of(Group.COMPILE, subject, Outcome.UNCHECKED, detail="the learning rate could not be read")
    else:
        yield array_row(Group.COMPILE, subject, then.learning_rate, expected, now.learning_rate, seen)
