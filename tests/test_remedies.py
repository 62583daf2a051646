"""Remedies: a row that tells its cause is answered by what mends that cause, and not by what mends the usual one of its group.

Those of what only a reload finds are asserted where it is reloaded (`test_outside.py`, `test_engine.py`).
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders import DECODER, ENCODER, LARGE, MEAN, STATE, UNTRACKED, Changed, build, row, values
from reloadgate.comparison import Outcome
from reloadgate.evidence import GRAPH_SCHEME, TRAIN_STEP, Attribute, Group, Kind, Observation
from reloadgate.inspection import said
from reloadgate.inspection.found import Report
from reloadgate.remedies import remedy

LAMBDA = "ValueError: Requested the deserialization of a `Lambda` layer whose `function` is a Python lambda. This carries"
GONE = "ValueError: File not found: filepath=models/m/1.0.0/model.keras. Please ensure the file is an accessible `.keras` zip"
SKIPPED = "UserWarning: Skipping variable loading for optimizer 'adam', because it has 2 variables whereas the saved has 10"
OTHERS = "ValueError: A total of 3 objects could not be loaded. Example error message for object <Dense name=dense, built=True>"
UNKNOWN = "ValueError: Unknown variable: <Variable path=sequential/hidden/kernel, shape=(4, 8), dtype=float32>. This optimizer"


@pytest.mark.parametrize(
    ("group", "seen", "told"),
    [
        (Group.LOAD, LAMBDA, "write the lambda as a function"),
        (Group.LOAD, GONE, "take the version back"),
        (Group.LOAD, SKIPPED, "`compile` again where `trainable` changed"),
        (Group.LOAD, OTHERS, "other variables than the model"),
        (Group.LOAD, OTHERS, "comes back as two"),
        (Group.LOAD, "ValueError: Unrecognized keyword arguments passed to Net: {'layers': []}", "what `get_config` returns"),
        (Group.LOAD, 'ValueError: The name "Block" is used 2 times in the model.', "`super().get_config()`"),
        (
            Group.LOAD,
            "ValueError: 'keras.metrics.mse' is not a KerasSaveable subclass",
            "`.h5` reads",
        ),
        (
            Group.LOAD,
            "ValueError: Attempt to convert a value ({'class_name': '__tensor__'})",
            "plain numbers",
        ),
        (
            Group.LOAD,
            "TypeError: <class 'Net'> could not be deserialized properly. config={'class_name': '__numpy__', 'config': {}}",
            "plain numbers",
        ),
        (
            Group.LOAD,
            "ValueError: Received incompatible tensor with shape (3,) when attempting to restore variable with shape (4,)",
            "other variables than the model",
        ),
        (Group.LOAD, "AttributeError: 'GRUCell' object has no attribute 'kernel'", "build before you restore"),
        (Group.PREDICTIONS, "NameError: Exception encountered when calling Lambda.call()", "write the lambda as a function"),
        (Group.STRUCTURE, "FailedPreconditionError: HashTable is not initialized.", "vocabularies"),
        (Group.LOAD, "ValueError: Unknown layer: 'Net'", "@keras.saving.register_keras_serializable"),
        (Group.LOAD, "ValueError: too many values to unpack (expected 1)", "`evidence/` lies beside"),
        (Group.RESUME, UNKNOWN, "`.h5` gives back none"),
        (Group.RESUME, "AttributeError: 'Net' object has no attribute 'alpha'", "`compile_from_config`"),
        (Group.RESUME, "ValueError: something else", "look at the rows of weights"),
    ],
)
def test_what_keras_says_has_the_remedy_of_its_cause(group: Group, seen: str, told: str) -> None:
    assert told in remedy(row(group, Outcome.BROKEN, seen=seen))


@pytest.mark.parametrize(
    ("code", "told"),
    [("truncated", "is damaged"), ("undeclared-class", "is whole"), ("pickle", "is whole"), ("too-deep", "is whole")],
)
def test_what_inspection_refuses_is_called_damaged_only_where_it_is(code: str, told: str) -> None:
    report = Report("model.keras")
    report.refuse(code, "config.json", "what it found")
    assert told in remedy(row(Group.INSPECT, Outcome.BROKEN, detail=said(report.findings[0])))


@pytest.mark.parametrize("group", [Group.COMPILE, Group.OPTIMIZER])
def test_what_an_own_loader_did_not_give_back_is_for_the_loader_to_mend(group: Group) -> None:
    for outcome in (Outcome.MISSING, Outcome.DIFFERS):
        assert "`.keras`" in remedy(row(group, outcome, artifact="model.keras"))
        assert "without `compile=False`" in remedy(row(group, outcome, artifact="."))


@pytest.mark.parametrize("group", [one for one in Group if one is not Group.LOCATION])  # its rows of DVC are of who has it
def test_a_command_of_dvc_is_advised_to_those_alone_who_have_dvc(group: Group) -> None:
    for found in (remedy(row(group, outcome)) for outcome in Outcome):
        assert "with DVC" in found or not re.search("`(dvc|git checkout dvc)", found), found


def of_graphs(layer: str, **changed: str) -> Changed:
    return lambda o: replace(o, graphs=tuple(replace(g, **changed) if g.layer == layer else g for g in o.graphs))


def as_key(old: str, new: str) -> Changed:
    """A variable under another key."""
    return lambda o: replace(o, variables=tuple(replace(v, key=new) if v.key == old else v for v in o.variables))


def frozen(key: str) -> Changed:
    return lambda o: replace(o, variables=tuple(replace(v, trainable=False) if v.key == key else v for v in o.variables))


def without(key: str) -> Changed:
    return lambda o: replace(o, variables=tuple(v for v in o.variables if v.key != key))


def of_another_scheme(observation: Observation) -> Observation:
    return replace(OTHER_CONSTANTS(observation), graph_scheme=GRAPH_SCHEME + 1)


def scaled(observation: Observation) -> Observation:
    """The loss scale that `compile` adds under mixed precision."""
    (one,) = observation.optimizers
    config = {**one.config, "class_name": "LossScaleOptimizer"}
    return replace(observation, optimizers=(replace(one, class_name="LossScaleOptimizer", config=config),))


def moved(key: str) -> dict[str, Any]:
    """Other values after the reload."""
    return {f"before/{key}": values()[f"before/{key}"] + 1}


def named(encoder: str, decoder: str) -> Changed:
    """As Keras names variables where nobody did."""
    paths = {ENCODER: encoder, DECODER: decoder}
    return lambda o: replace(o, variables=tuple(replace(v, name="", path=paths.get(v.key, v.path)) for v in o.variables))


OTHER = "d" * 64
STILL = {f"after/{key}": values()[f"before/{key}"] for key in (ENCODER, DECODER, LARGE)}
OTHER_CONSTANTS = of_graphs(TRAIN_STEP, constants=OTHER)
PRODUCT = as_key(UNTRACKED, "optimizer/_u_product")


def with_weight(observation: Observation) -> Observation:
    """A layer's weight, in the place of what it makes when it is called and has none."""
    weight = {"key": "layers/encoder/vars/0", "kind": Kind.WEIGHT}
    variables = (replace(v, **weight) if v.key == UNTRACKED else v for v in observation.variables)
    return replace(observation, variables=tuple(variables))


