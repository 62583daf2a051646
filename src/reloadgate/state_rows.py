"""Rows of what a model is and holds: structure, compile settings, weights, assets, optimizer, random state."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from reloadgate.comparison import Outcome, Row
from reloadgate.evidence import (
    UNSEEDED,
    Group,
    Kind,
    Observation,
    Optimizer,
    ReloadedEvidence,
    Variable,
)
from reloadgate.formats import FORMATS
from reloadgate.rows import (
    ABSENT,
    UNBUILT,
    Side,
    advanced,
    array_row,
    as_float32,
    is_rate_in_other_dtype,
    rate_row,
    row_of,
    setting_row,
    setting_rows,
    short,
    unbuilt,
    unequal_places,
)

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


def group_of(variable: Variable) -> Group:
    """The group that a variable's rows are in: what Keras stores of an optimizer within another is no asset of a layer's."""
    if variable.kind is Kind.ASSET and _OPTIMIZER.match(variable.key):
        return Group.OPTIMIZER
    return _GROUP_OF_KIND.get(variable.kind, Group.STRUCTURE)


def inner_optimizer(variable: Variable) -> str:
    """Where the optimizer lies whose state this is, of a model within the model; "" of everything else."""
    found = _OPTIMIZER.match(variable.key) if variable.kind is Kind.ASSET else None
    return f"{found['inner']}/optimizer" if found and found["inner"] else ""


# Structure and compile settings


STORED = (Kind.WEIGHT, Kind.SLOT, Kind.ASSET)


def stored_rows(expected: Observation, reloaded: ReloadedEvidence) -> Iterator[Row]:
    """What the artifact itself holds, against the live model: loading may hide what is missing or wrong in it."""
    holds_it = FORMATS[reloaded.artifact.format].HOLDS_CONFIGURATION
    if holds_it and reloaded.loaded and (reloaded.stored_config is None or reloaded.stored_variables is None):
        yield row_of(Group.STRUCTURE, "stored", Outcome.UNCHECKED, detail="what the file itself holds was not read")
    if reloaded.stored_config is not None and expected.config is not None:
        architecture = {key: value for key, value in reloaded.stored_config.items() if key != "compile_config"}
        yield from setting_rows(Group.STRUCTURE, "stored", expected.config, architecture)
        yield from setting_rows(Group.COMPILE, "stored", expected.compile_config, reloaded.stored_config.get("compile_config"))
    if reloaded.stored_variables is None:
        return
    stored, known = reloaded.stored_variables, _by_stored_path((*expected.variables, *expected.assets))
    for key, variable in known.items():
        if "vars/" in key and variable.kind in STORED and key not in stored:
            detail = f"{variable.path} is not in the file"
            yield row_of(group_of(variable), f"file: {key}", Outcome.MISSING, detail=detail)
    yield from _hidden_rows(stored, known, reloaded.observation)
    for key in sorted({*stored} - {*known}):
        group = Group.OPTIMIZER if "optimizer" in key else Group.WEIGHTS
        yield row_of(group, f"file: {key}", Outcome.EXTRA, detail="the file holds a variable that the live model does not have")


def _by_stored_path(variables: Iterable[Variable]) -> dict[str, Variable]:
    return {key: variable for variable in variables for key in (variable.key, *variable.also)}


def _hidden_rows(stored: Mapping[str, str], known: Mapping[str, Variable], seen: Observation | None) -> Iterator[Row]:
    """What the file holds otherwise and loading hides: of what it holds twice, another Keras may take the other one."""
    loaded = _by_stored_path((*seen.variables, *seen.assets)) if seen else {}
    for key, variable in known.items():
        # A place that no layer of the loaded model has any more hides what it holds, too.
        now = loaded.get(key) or (variable if seen is not None and key in variable.also else None)
        if now is not None and stored.get(key) and stored[key] != variable.value.sha256 == now.value.sha256:
            detail = f"the file holds other values of {variable.path} than those that are loaded: it holds them twice"
            yield row_of(group_of(variable), f"file: {key}", Outcome.CHANGED, detail=detail)


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
    snake = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", str(layer.get("class_name"))))
    snake = re.sub("([a-z])([A-Z])", r"\1_\2", snake).lower()
    return re.fullmatch(rf"{re.escape(snake)}(_\d+)?", name) is not None


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


def execution_changes(expected: Observation, seen: Observation, names: tuple[str, ...] = EXECUTION) -> tuple[str, ...]:
    """Which of those settings is another, as `name: then → now`, where nothing but `EXECUTION` is, and the names."""
    then, now = [expected.config, expected.compile_config], [seen.config, seen.compile_config]
    places = unequal_places(then, now, "settings") if then != now else ()  # which is quicker, and usual
    settings = [(place.rpartition(".")[2], then, now) for place, then, now in places]
    if any(name not in (*EXECUTION, "name") for name, _, _ in settings):
        return ()
    return tuple(f"{name}: {short(then)} → {short(now)}" for name, then, now in settings if name in names)


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


# Variables


def variable_rows(expected: Side, seen: Side, rebuilt: bool) -> Iterator[Row]:
    """A row for every variable and asset.

    Args:
        rebuilt: the user's own code made the model again, and may have given a lookup its vocabulary in another way.
    """
    then, now = expected.observation, seen.observation
    before = {v.key: v for v in (*then.variables, *then.assets)}
    after = {v.key: v for v in (*now.variables, *now.assets)}
    moved = advanced(then)
    names = {variable.name for variable in now.variables}
    built = {o.key: o.was_built for o in now.optimizers}
    others, empty = set[str](), unbuilt(then, now)
    for key in [*before, *(key for key in after if key not in before)]:
        variable = before.get(key) or after[key]
        if variable.kind is Kind.UNTRACKED:
            continue  # `unheld_rows.py`
        if variable.kind is Kind.RANDOM_STATE:
            yield _random_state(before.get(key), after.get(key), key in moved)
            if key in before and key in after:
                yield from _role(Group.RANDOM_STATE, before[key], after[key], names)
            continue
        group = group_of(variable)
        inner = inner_optimizer(variable)
        if inner and not (key in before and key in after and before[key].value.sha256 == after[key].value.sha256):
            others.add(inner)
            continue
        if key not in after or key not in before:
            outcome = Outcome.MISSING if key not in after else Outcome.EXTRA
            detail = f"{variable.path} ({variable.kind}) is {outcome} after the reload"
            if key.rpartition("/vars/")[0] in empty:
                detail = f"{detail}: {UNBUILT}"
            if variable.kind is Kind.REPLICA:
                detail = f"{variable.path} holds other values than the first replica, and no artifact has a place for them"
            layer = _looked_up_by(key, before if key in before else after)
            if rebuilt and layer and _computes_the_same(layer, then, now):
                outcome, detail = Outcome.NOTED, "it is given in another way on one side, and what is looked up is the same"
            yield row_of(group, key, outcome, detail=detail)
            continue
        if is_rate_in_other_dtype(before[key], after[key]):
            yield rate_row(group, key, before[key].value, expected, after[key].value, seen)
            continue
        row = array_row(group, key, before[key].value, expected, after[key].value, seen)
        if row.outcome is Outcome.DIFFERS or row.difference is not None:
            row = replace(row, **_cause(before[key], after[key], before, after, built))
        yield row
        yield from _role(group, before[key], after[key], names)
    for path in sorted(others):
        detail = (
            "this optimizer of a model within this one, which was compiled by itself, came back with other state: what trains "
            "the whole has rows of its own"
        )
        yield row_of(Group.OPTIMIZER, path, Outcome.NOTED, detail=detail)
    swapped = list(_swapped_names(then.variables, now.variables))
    yield from swapped
    yield from _exchanged_names(then.variables, now.variables, {row.subject for row in swapped})
    yield from _optimizer_presence(then, now)


VOCABULARY = "/vocabulary.txt"


def _looked_up_by(key: str, known: Mapping[str, Variable]) -> str:
    """The layer whose lookup a vocabulary is of; "" of another asset.

    A TextVectorization stores that of its own lookup twice, and calls it itself.
    """
    layer = key.removesuffix(VOCABULARY) if key.endswith(VOCABULARY) else ""
    outer = layer.removesuffix("/_lookup_layer")
    return outer if f"{outer}{VOCABULARY}" in known else layer


def _computes_the_same(layer: str, then: Observation, now: Observation) -> bool:
    """Whether a lookup's own graphs are there on both sides, and are the same: with them, what its table holds.

    Those of the layer around it would not do: it may hold a lookup that it does not call, whose table is in no graph.
    """
    found = [{g.mode: (g.operations, g.constants, g.wiring) for g in side.graphs if g.layer == layer} for side in (then, now)]
    return bool(found[0]) and found[0] == found[1]


def _role(group: Group, then: Variable, now: Variable, names: set[str]) -> Iterator[Row]:
    """What a variable is for, where that is another after the reload; its chosen name, where no variable has it any more."""
    if (then.kind, then.trainable) != (now.kind, now.trainable):
        roles = [f"{v.kind}, {'trainable' if v.trainable else 'not trainable'}" for v in (then, now)]
        detail = f"{then.path} came back with another role"
        yield row_of(group, then.key, Outcome.CHANGED, expected=roles[0], seen=roles[1], detail=detail)
    if then.treatment is not None and now.treatment is not None and then.treatment != now.treatment:
        detail = (
            f"{then.path} is frozen, so that no step shows it: where it is trained again, it has another regularizer, constraint "
            "or weight decay. Give them to the layer's constructor, and let `get_config` give them back"
        )
        yield row_of(
            Group.STRUCTURE, f"{then.key} when trained", Outcome.UNCHECKED, expected=short(then.treatment or "none"),
            seen=short(now.treatment or "none"), detail=detail,
        )  # fmt: skip
    if then.name and then.name not in names and then.value.sha256 != now.value.sha256:
        detail = "the name that was chosen for it is another after the reload"
        yield row_of(group, then.key, Outcome.NOTED, expected=then.name, seen=now.name, detail=detail)


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
    alike = (key for key, other in before.items() if key != then.key and other.kind is then.kind)
    if source := next((key for key in alike if before[key].value.sha256 == now.value.sha256), None):
        detail = (
            f"{then.path} came back with the values of {source}: restored in another order, or under a name that is there twice"
        )
        return {"outcome": Outcome.SWAPPED, "detail": detail}
    return {"detail": f"{then.path} has other values after the reload"}


def _optimizer_presence(then: Observation, now: Observation) -> Iterator[Row]:
    before, after = ({optimizer.key: optimizer for optimizer in side.optimizers} for side in (then, now))
    for key in sorted({*before, *after}):
        if key not in after or key not in before:
            outcome = Outcome.MISSING if key not in after else Outcome.EXTRA
            class_name = (before.get(key) or after[key]).class_name
            yield row_of(
                Group.OPTIMIZER, key, outcome, expected=class_name, detail=f"this optimizer is {outcome} after the reload"
            )
        elif not before[key].was_built:
            yield row_of(Group.OPTIMIZER, key, Outcome.NOTED, detail="it had never trained when it was saved")
        elif not after[key].was_built:
            detail = "it came back without slots and got them when it was built: its rows say whether their values came too"
            yield row_of(Group.OPTIMIZER, key, Outcome.NOTED, detail=detail)


def _swapped_names(expected: tuple[Variable, ...], seen: tuple[Variable, ...]) -> Iterator[Row]:
    """Variables whose chosen names moved to another storage path: what Keras' own mapping swaps, its paths cannot see."""
    then, now = _by_chosen_name(expected), _by_chosen_name(seen)
    for name in sorted({*then} & {*now}):
        here, there = then[name], now[name]
        if here.key != there.key and here.value.sha256 != there.value.sha256:
            other = next((n for n, v in then.items() if v.key == there.key), there.key)
            yield row_of(
                group_of(here), here.key, Outcome.SWAPPED, expected=f"{name} at {here.key}",
                seen=f"{name} at {there.key}", detail=f"{name} came back with the values of {other}",
            )  # fmt: skip


