"""Rows of what no artifact holds: state outside of Keras, what the graphs compute with, generators of the process."""

import json
import re
from collections.abc import Iterator, Sequence

from reloadgate.comparison import Outcome, Row
from reloadgate.evidence import PREDICT, STEPS, TRAIN_STEP, TRAINING, Attribute, Graph, Group, Kind, Observation
from reloadgate.rows import ABSENT, UNBUILT, Side, row_of, short, unbuilt


def unheld_rows(
    expected: Side, seen: Side, behaves_otherwise: bool, same_graphs: bool, settings: Sequence[Row] = ()
) -> Iterator[Row]:
    """State that `call` uses and Keras does not track, and constants of the graph: they name the layer.

    Args:
        behaves_otherwise: whether a prediction or a resumed step differs; where none does, the probe alone is the same.
        same_graphs: in another environment other graphs may be traced, and other constants computed.
        settings: the rows of settings that the user's code gave other values when it made the model again: the first suspects.
    """
    computed = Outcome.CHANGED if behaves_otherwise else Outcome.UNCHECKED
    rows = [
        *_untracked(expected, seen, computed),
        *_attributes(expected.observation, seen.observation, computed),
        *_graphs(expected.observation, seen.observation, computed if same_graphs else Outcome.NOTED, settings),
        *_not_traced(expected.observation),
    ]
    yield from rows or [row_of(Group.STRUCTURE, "state that is not tracked", Outcome.SAME)]
    draws = dict.fromkeys((graph.layer, one) for graph in expected.observation.graphs for one in graph.random_operations)
    of_layers = {operation for layer, operation in draws if layer not in STEPS}
    for layer, operation in draws:
        if layer in STEPS and operation in of_layers:
            continue  # a step calls the layers
        detail = (
            f"{operation} draws from TensorFlow's global generator, whose state nobody keeps: use keras.random with a "
            "SeedGenerator"
        )
        yield row_of(Group.RANDOM_STATE, f"{layer or 'model'}: {operation}", Outcome.LOST, detail=detail)
    for generator in sorted({*expected.observation.generators, *seen.observation.generators}):
        detail = f"training draws from `{generator}`, whose state nobody keeps: use keras.random with a SeedGenerator"
        yield row_of(Group.RANDOM_STATE, generator, Outcome.LOST, detail=detail)


def _untracked(expected: Side, seen: Side, outcome: Outcome) -> Iterator[Row]:
    then, now = ({v.key: v for v in side.observation.variables if v.kind is Kind.UNTRACKED} for side in (expected, seen))
    empty = unbuilt(expected.observation, seen.observation)
    counting = {_optimizer_of(one.path) for one in (*then.values(), *now.values()) if re.search(r"/iteration(:\d+)?$", one.path)}
    for key in sorted({*then, *now}):
        if key in then and key in now and then[key].value.sha256 == now[key].value.sha256:
            continue
        owner, path = key.removeprefix("untracked/").rpartition("/")[0], (then.get(key) or now[key]).path
        if owner in STEPS and _optimizer_of(path) in counting:
            detail = (
                f"the {owner} uses the variable {path}, of an optimizer that is not the model's own or that loading left "
                "unbuilt: it is another after the reload, or gone"
            )
            yield row_of(Group.STRUCTURE, key, outcome, detail=detail)
            continue
        if owner in STEPS:
            detail = (
                f"the {owner} uses the variable {path}, which Keras does not track: it is another after the reload, or gone. "
                "Make it with add_weight, in a layer or the model itself"
            )
            yield row_of(Group.STRUCTURE, key, outcome, detail=detail)
            continue
        if owner in empty:
            detail = f"{path}: {UNBUILT}"
        elif key.startswith("untracked/"):
            detail = (
                f"{_called(owner)} uses the variable {path}, which Keras does not track, so no artifact holds it: make it with "
                "add_weight, in an attribute that is set after super().__init__()"
            )
        else:
            detail = f"the {owner} uses the variable {path}, which is not one of its `variables`, so no artifact holds it"
        yield row_of(Group.STRUCTURE, key, outcome, detail=detail)