def with_delta(value: str) -> Changed:
    return lambda o: replace(o, attributes=(Attribute(key="loss/0.delta", value=value, argument=True, read=True),))


OF_A_STEP = as_key(UNTRACKED, "untracked/train step/0")
UNSTORED = as_key(DECODER, "not stored/0")
REPLICA = f"{DECODER}/replicas/1"


@pytest.mark.parametrize(
    ("group", "subject", "told", "made"),
    [
        (
            Group.STRUCTURE,
            "layers/encoder constants",
            "return all that `call`",
            {"now": of_graphs("layers/encoder", constants=OTHER)},
        ),
        (
            Group.STRUCTURE,
            "layers/encoder operations",
            "return all that `call`",
            {"now": of_graphs("layers/encoder", operations=OTHER)},
        ),
        (
            Group.STRUCTURE,
            "layers/encoder wiring",
            "an order that does not depend",
            {"now": of_graphs("layers/encoder", wiring=OTHER)},
        ),
        (Group.STRUCTURE, "loss/0.delta", "forgets `delta`", {"then": with_delta("0.3"), "now": with_delta("1.0")}),
        (Group.STRUCTURE, "train step constants", "compile and optimizer first", {"now": OTHER_CONSTANTS}),
        (Group.STRUCTURE, "graphs", "with this version of reloadgate", {"now": of_another_scheme}),
        (Group.STRUCTURE, UNTRACKED, "`self.add_weight`", {"changed": moved(UNTRACKED)}),
        (
            Group.STRUCTURE,
            "optimizer/_u_product",
            "all in its `variables`",
            {"then": PRODUCT, "now": PRODUCT, "changed": moved(UNTRACKED)},
        ),
        (
            Group.STRUCTURE,
            "untracked/train step/0",
            "`optimizer.iterations`",
            {"then": OF_A_STEP, "now": OF_A_STEP, "changed": moved(UNTRACKED)},
        ),
        (Group.WEIGHTS, DECODER, "names of their own", {"changed": {f"before/{DECODER}": values()[f"before/{ENCODER}"]}}),
        (Group.WEIGHTS, ENCODER, "`super().get_config()`", {"then": named(ENCODER, DECODER), "now": named(DECODER, ENCODER)}),
        (Group.WEIGHTS, "layers/encoder/vars/0", "the model's own `build`", {"then": with_weight}),
        (Group.STRUCTURE, UNTRACKED, "the model's own `build`", {"then": with_weight}),
        (Group.WEIGHTS, STATE, "`reset_state`", {"changed": moved(STATE)}),
        (Group.WEIGHTS, ENCODER, "set `trainable` as it was", {"now": frozen(ENCODER)}),
        (Group.RESUME, "steps", "on which the model trains", {"before": STILL}),
        (
            Group.WEIGHTS,
            REPLICA,
            "`BatchNormalization(synchronized=True)`",
            {"then": as_key(MEAN, REPLICA), "now": without(MEAN)},
        ),
        (
            Group.WEIGHTS,
            "not stored/0",
            "goes past this variable",
            {"then": UNSTORED, "now": UNSTORED, "changed": moved(DECODER)},
        ),
        (Group.WEIGHTS, ENCODER, "or the loader restored none", {"changed": moved(ENCODER)}),
        (Group.COMPILE, "optimizer class", "around the optimizer", {"then": scaled}),
    ],
)
def test_what_a_comparison_finds_has_the_remedy_of_its_cause(
    group: Group, subject: str, told: str, made: dict[str, Any], tmp_path: Path
) -> None:
    rows = build(tmp_path, **made).compare().rows
    (found,) = {remedy(one) for one in rows if (one.group, one.subject) == (group, subject) and one.outcome is not Outcome.SAME}
    assert told in found


def test_what_an_optimizer_beside_the_models_holds_is_told_as_such(tmp_path: Path) -> None:
    def with_another(observation: Observation) -> Observation:
        (one,) = (variable for variable in observation.variables if variable.key == UNTRACKED)
        paths = ("adam/iteration:0", "adam_1/kernel_momentum:0", "moving")
        others = [replace(one, key=f"untracked/{TRAIN_STEP}/{at}", path=path) for at, path in enumerate(paths)]
        return replace(observation, variables=(*observation.variables, *others))

    rows = {row.subject: row for row in build(tmp_path, then=with_another).compare().rows if row.group is Group.STRUCTURE}
    told = [rows[f"untracked/{TRAIN_STEP}/{position}"] for position in range(3)]
    assert ["of an optimizer" in one.detail for one in told] == [True, True, False]
    assert ["`optimizer.build(variables)`" in remedy(one) for one in told] == [True, True, False]