def _exchanged_names(expected: tuple[Variable, ...], seen: tuple[Variable, ...], told: set[str]) -> Iterator[Row]:
    """Names that Keras makes and that now are those of other variables, where all names are there again: `get_layer` and whatever
    else goes by names gets the other one. Where any name is new, Keras has only numbered on.

    Args:
        told: the variables of which this was said already.
    """
    then, now = ({v.path: v for v in side if v.kind is Kind.WEIGHT} for side in (expected, seen))
    if {*then} != {*now} or len(then) != sum(v.kind is Kind.WEIGHT for v in expected):
        return
    for path, here in then.items():
        there = now[path]
        if here.key != there.key and here.value.sha256 != there.value.sha256 and here.key not in told:
            detail = (
                f"{path} is the name of another variable after the reload, and what goes by names gets that: Keras names layers "
                "by their class, in the order in which they are made"
            )
            yield row_of(
                group_of(here), here.key, Outcome.SWAPPED, expected=f"{path} at {here.key}", seen=f"{path} at {there.key}",
                detail=detail,
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
        return row_of(Group.RANDOM_STATE, key, Outcome.SKIPPED, detail="it differs, and training does not use it")
    return row_of(
        Group.RANDOM_STATE, key, Outcome.LOST,
        detail="the artifact does not hold it: without it training goes on with other random numbers",
    )  # fmt: skip