def _optimizer_of(path: str) -> str:
    """The name of the optimizer whose variable this may be, as Keras gives it; some of those of one are numbered on."""
    return re.sub(r"_\d+$", "", path.partition("/")[0])


def _attributes(expected: Observation, seen: Observation, outcome: Outcome) -> Iterator[Row]:
    """Settings that the constructors of the user's classes take, and that came back as others: what depends on them may lie
    beyond the probe, or in a method that nobody calls here. What else such objects keep is told of, as a count of calls."""
    now, moved = {one.key: one for one in seen.attributes}, {*expected.moved_attributes, *seen.moved_attributes}
    objects = {_object_of(key) for key in (*now, *moved)}
    eager = bool((expected.compile_config or {}).get("run_eagerly"))
    differing = [one for one in expected.attributes if one.key not in now or not _equal(one.value, now[one.key].value)]
    lost = {_object_of(one.key) for one in differing if one.argument}
    for one in differing:
        there, gone, count = one.key in now, _object_of(one.key) not in objects, one.key in moved
        if one.argument:
            worth = outcome if one.read or gone else Outcome.NOTED
            detail = _of_an_argument(one, gone)
        elif there and one.read and not count and _object_of(one.key) in lost:
            worth = outcome
            detail = "an argument of the constructor came back with another value, and so did this, which may be made of it"
        elif eager and one.read and count:
            worth = outcome
            detail = "the steps move this Python attribute, which no artifact holds, and run eagerly: what depends on it is lost"
        elif one.method and one.method == one.key.rpartition(".")[2]:
            worth = outcome if one.read or outcome is Outcome.CHANGED else Outcome.NOTED
            detail = (
                f"the {_object_of(one.key)} had its own `{one.method}`, which did not come back as it was: no artifact "
                "holds a method" + (", and no check goes through this one" if one.read else "")
            )
        elif one.method and (there or not one.made):
            worth = Outcome.UNCHECKED
            detail = (
                f"the model's own `{one.method}` reads this, which came back with another value or not at all: no artifact "
                "holds it, and no check goes through that method"
            )
        elif there:
            worth, detail = Outcome.NOTED, "a Python attribute that came back with another value: no artifact holds it"
        else:
            continue  # what is made at the first call may not be there yet
        after = short(now[one.key].value) if there else ABSENT
        yield row_of(Group.STRUCTURE, one.key, worth, expected=short(one.value), seen=after, detail=detail)


def _equal(value: str, other: str) -> bool:
    """As Python has it, to whom a flag is a number: 1 may come back as true."""
    if value == other:
        return True
    try:
        return bool(json.loads(value) == json.loads(other))
    except ValueError:  # a digest of what is long
        return False


def _object_of(key: str) -> str:
    return key.rpartition(".")[0]


def _of_an_argument(one: Attribute, gone: bool) -> str:
    name = one.key.rpartition(".")[2].lstrip("_")
    if gone:
        return f"the {_object_of(one.key)} of the training process, whose constructor takes `{name}`, is gone"
    said = f"the constructor takes `{name}`, and what made the model again gave it another value"
    if not one.read:
        return f"{said}; nothing reads it once the object is made, and what is made with it is compared"
    return f"{said}: let `get_config` give it back, or the builder or loader the same one"


def _not_traced(saved: Observation) -> Iterator[Row]:
    """Of Python that only runs eagerly, and under a distribution strategy, there is nothing to look into."""
    shown = {TRAIN_STEP if graph.layer == TRAIN_STEP else graph.mode for graph in saved.graphs}
    for wanted in (PREDICT, TRAIN_STEP) if saved.logs else (PREDICT,):
        if wanted not in shown:
            detail = "no graph of it was traced when the model was saved: what the probe's rows do not reach is not looked into"
            yield row_of(Group.STRUCTURE, wanted, Outcome.NOTED, detail=detail)
    unseen = dict.fromkeys((graph.layer, one) for graph in saved.graphs for one in graph.unseen_operations)
    of_layers = {operation for layer, operation in unseen if layer not in STEPS}
    for layer, operation in unseen:
        if layer in STEPS and operation in of_layers:
            continue  # a step calls the layers
        what = "reads a file" if operation == "ReadFile" else "calls a function of Python"
        detail = f"it {what} where it computes: what that depends on is in no graph, and not looked into beyond the probe's rows"
        yield row_of(Group.STRUCTURE, f"{layer or 'model'}: {operation}", Outcome.NOTED, detail=detail)


def _graphs(expected: Observation, seen: Observation, outcome: Outcome, settings: Sequence[Row]) -> Iterator[Row]:
    differing = list(_differing_graphs(expected, seen, outcome, _suspected(settings)))
    if differing and expected.graph_scheme != seen.graph_scheme:
        detail = (
            "the evidence was made by another version of reloadgate, which looked into graphs in another way: save or record the "
            "version again"
        )
        differing = [row_of(Group.STRUCTURE, "graphs", outcome, detail=detail)]
    yield from differing


def _suspected(settings: Sequence[Row]) -> str:
    """What the code depends on that computes otherwise, as far as settings tell."""
    told = [f"{one.subject} ({one.expected} → {one.seen})" for one in settings if not one.subject.endswith(".name")]
    if not told:
        return "is neither a weight nor in a configuration"
    return f"is another after the reload, as {', '.join(told[:3])}"


def _differing_graphs(expected: Observation, seen: Observation, outcome: Outcome, suspected: str) -> Iterator[Row]:
    unseen = ". On the probe that makes no difference; on other rows it may" if outcome is Outcome.UNCHECKED else ""
    found, pairs = set[str](), list[tuple[Graph, Graph]]()
    for mode in (TRAINING, PREDICT):
        then, now = ({graph.layer: graph for graph in side.graphs if graph.mode == mode} for side in (expected, seen))
        for step in STEPS:
            if step not in then:  # nothing to hold it against
                now.pop(step, None)
        if then and not now:
            detail = f"what the model does in the mode `{mode}` was traced in the training process, and cannot be traced"
            divided = Outcome.NOTED if seen.replicas > 1 else Outcome.UNCHECKED  # of which there is none with any strategy
            yield row_of(Group.STRUCTURE, f"graphs of {mode}", divided, detail=detail)
            continue
        pairs += [(one, now[layer]) for layer, one in then.items() if layer in now]
        steps = [step for step in STEPS if step in then or step in now]
        for layer in [*sorted({*then, *now} - {*STEPS}), *steps] if then else ():
            # A layer that computes nothing is not there.
            one, other = then.get(layer), now.get(layer)
            what = next((w for w in ("operations", "constants") if getattr(one, w, None) != getattr(other, w, None)), None)
            if what is None or layer in found or (layer in STEPS and found):
                continue
            found.add(layer)
            name, its = _called(layer), "its `call`"
            if layer in STEPS:
                its = (
                    "the loss, the optimizer, a constraint or `train_step`" if layer == TRAIN_STEP else "a metric or `test_step`"
                )
            elif mode == PREDICT and not layer:
                its = "its `call` or `predict_step`"
            detail = (
                f"{name} computes with other {what} than in the training process: something that {its} depends on "
                f"{suspected}{unseen}"
            )
            yield row_of(Group.STRUCTURE, f"{layer or 'model'} {what}", outcome, detail=detail)
    # What comes after a difference differs by it.
    wired = next((one for one, other in pairs if other.wiring != one.wiring), None)
    if wired is not None and not found:
        detail = (
            f"{_called(wired.layer)} does what it did in the training process with other variables, or in another order: what "
            f"says which goes where is neither a weight nor in a configuration{unseen}"
        )
        yield row_of(Group.STRUCTURE, f"{wired.layer or 'model'} wiring", outcome, detail=detail)


def _called(layer: str) -> str:
    if layer in ("", "model"):  # as what a graph or a variable lies in
        return "the model"
    return f"the {layer}" if layer in STEPS else f"the layer {layer}"
