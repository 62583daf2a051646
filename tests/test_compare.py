"""`compare`: every single thing of the evidence is looked at, and said for what it is."""

import dataclasses
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest

from builders import (
    ADAM,
    ARTIFACT,
    DECODER,
    ENCODER,
    ENVIRONMENT,
    ITERATIONS,
    LARGE,
    MEAN,
    MOMENTUM,
    SEED,
    STATE,
    TIED,
    UNTRACKED,
    VOCABULARY,
    Built,
    Changed,
    build,
    observed,
    probe,
    values,
)
from reloadgate.behaviour_rows import prediction_rows
from reloadgate.compare import compare
from reloadgate.comparison import Comparison, Outcome, Row
from reloadgate.configuration_rows import structure_rows
from reloadgate.errors import ReloadgateError
from reloadgate.evidence import (
    PREDICT,
    TRAIN_STEP,
    TRAINING,
    Attribute,
    Capability,
    Check,
    Environment,
    FormatName,
    Graph,
    Group,
    Note,
    Observation,
    ReloadedEvidence,
    SavedEvidence,
    Tried,
    Variable,
    Warned,
    read_sealed,
    write_evidence,
)
from reloadgate.judge import judge
from reloadgate.ndarrays import np_dtype
from reloadgate.nouns import digest, to_dict
from reloadgate.policy import Policy, read_yaml
from reloadgate.project import EVIDENCE, PARAMS, RECORDS, declared, read_records, write_record
from reloadgate.rows import ABSENT, Side
from reloadgate.verdict import Status

QUIET = (Outcome.SAME, Outcome.NOTED, Outcome.SKIPPED)

# What may change in the reloaded evidence alone without a row: patterns of paths, each with its reason. Nothing else may: a
# field that nobody compares breaks `test_a_change_of_any_single_thing_is_noticed_…`, and so does a line that excuses nothing.
NOT_COMPARED = {
    r"\.(nans|infinities|largest)$": "computed from the bytes that SHA-256 is over",
    r"\[random state\]\.value\.(dtype|shape.*)$": "SHA-256 is over dtype, shape and bytes",
    r"\.(value|final|values|learning_rate)\.(name|kept)$": "where evidence keeps the array, and whether whole",
    r"variables\[untracked\]": "tells which layer changed, what the model does tells whether",
    r"observation\.metrics(\[metric\]\.(value\.dtype|kind|name|noise|trainable)| with another)$": "noted where bytes are gone",
    r"\]\.also": "the other places in the file are those that the saved side names",
    r"observation\.moved_attributes\[\] dropped$": "noted, where the train step's graph tells that it makes no difference",
    r"observation\.attributes( with another|\[\](\.key|\.(argument|made|method|read)| dropped))$": "what calls make may be gone",
    r"observation\.generators": "told wherever either side drew from one",
    r"observation\.silent": "what the saved side's probe reaches, for the drill's advice",
    r"\]\.path$": "Keras renames on every reload",
    r"(variables|assets)\[.*\]\.name$": "a name that has no counterpart says nothing where the values are the same",
    r"\]\.config\.config\.name( dropped)?$": "Keras numbers optimizers within a process",
    r"(variables|assets|logs)\[.*\]\.noise$": "this noise floor is measured on the saved side alone",
    r"\.compile_config\.optimizer\b": "compared as the optimizer itself",
    r"optimizers\[\]\.config\.class_name": "compared as the optimizer's class",
    r"optimizers\[\]\.slots$": "how many slots there are: each is a variable",
    r"outputs\[\]\.constant$": "computed from the output's value",
    r"checks\[.*\]\.(subject|message)$": "what a check says to people",
    r"^(warnings\[\] dropped|checks with another)$": "a warning less; one more check, that holds",
    r"observation\.graph_scheme$": "what is the same in two schemes is the same",
    r"^(hash_seed|loaded|seconds|schema_version)$": "of the reload itself, and not of the model",
}


def changes(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that differs from this one in a single place, and the path of the place."""
    if isinstance(value, StrEnum):
        members = list(type(value))
        yield path, members[(members.index(value) + 1) % len(members)]
    elif isinstance(value, bool):
        yield path, not value
    elif isinstance(value, str):
        yield path, Group.WEIGHTS if path.endswith("group") else f"{value}x"
    elif isinstance(value, (int, float)):
        yield path, value + 1
    elif isinstance(value, dict):
        yield from _changed_items(value, path)
    elif isinstance(value, (tuple, list)):
        yield from _changed_elements(value, path)
    elif dataclasses.is_dataclass(value):
        hints = get_type_hints(type(value))
        for field in dataclasses.fields(value):
            old, place = getattr(value, field.name), f"{path}.{field.name}".lstrip(".")
            for where, new in changes(old, place):
                yield where, replace(value, **{field.name: new})
            if old is not None and type(None) in getattr(hints[field.name], "__args__", ()):
                yield f"{place} lost", replace(value, **{field.name: None})


def _changed_items(value: dict[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for key, old in value.items():
        for where, new in changes(old, f"{path}.{key}"):
            yield where, value | {key: new}
        yield f"{path}.{key} dropped", {k: v for k, v in value.items() if k != key}
    yield f"{path} with another key", value | {"another": next(iter(value.values()), "1")}


def _changed_elements(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    make = type(value)
    for at, old in enumerate(value):
        place = f"{path}[{getattr(old, 'kind', None) or getattr(old, 'group', '')}]"
        for where, new in changes(old, place):
            yield where, make((*value[:at], new, *value[at + 1 :]))
        yield f"{place} dropped", make((*value[:at], *value[at + 1 :]))
    another = next(islice(changes(value[-1]), 1), None) if value else None
    if another:
        yield f"{path} with another", make((*value, another[1]))


def loud(comparison: Comparison) -> set[Row]:
    """The rows that say anything but "the same", and what the environment says."""
    return {row for row in comparison.rows if row.outcome is not Outcome.SAME}


def found(built: Built, group: Group, subject: str) -> list[Row]:
    """The rows of a subject that are not the same."""
    return [
        row for row in built.compare().rows if (row.group, row.subject) == (group, subject) and row.outcome is not Outcome.SAME
    ]


def only(built: Built, group: Group, subject: str) -> Row:
    (row,) = found(built, group, subject)
    return row


# The properties that carry the most weight


def test_evidence_compared_with_evidence_of_the_same_model_has_rows_and_no_difference(tmp_path: Path) -> None:
    comparison = build(tmp_path).compare()
    lost = [row.subject for row in comparison.rows if row.outcome is Outcome.LOST]
    assert lost == ["numpy.random"], "training draws from it on both sides, and nobody keeps its state"
    assert {row.outcome for row in comparison.rows} <= {*QUIET, Outcome.LOST}
    looked_at = {row.group for row in comparison.rows if row.outcome is Outcome.SAME}
    assert looked_at == set(Group) - {Group.AGREEMENT, Group.EXPECTATIONS}
    assert judge(comparison, Policy()).status is Status.PASS


def test_what_the_file_holds_otherwise_and_loading_hides_fails(tmp_path: Path) -> None:
    """Of an optimizer within another Keras stores all twice, and loads the second: the first may hold anything."""
    built = build(tmp_path)
    assert built.reloaded.stored_variables
    stored = built.reloaded.stored_variables | {MOMENTUM: "0" * 64}
    comparison = built.compare_with(replace(built.reloaded, stored_variables=stored))
    (row,) = loud(comparison) - loud(built.compare_with(built.reloaded))
    assert (row.group, row.subject, row.outcome) == (Group.OPTIMIZER, f"file: {MOMENTUM}", Outcome.CHANGED)
    assert judge(comparison, Policy()).status is Status.FAIL
    unknown = built.reloaded.stored_variables | {MOMENTUM: ""}  # in a dtype that HDF5 has no name for
    assert judge(built.compare_with(replace(built.reloaded, stored_variables=unknown)), Policy()).status is Status.PASS


def test_what_metrics_had_summed_up_is_told_where_it_is_gone(tmp_path: Path) -> None:
    """No format of Keras holds it, and training does not go on from it."""
    lost = build(tmp_path, now=lambda observation: replace(observation, metrics=()))
    row = only(lost, Group.COMPILE, "state of the metrics")
    assert row.outcome is Outcome.SKIPPED
    assert "what loss had summed up did not come back" in row.detail
    assert judge(lost.compare(), Policy()).status is Status.PASS


def test_another_place_of_a_variable_is_held_against_the_evidence(tmp_path: Path) -> None:
    """Also where the loaded model has no such place any more."""

    def untied(observation: Observation) -> Observation:
        return replace(observation, variables=tuple(replace(v, also=()) for v in observation.variables))

    for name, built in {"tied": build(tmp_path / "tied"), "untied": build(tmp_path / "untied", now=untied)}.items():
        assert built.reloaded.stored_variables
        stored = built.reloaded.stored_variables | {TIED: "0" * 64}
        comparison = built.compare_with(replace(built.reloaded, stored_variables=stored))
        changed = [row.subject for row in loud(comparison) if row.outcome is Outcome.CHANGED]
        assert changed == [f"file: {TIED}"], name


def test_what_loads_otherwise_has_its_own_row_and_no_second_one_of_the_file(tmp_path: Path) -> None:
    """A tolerance of the policy would excuse the first, and never the second."""
    other = values()[f"before/{MOMENTUM}"] * np.float32(1.01)
    built = build(tmp_path, changed={f"before/{MOMENTUM}": other})
    assert not [row for row in loud(built.compare()) if row.subject.startswith("file:")]


def test_a_change_of_any_single_thing_is_noticed_unless_excused_and_every_excuse_is_needed(tmp_path: Path) -> None:
    """A change is noticed that makes a row or a worse verdict, in a model with a variable of every kind."""

    def few(observation: Observation) -> Observation:
        return replace(observation, variables=tuple({v.kind: v for v in reversed(observation.variables)}.values()))

    built = build(tmp_path, then=few, now=few)
    usual = built.compare()
    unnoticed = set()
    for path, reloaded in changes(built.reloaded):
        comparison = built.compare_with(reloaded)
        if (
            judge(comparison, Policy()).status is Status.PASS
            and loud(comparison) <= loud(usual)
            and comparison.models[0].artifacts[0].same_environment
        ):
            unnoticed.add(path)
    assert {path for path in unnoticed if not any(re.search(pattern, path) for pattern in NOT_COMPARED)} == set()
    assert {pattern for pattern in NOT_COMPARED if not any(re.search(pattern, path) for path in unnoticed)} == set()


def test_what_is_changed_covers_every_field_of_every_noun(tmp_path: Path) -> None:
    places = {re.sub(r"\[.*?\]", "", path) for path, _ in changes(build(tmp_path).reloaded)}
    for noun, place in ((ReloadedEvidence, ""), (Observation, "observation."), (Variable, "observation.variables.")):
        for field in dataclasses.fields(noun):
            name = f"{place}{field.name}"
            assert any(path.startswith(name) for path in places) or field.name in ("notes", "error"), name


# Variables


@pytest.mark.parametrize(
    ("key", "group"),
    [
        (ENCODER, Group.WEIGHTS),
        (MEAN, Group.WEIGHTS),
        (STATE, Group.WEIGHTS),
        (MOMENTUM, Group.OPTIMIZER),
        (VOCABULARY, Group.ASSETS),
    ],
)
def test_a_variable_on_one_side_alone_is_missing_or_extra(tmp_path: Path, key: str, group: Group) -> None:
    def without(observation: Observation) -> Observation:
        return replace(
            observation,
            variables=tuple(v for v in observation.variables if v.key != key),
            assets=tuple(v for v in observation.assets if v.key != key),
        )

    assert only(build(tmp_path / "missing", now=without), group, key).outcome is Outcome.MISSING
    extra = found(build(tmp_path / "extra", then=without), group, key)
    assert {row.outcome for row in extra} == {Outcome.EXTRA}


@pytest.mark.parametrize(
    ("value", "seen"), [(np.zeros((3, 4), np.float32), "float32[3, 4]"), (np.zeros((4, 3)), "float64[4, 3]")]
)
def test_shape_and_dtype_come_before_values(tmp_path: Path, value: np.ndarray, seen: str) -> None:
    row = only(build(tmp_path, changed={f"before/{ENCODER}": value}), Group.WEIGHTS, ENCODER)
    assert (row.outcome, row.expected, row.seen) == (Outcome.CHANGED, "float32[4, 3]", seen)


def test_another_shape_is_not_said_to_be_other_values(tmp_path: Path) -> None:
    row = only(build(tmp_path, changed={f"before/{ENCODER}": np.ones((3, 4), np.float32)}), Group.WEIGHTS, ENCODER)
    assert "shape" in row.detail


def test_swapped_variables_of_one_shape_are_named_as_a_pair(tmp_path: Path) -> None:
    usual = values()
    changed = {f"before/{ENCODER}": usual[f"before/{DECODER}"], f"before/{DECODER}": usual[f"before/{ENCODER}"]}
    built = build(tmp_path, changed=changed)
    for key, other in ((ENCODER, DECODER), (DECODER, ENCODER)):
        row = only(built, Group.WEIGHTS, key)
        assert row.outcome is Outcome.SWAPPED
        assert other in row.detail


def test_where_values_came_from_is_named_though_nothing_was_swapped(tmp_path: Path) -> None:
    row = only(build(tmp_path, changed={f"before/{DECODER}": values()[f"before/{ENCODER}"]}), Group.WEIGHTS, DECODER)
    assert row.outcome is Outcome.SWAPPED
    assert f"with the values of {ENCODER}" in row.detail


@pytest.mark.parametrize(("other", "exchanged"), [(ENCODER, True), ("layers/another/vars/0", False)])
def test_made_names_that_are_exchanged_are_told_and_those_that_are_numbered_on_are_not(
    other: str, exchanged: bool, tmp_path: Path
) -> None:
    """A `get_config` without the base's gives no names: Keras makes them anew, in the order in which it makes the layers."""

    def named(paths: dict[str, str]) -> Changed:
        return lambda o: replace(o, variables=tuple(replace(v, name="", path=paths.get(v.key, v.path)) for v in o.variables))

    built = build(tmp_path, then=named({}), now=named({ENCODER: f"digits/{DECODER}", DECODER: f"digits/{other}"}))
    rows = {row.subject: row for row in built.compare().rows if row.outcome is Outcome.SWAPPED}
    assert {*rows} == ({ENCODER, DECODER} if exchanged else set())
    if exchanged:
        assert rows[ENCODER].seen == f"digits/{ENCODER} at {DECODER}"
        assert judge(built.compare(), Policy()).status is Status.FAIL


def made_by_own_code(tmp_path: Path, form: FormatName = FormatName.OWN, **given: Any) -> Comparison:
    """The comparison of a version whose only artifact is of that format."""
    artifact = replace(ARTIFACT, format=form)
    built = build(tmp_path, artifact=artifact, **given)
    write_evidence(built.sealed, replace(built.saved, artifacts=(artifact,)))
    return built.compare_with(replace(built.reloaded, saved_sha256=read_sealed(SavedEvidence, built.sealed).sha256))


@pytest.mark.parametrize(
    ("form", "changed", "status"),
    [
        (FormatName.OWN, {}, Status.PASS),
        (FormatName.OWN, {f"before/{ENCODER}": np.ones((4, 3), np.float32)}, Status.FAIL),
        (FormatName.OWN, {f"after/{ENCODER}": np.ones((4, 3), np.float32)}, Status.FAIL),
        (FormatName.KERAS, {}, Status.FAIL),
    ],
)
def test_layers_that_own_code_holds_elsewhere_are_paired_by_their_weights_alone(
    form: FormatName, changed: dict[str, Any], status: Status, tmp_path: Path
) -> None:
    """As where attributes, or the class of a layer, were given other names since. Any other weight, and nothing is paired."""
    names = {"layers/dense/": "head/", "layers/dense_1/": "body/"}

    def at(key: str) -> str:
        return next((key.replace(old, new, 1) for old, new in names.items() if key.startswith(old)), key)

    def elsewhere(o: Observation) -> Observation:
        return replace(
            o, variables=tuple(replace(v, key=at(v.key)) for v in reversed(o.variables)),
            graphs=tuple(replace(g, wiring="e" * 64) for g in o.graphs),
        )  # fmt: skip

    comparison = made_by_own_code(tmp_path, form, now=elsewhere, changed=changed, stored_variables=None)
    found = judge(comparison, Policy())
    assert found.status is status, [(f.row.subject, f.message) for f in found.of(Status.FAIL)]
    moved = {(row.expected, row.seen) for row in comparison.rows if "at another place" in row.detail}
    paired = {("layers/dense", "head"), ("layers/dense_1", "body")}
    assert moved == (paired if form is FormatName.OWN and f"before/{ENCODER}" not in changed else set())


@pytest.mark.parametrize(
    ("form", "told"), [(FormatName.OWN, "as configuration.config.layers (absent → 3)"), (FormatName.KERAS, "in a configuration")]
)
def test_settings_that_own_code_gave_otherwise_are_suspected_of_what_is_computed_otherwise(
    form: FormatName, told: str, tmp_path: Path
) -> None:
    def of(config: dict[str, Any], constants: str) -> Changed:
        graphs = (Graph(layer="layers/encoder", operations="c" * 64, constants=constants, random_operations=()),)
        return lambda o: replace(o, config={"config": config}, graphs=graphs)

    then, now = of({"name": "one"}, "d" * 64), of({"name": "another", "layers": 3}, "e" * 64)
    rows = made_by_own_code(tmp_path, form, then=then, now=now).rows
    (detail,) = [row.detail for row in rows if row.subject == "layers/encoder constants"]
    assert told in detail


def test_so_is_what_was_set_on_a_weight_that_is_trained(tmp_path: Path) -> None:
    """By itself it is noted: the steps show what it does."""

    def of(treatment: str, constants: str) -> Changed:
        def changed(o: Observation) -> Observation:
            variables = tuple(replace(v, treatment=treatment) if v.key == ENCODER else v for v in o.variables)
            return replace(o, variables=variables, graphs=tuple(replace(g, constants=constants) for g in o.graphs))

        return changed

    rows = build(tmp_path, then=of("L2", "d" * 64), now=of("", "e" * 64)).compare().rows
    (row,) = [row for row in rows if row.subject == f"{ENCODER} when trained"]
    assert (row.outcome, row.expected, row.seen) == (Outcome.NOTED, "L2", "none")
    details = [row.detail for row in rows if row.subject.endswith(" constants")]
    assert details and all(f"as {ENCODER} when trained (L2 → none)" in detail for detail in details)


@pytest.mark.parametrize(
    ("form", "constants", "outcome"),
    [
        (FormatName.OWN, "d" * 64, Outcome.NOTED),
        (FormatName.OWN, "e" * 64, Outcome.MISSING),
        (FormatName.OWN, None, Outcome.MISSING),
        (FormatName.KERAS, "d" * 64, Outcome.MISSING),
        (FormatName.OWN, "around", Outcome.MISSING),
    ],
)
def test_a_vocabulary_may_be_given_in_another_way_by_who_makes_the_model_again(
    form: FormatName, constants: str | None, outcome: Outcome, tmp_path: Path
) -> None:
    """A lookup that was given its vocabulary saves none; what its table holds is among the constants of its graph."""

    def looking(constants: str | None) -> Changed:
        layer = "layers" if constants == "around" else "layers/lookup"  # which may hold it and not call it
        lookup = Graph(layer=layer, operations="c" * 64, constants=constants or "", random_operations=())
        return lambda o: replace(o, graphs=(*o.graphs, *([lookup] if constants else [])))

    def given(observation: Observation) -> Observation:
        return replace(looking(constants)(observation), assets=())

    then = looking("around" if constants == "around" else "d" * 64 if constants else None)
    (row,) = [row for row in made_by_own_code(tmp_path, form, then=then, now=given).rows if row.subject == VOCABULARY]
    assert row.outcome is outcome


@pytest.mark.parametrize(("rate", "status"), [(np.float32(0.01), Status.PASS), (np.float32(0.010001), Status.FAIL)])
def test_a_rate_is_the_same_in_the_narrower_dtype(rate: np.float32, status: Status, tmp_path: Path) -> None:
    """Keras makes it in the `floatx` of the process, and all that is computed with it has other last bits."""

    def named(observation: Observation) -> Observation:
        adam = {**ADAM, "config": {**ADAM["config"], "learning_rate": float(rate) if observation.class_name == "now" else 0.01}}
        variables = (replace(v, path="adam/learning_rate") if v.key == MOMENTUM else v for v in observation.variables)
        return replace(
            observation, class_name="Functional", variables=tuple(variables),
            optimizers=tuple(replace(one, config=adam) for one in observation.optimizers),
        )  # fmt: skip

    of_it = (f"before/{MOMENTUM}", f"after/{MOMENTUM}")
    drifted = {f"after/{ENCODER}": values()[f"after/{ENCODER}"] * np.float32(1 + 1e-6)}
    built = build(
        tmp_path, then=named, now=lambda o: named(replace(o, class_name="now")), before=dict.fromkeys(of_it, np.float64(0.01)),
        changed=dict.fromkeys(of_it, rate) | drifted,
    )  # fmt: skip
    comparison = built.compare()
    assert comparison.models[0].artifacts[0].environment_changes == ("adam/learning_rate: float64 → float32",)
    assert judge(comparison, Policy()).status is status
    told = [row.outcome for row in comparison.rows if row.subject in (MOMENTUM, f"{MOMENTUM} after 3 steps")]
    assert told == [Outcome.NOTED if status is Status.PASS else Outcome.CHANGED] * 2


def test_variables_whose_chosen_names_are_swapped_are_named_as_a_pair(tmp_path: Path) -> None:
    names = {ENCODER: "decoder/kernel", DECODER: "encoder/kernel"}

    def renamed(observation: Observation) -> Observation:
        return replace(observation, variables=tuple(replace(v, name=names.get(v.key, v.name)) for v in observation.variables))

    row = only(build(tmp_path, now=renamed), Group.WEIGHTS, ENCODER)
    assert (row.outcome, row.expected, row.seen) == (
        Outcome.SWAPPED, f"encoder/kernel at {ENCODER}", f"encoder/kernel at {DECODER}",
    )  # fmt: skip
    assert "decoder/kernel" in row.detail


def test_a_chosen_name_that_is_there_twice_pairs_nothing(tmp_path: Path) -> None:
    def twice(observation: Observation) -> Observation:
        return replace(observation, variables=tuple(replace(v, name="kernel") for v in observation.variables))

    built = build(tmp_path, then=twice, now=lambda o: replace(twice(o), variables=twice(o).variables[::-1]))
    assert judge(built.compare(), Policy()).status is Status.PASS


def test_a_weight_that_came_back_as_zeros_says_so(tmp_path: Path) -> None:
    row = only(build(tmp_path, changed={f"before/{ENCODER}": np.zeros((4, 3), np.float32)}), Group.WEIGHTS, ENCODER)
    assert row.outcome is Outcome.DIFFERS
    assert "zeros" in row.detail


def test_slots_of_an_optimizer_that_came_back_unbuilt_are_missing(tmp_path: Path) -> None:
    def unbuilt(observation: Observation) -> Observation:
        return replace(observation, optimizers=tuple(replace(o, was_built=False) for o in observation.optimizers))

    lost = {f"before/{MOMENTUM}": np.zeros((4, 3), np.float32), f"before/{ITERATIONS}": np.array(0)}
    built = build(tmp_path, now=unbuilt, changed=lost)
    for key in (MOMENTUM, ITERATIONS):
        row = only(built, Group.OPTIMIZER, key)
        assert row.outcome is Outcome.MISSING
        assert "without its slots" in row.detail


def test_an_optimizer_that_is_gone_is_missing(tmp_path: Path) -> None:
    row = only(build(tmp_path, now=lambda o: replace(o, optimizers=())), Group.OPTIMIZER, "optimizer")
    assert (row.outcome, row.expected) == (Outcome.MISSING, "Adam")


@pytest.mark.parametrize("advances", [True, False])
@pytest.mark.parametrize("gone", [True, False])
def test_random_state_is_lost_only_when_it_advances(tmp_path: Path, advances: bool, gone: bool) -> None:
    seed = values()[f"before/{SEED}"]

    def without(observation: Observation) -> Observation:
        return replace(observation, variables=tuple(v for v in observation.variables if v.key != SEED))

    built = build(
        tmp_path,
        before={} if advances else {f"after/{SEED}": seed},
        changed={f"before/{SEED}": seed + np.uint32(9)},
        now=without if gone else lambda observation: observation,
    )
    assert only(built, Group.RANDOM_STATE, SEED).outcome is (Outcome.LOST if advances else Outcome.SKIPPED)


@pytest.mark.parametrize("key", [ENCODER, LARGE])
def test_one_weight_that_differs_is_measured_and_estimated_only_where_a_sketch_is_kept(tmp_path: Path, key: str) -> None:
    changed = values()[f"before/{key}"].copy()
    changed[1, 2] += 0.25
    row = only(build(tmp_path, changed={f"before/{key}": changed}), Group.WEIGHTS, key)
    assert row.outcome is Outcome.DIFFERS
    assert row.difference is not None
    assert row.difference.max_abs == pytest.approx(0.25, rel=1e-6)
    assert row.difference.estimated is (key == LARGE)
    assert row.scale == pytest.approx(np.abs(values()[f"before/{key}"]).max())


# Behaviour


def output(**changed: np.ndarray) -> dict[str, np.ndarray]:
    return {f"{mode}/output": value for mode, value in changed.items()}


@pytest.mark.parametrize("side", ["before", "changed"])
def test_an_output_that_is_all_nan_is_never_the_same(tmp_path: Path, side: str) -> None:
    every = output(call=np.full((5, 3), np.nan, np.float32))
    row = only(build(tmp_path, before=every if side == "before" else None, changed=every), Group.PREDICTIONS, "call: output")
    assert (row.outcome, row.seen) == (Outcome.CHANGED, "NaN")


def test_an_output_without_a_counterpart_is_missing_or_extra(tmp_path: Path) -> None:
    built = build(tmp_path, now=lambda o: replace(o, outputs=(o.outputs[0], replace(o.outputs[1], name="logits"))))
    assert only(built, Group.PREDICTIONS, "predict: output").outcome is Outcome.MISSING
    assert only(built, Group.PREDICTIONS, "predict: logits").outcome is Outcome.EXTRA


@pytest.mark.parametrize(
    ("before", "after", "flips"),
    [
        ([[1.0, 2.0], [3.0, 0.0]], [[1.0, 2.5], [3.0, 0.5]], 0),
        ([[1.0, 2.0], [3.0, 0.0]], [[2.5, 2.0], [3.0, 0.5]], 1),
        ([[0.5], [-0.5]], [[-0.5], [-0.25]], 1),
        ([0.5, -0.5], [-0.5, 0.25], 2),
    ],
)
def test_decisions_that_flip_are_counted(tmp_path: Path, before: list[Any], after: list[Any], flips: int) -> None:
    then, now = (np.array(side, np.float32) for side in (before, after))
    row = only(build(tmp_path, before=output(call=then), changed=output(call=now)), Group.PREDICTIONS, "call: output")
    assert (row.outcome, row.flips) == (Outcome.DIFFERS, flips)


def test_decisions_that_flip_are_counted_in_bfloat16(tmp_path: Path) -> None:
    then, now = (np.array(side).astype(np_dtype("bfloat16")) for side in ([[1, 2]], [[3, 2]]))
    row = only(build(tmp_path, before=output(call=then), changed=output(call=now)), Group.PREDICTIONS, "call: output")
    assert (row.outcome, row.flips) == (Outcome.DIFFERS, 1)


def test_a_constant_output_is_not_exercised(tmp_path: Path) -> None:
    built = build(tmp_path, then=lambda o: replace(o, outputs=tuple(replace(one, constant=True) for one in o.outputs)))
    assert only(built, Group.PREDICTIONS, "call: output").outcome is Outcome.NOT_EXERCISED


def test_predictions_that_vary_above_the_floor_of_the_saved_side_are_broken(tmp_path: Path) -> None:
    def noisy(noise: float) -> Any:
        return lambda o: replace(o, outputs=tuple(replace(one, noise=noise) for one in o.outputs))

    built = build(tmp_path / "above", then=noisy(0.5), now=noisy(0.6))
    assert only(built, Group.DETERMINISM, "call: output").outcome is Outcome.BROKEN
    assert found(build(tmp_path / "within", then=noisy(0.5), now=noisy(0.5)), Group.DETERMINISM, "call: output") == []


def test_a_trainable_variable_that_no_step_moved_is_not_exercised_and_where_none_moved_nothing_was_checked(
    tmp_path: Path,
) -> None:
    usual = values()
    still = {f"after/{key}": usual[f"before/{key}"] for key in (ENCODER, DECODER, LARGE)}
    one = build(tmp_path / "one", before={f"after/{ENCODER}": still[f"after/{ENCODER}"]})
    assert only(one, Group.RESUME, ENCODER).outcome is Outcome.NOT_EXERCISED
    assert judge(one.compare(), Policy()).status is Status.PASS
    none = build(tmp_path / "none", before=still)
    assert only(none, Group.RESUME, "steps").outcome is Outcome.UNCHECKED
    assert judge(none.compare(), Policy()).status is Status.UNVERIFIED


def test_steps_that_were_not_resumed_are_unchecked(tmp_path: Path) -> None:
    for name, side in (("then", {"then": lambda o: replace(o, logs=())}), ("now", {"now": lambda o: replace(o, logs=())})):
        built = build(tmp_path / name, **side)
        assert judge(built.compare(), Policy()).status is Status.UNVERIFIED


def test_lost_moments_show_in_the_resumed_steps(tmp_path: Path) -> None:
    changed = {f"after/{ENCODER}": values()[f"after/{ENCODER}"] * 2, "log/loss": np.array([0.9, 0.85, 0.8])}
    built = build(tmp_path, changed=changed)
    for subject in (f"{ENCODER} after 3 steps", "loss per step"):
        assert only(built, Group.RESUME, subject).outcome is Outcome.DIFFERS


# Settings, notes, warnings, checks


def test_every_setting_that_differs_is_named_by_its_place(tmp_path: Path) -> None:
    def other(observation: Observation) -> Observation:
        assert observation.compile_config is not None
        return replace(observation, compile_config=observation.compile_config | {"loss": "mae", "metrics": ["accuracy", "mae"]})

    built = build(tmp_path, now=other)
    assert (only(built, Group.COMPILE, "loss").expected, only(built, Group.COMPILE, "loss").seen) == ("mse", "mae")
    assert only(built, Group.COMPILE, "metrics").outcome is Outcome.CHANGED


@pytest.mark.parametrize(("name", "rate", "same"), [("adam_1", 0.002, True), ("adam", 0.003, False)])
def test_of_the_optimizer_within_another_all_but_its_number_is_compared(
    tmp_path: Path, name: str, rate: float, same: bool
) -> None:
    def within(name: str, rate: float) -> Changed:
        inner = {**ADAM, "config": {**ADAM["config"], "name": name, "learning_rate": rate}}
        scaled = {"class_name": "LossScaleOptimizer", "config": {"name": "loss_scale_optimizer", "inner_optimizer": inner}}
        return lambda o: replace(o, optimizers=(replace(o.optimizers[0], config=scaled),))

    built = build(tmp_path, then=within("adam", 0.002), now=within(name, rate))
    different = found(built, Group.COMPILE, "optimizer.config.inner_optimizer.config.learning_rate")
    assert bool(different) != same
    assert not found(built, Group.COMPILE, "optimizer.config.inner_optimizer.config.name")


def test_of_several_optimizers_all_but_their_numbers_are_compared(tmp_path: Path) -> None:
    def several(name: str, rate: float, pattern: str = "dense/.*") -> Changed:
        one = {**ADAM, "config": {**ADAM["config"], "name": name, "learning_rate": rate}}
        mapped = {"class_name": "OptimizerMap", "config": {"default_optimizer": one, "optimizer_map": {pattern: one}}}
        config = {"class_name": "MultiOptimizer", "config": {"name": name, "optimizer_map": mapped}}
        return lambda o: replace(o, optimizers=(replace(o.optimizers[0], config=config),))

    place = "optimizer.config.optimizer_map.config"
    for name, rate, pattern, different in (
        ("adam_1", 0.002, "dense/.*", set[str]()),
        ("adam", 0.003, "dense/.*", {f"{place}.{one}.config.learning_rate" for one in MAPPED}),
        ("adam", 0.002, "other/.*", {f"{place}.optimizer_map.{one}/.*" for one in ("dense", "other")}),
    ):
        rows = build(tmp_path / name / pattern, then=several("adam", 0.002), now=several(name, rate, pattern)).compare().rows
        assert {row.subject for row in rows if row.outcome is Outcome.CHANGED} == different


MAPPED = ("default_optimizer", "optimizer_map.dense/.*")


@pytest.mark.parametrize(
    ("class_name", "switch", "outcomes"),
    [
        ("Sequential", "trainable", {"configuration": Outcome.NOTED}),
        ("Sequential", "dtype", {"configuration": Outcome.NOTED}),
        ("Sequential", "layers", {"configuration.config.layers[1]": Outcome.CHANGED}),
        ("Sequential without inputs", "trainable", {"configuration": Outcome.NOTED}),
        ("Sequential without inputs", "dtype", {"configuration.config.dtype": Outcome.CHANGED}),
        ("Functional", "trainable", {"configuration.config.trainable": Outcome.CHANGED}),
    ],
)
def test_what_no_format_gives_back_to_a_sequential_itself_is_noted(
    tmp_path: Path, class_name: str, switch: str, outcomes: dict[str, Outcome]
) -> None:
    def configured(**settings: Any) -> Changed:
        layers = [{"class_name": name} for name in ("InputLayer", "Dense")]["without" in class_name :]
        own = {"trainable": False, "dtype": "mixed_bfloat16", "layers": layers, **settings}
        return lambda o: replace(o, config={"class_name": class_name.split()[0], "config": own})

    other: dict[str, Any] = {
        "trainable": True,
        "dtype": "float32",
        "layers": [{"class_name": "InputLayer"}, {"class_name": "Flatten"}],
    }
    built = build(tmp_path, then=configured(), now=configured(**{switch: other[switch]}))
    rows = [row for row in built.compare().rows if row.group is Group.STRUCTURE and row.subject.startswith("configuration")]
    seen = {row.subject.removesuffix(".class_name"): row.outcome for row in rows if row.outcome is not Outcome.SAME}
    assert seen == outcomes


@pytest.mark.parametrize(
    ("names", "own", "order", "outcomes"),
    [
        (("attn", "attn_1"), {}, (0, 1), {Outcome.NOTED}),
        (("attn_1", "attn"), {}, (0, 1), {Outcome.NOTED}),
        (("attn_5", "attn_6"), {}, (0, 1), {Outcome.SAME}),
        (("attn", "attn_1"), {}, (1, 0), {Outcome.CHANGED}),
        (("attn", "attn_1"), {"name": "attn"}, (0, 1), {Outcome.CHANGED}),
        (("attn", "mine"), {}, (0, 1), {Outcome.CHANGED}),
    ],
)
def test_layers_that_keras_names_anew_are_known_by_their_places(
    names: tuple[str, str], own: dict[str, str], order: tuple[int, int], outcomes: set[Outcome], tmp_path: Path
) -> None:
    """Their `get_config` gives no name; how they are wired is compared all the same."""

    def named(one: str, other: str, first: int, second: int) -> Changed:
        given = (one, other)

        def layer(position: int, source: str) -> dict[str, Any]:
            tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": [source, 0, 0]}}
            node = {"args": [tensor], "kwargs": {}}
            return {"class_name": "Attn", "config": own, "name": given[position], "inbound_nodes": [node]}

        layers = [layer(first, "inputs"), layer(second, given[first])]
        settings = {"layers": layers, "output_layers": [[given[second], 0, 0]], "threes": [["a", 1, 2]]}
        if (first, second) == (1, 0):  # the one that is listed first is called last
            layers.reverse()
        return lambda o: replace(o, config={"class_name": "Functional", "config": settings})

    built = build(tmp_path, then=named("attn_5", "attn_6", 0, 1), now=named(*names, *order))
    rows = [row for row in built.compare().rows if row.group is Group.STRUCTURE and row.subject.startswith("configuration")]
    found = {row.outcome for row in rows}
    assert (found if found == {Outcome.SAME} else found - {Outcome.SAME}) == outcomes


@pytest.mark.parametrize("chosen", [True, False])
def test_a_lost_loss_scale_is_blamed_on_the_policy_where_compile_added_it(tmp_path: Path, chosen: bool) -> None:
    def scaled(observation: Observation) -> Observation:
        (adam,) = observation.optimizers
        scale = {"class_name": "LossScaleOptimizer", "config": {"inner_optimizer": adam.config}}
        given = (observation.compile_config or {}) | {"optimizer": scale if chosen else adam.config}
        return replace(
            observation, compile_config=given, optimizers=(replace(adam, class_name="LossScaleOptimizer", config=scale),)
        )

    row = only(build(tmp_path, then=scaled), Group.COMPILE, "optimizer class")
    assert row.outcome is Outcome.CHANGED
    assert ("mixed_float16" in row.detail) is not chosen


def test_settings_that_the_users_own_code_made_again_are_noted(tmp_path: Path) -> None:
    rows = made_by_own_code(tmp_path, now=lambda o: replace(o, config={"class_name": "Functional"})).rows
    assert {row.outcome for row in rows if row.subject == "configuration.config"} == {Outcome.NOTED}


def test_what_could_not_be_observed_is_unchecked_and_what_fails_only_after_the_reload_is_broken(tmp_path: Path) -> None:
    def noted(observation: Observation) -> Observation:
        return replace(observation, notes=(Note(group=Group.STRUCTURE, subject="configuration", message="no get_config"),))

    row = only(build(tmp_path / "both", then=noted, now=noted), Group.STRUCTURE, "configuration")
    assert row.outcome is Outcome.UNCHECKED
    row = only(build(tmp_path / "after", now=noted), Group.STRUCTURE, "configuration")
    assert (row.outcome, row.seen) == (Outcome.BROKEN, "no get_config")


@pytest.mark.parametrize(
    ("message", "outcomes"),
    [
        ("something that nobody has seen before", [Outcome.NOTED]),
        ("__array__ implementation doesn't accept a copy keyword", []),
    ],
)
def test_warnings_of_the_load_are_classified(tmp_path: Path, message: str, outcomes: list[Outcome]) -> None:
    built = build(tmp_path, warnings=(Warned(category="UserWarning", message=message),))
    assert [row.outcome for row in found(built, Group.LOAD, "warning")] == outcomes


@pytest.mark.parametrize("lost", [None, ENCODER, MOMENTUM, VOCABULARY])
def test_what_keras_says_it_did_not_restore_is_broken_where_state_is_another_and_else_noted(
    lost: str | None, tmp_path: Path
) -> None:
    """A loader may have given it by other means."""
    said = "Skipping variable loading for optimizer 'adam', because it has 10 variables"
    array = f"asset/{lost}" if lost == VOCABULARY else f"before/{lost}"
    changed = {array: np.zeros_like(values()[array])} if lost else {}
    built = build(tmp_path, warnings=(Warned(category="UserWarning", message=said),), changed=changed)
    row = only(built, Group.LOAD, "warning")
    assert row.outcome is (Outcome.BROKEN if lost else Outcome.NOTED)
    assert ("came back nevertheless" in row.detail) is (lost is None)


def test_what_keras_says_it_did_not_restore_is_broken_where_nothing_was_observed(tmp_path: Path) -> None:
    warned = (Warned(category="UserWarning", message="A total of 2 objects could not be loaded"),)
    built = build(tmp_path, warnings=warned, observation=None, error="TypeError: no model", loaded=False)
    assert only(built, Group.LOAD, "warning").outcome is Outcome.BROKEN


@pytest.mark.parametrize(
    ("tried", "outcome"),
    list(zip(Tried, (Outcome.SAME, Outcome.BROKEN, Outcome.UNCHECKED, Outcome.SKIPPED), strict=True)),
)
def test_what_the_fresh_process_tried_is_a_row_of_its_kind(tmp_path: Path, tried: Tried, outcome: Outcome) -> None:
    built = build(tmp_path)
    checks = (*built.reloaded.checks, Check(group=Group.ROUND_TRIP, subject="tried", tried=tried, message="why"))
    rows = built.compare_with(replace(built.reloaded, checks=checks)).rows
    assert [(row.outcome, row.seen + row.detail) for row in rows if row.subject == "tried"] == [(outcome, "why")]


def test_a_model_that_does_not_load_is_a_row_with_the_reason(tmp_path: Path) -> None:
    built = build(tmp_path, loaded=False, observation=None, error="TypeError: unknown layer Scale")
    row = only(built, Group.LOAD, "model")
    assert (row.outcome, row.seen) == (Outcome.BROKEN, "TypeError: unknown layer Scale")
    assert judge(built.compare(), Policy()).status is Status.FAIL


def test_what_inspection_refused_was_not_looked_at_by_a_loader_and_fails_for_inspections_reason(tmp_path: Path) -> None:
    refused = Check(group=Group.INSPECT, subject="model.weights.h5", tried=Tried.BROKEN, message="fails its checksum")
    built = build(tmp_path, loaded=False, observation=None, error="it was not loaded", checks=(refused,))
    verdict = judge(built.compare(), Policy())
    assert [finding.row.group for finding in verdict.of(Status.FAIL)] == [Group.INSPECT]
    assert Group.LOAD in [finding.row.group for finding in verdict.of(Status.UNVERIFIED)]


# Files, seals, records, environment


def test_files_are_held_against_the_manifest(tmp_path: Path) -> None:
    built = build(tmp_path)
    (file,) = built.saved.files
    seen = (replace(file, sha256="0" * 64), replace(file, path="stray.txt"))
    rows = {row.subject: row.outcome for row in built.compare_with(replace(built.reloaded, files=seen)).rows}
    assert (rows["model.keras"], rows["stray.txt"]) == (Outcome.CHANGED, Outcome.EXTRA)
    rows = {row.subject: row.outcome for row in built.compare_with(replace(built.reloaded, files=())).rows}
    assert rows["model.keras"] is Outcome.MISSING


@pytest.mark.parametrize("name", ["evidence.json", "arrays.npz", "probe.npz"])
def test_evidence_that_was_altered_is_a_change_named_by_its_file(tmp_path: Path, name: str) -> None:
    built = build(tmp_path)
    if name == "evidence.json":
        (built.sealed / name).write_text((built.sealed / name).read_text().replace("3.15.1", "3.15.2"))
    elif name == "arrays.npz":
        observed(values(**{f"before/{MEAN}": np.ones(3, np.float32)}))[1].write(built.sealed / name)
    else:
        probe(6).write(built.sealed / name)
    row = only(built, Group.EVIDENCE, name)
    assert (row.outcome, row.artifact) == (Outcome.CHANGED, "")
    assert judge(built.compare(), Policy()).status is Status.FAIL


@pytest.mark.parametrize("side", ["saved", "reloaded"])
@pytest.mark.parametrize(
    "damage",
    [
        "gone",
        "cut",
        "other loss",
    ],
)
def test_arrays_that_cannot_be_read_are_rows_and_no_crash(tmp_path: Path, side: str, damage: str) -> None:
    built = build(tmp_path)
    path = (built.sealed if side == "saved" else built.folder) / "arrays.npz"
    match damage:
        case "gone":
            path.unlink()
        case "cut":
            path.write_bytes(path.read_bytes()[:1000])
        case "other loss":
            observed(values(**{"log/loss": np.array([0.1, 0.1, 0.1])}))[1].write(path)
    assert judge(built.compare(), Policy()).status is not Status.PASS


@pytest.mark.parametrize("side", ["saved", "reloaded"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"[]", b"{", b"\xff", b'{"schema_version": "2.0"}'])
def test_evidence_that_is_missing_or_garbage_is_unchecked(tmp_path: Path, side: str, content: bytes | None) -> None:
    built = build(tmp_path)
    path = (built.sealed if side == "saved" else built.folder) / "evidence.json"
    path.unlink() if content is None else path.write_bytes(content)
    verdict = judge(built.compare(), Policy())
    assert verdict.status is Status.UNVERIFIED
    assert any(f.row.group is Group.EVIDENCE and f.status is Status.UNVERIFIED for f in verdict.findings)


@pytest.mark.parametrize("text", ["1e999", r'"\ud800"'])
def test_evidence_with_a_value_that_canonical_json_has_no_word_for_is_no_crash(tmp_path: Path, text: str) -> None:
    built = build(tmp_path)
    path = built.folder / "evidence.json"
    path.write_text(path.read_text().replace('"seconds": 1.5', f'"seconds": {text}'))
    assert judge(built.compare(), Policy()).status is not Status.PASS


def test_a_model_whose_comparison_breaks_is_an_error_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    surprises = iter([TypeError("a surprise")])

    def breaks_once(expected: Side, seen: Side) -> Iterator[Row]:
        for surprise in surprises:
            raise surprise
        return prediction_rows(expected, seen)

    monkeypatch.setattr("reloadgate.compare.prediction_rows", breaks_once)
    broken, whole = build(tmp_path, "broken"), build(tmp_path, "whole")
    verdict = judge(compare([broken.subject, whole.subject], whole.evidence), Policy())
    assert [model.status for model in verdict.models] == [Status.ERROR, Status.PASS]
    assert verdict.status is Status.ERROR
    (error,) = verdict.of(Status.ERROR)
    assert "TypeError: a surprise (test_compare.py, line" in error.message
    assert "fault of reloadgate" in error.remedy


@pytest.mark.parametrize("error", [OSError("the disk is full"), ReloadgateError("a record of another kind")])
def test_what_is_no_fault_of_the_comparison_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def breaks(expected: Side, seen: Side) -> Iterator[Row]:
        raise error

    monkeypatch.setattr("reloadgate.compare.prediction_rows", breaks)
    with pytest.raises(type(error), match=str(error)):
        build(tmp_path).compare()


def test_a_version_with_neither_evidence_nor_artifact_is_unchecked(tmp_path: Path) -> None:
    built = build(tmp_path)
    shutil.rmtree(built.sealed)
    (built.subject.directory / "model.keras").unlink()
    assert judge(built.compare(), Policy()).status is Status.UNVERIFIED


def test_a_version_that_is_not_there_is_unchecked(tmp_path: Path) -> None:
    built = build(tmp_path)
    shutil.rmtree(built.subject.directory)
    assert judge(built.compare(), Policy()).status is Status.UNVERIFIED


def test_a_reload_of_other_evidence_or_of_another_artifact_is_unchecked(tmp_path: Path) -> None:
    built = build(tmp_path)
    for other in ({"saved_sha256": "0" * 64}, {"saved_sha256": None}, {"artifact": replace(ARTIFACT, path="other.keras")}):
        write_evidence(built.folder, replace(built.reloaded, **other))
        assert only(built, Group.EVIDENCE, "reloaded evidence").outcome is Outcome.UNCHECKED
        assert judge(built.compare(), Policy()).status is Status.UNVERIFIED


def test_a_version_is_held_against_the_record_that_training_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    built = build(Path())
    records = built.record(Path("records"))
    outcomes = {}
    for name, these in (
        ("none", {}),
        ("own", records),
        ("other seal", {"digits": replace(records["digits"], evidence_sha256="0" * 64)}),
        ("other files", {"digits": replace(records["digits"], files=())}),
        ("other path", {"digits": replace(records["digits"], path="models/digits/2.0.0")}),
    ):
        (row,) = [row for row in built.compare(these).rows if row.subject == "record"]
        outcomes[name] = row.outcome
    assert outcomes == {
        "none": Outcome.UNCHECKED,
        "own": Outcome.SAME,
        "other seal": Outcome.CHANGED,
        "other files": Outcome.CHANGED,
        "other path": Outcome.UNCHECKED,
    }


@pytest.mark.parametrize("inside", ["", "teams/churn"])
@pytest.mark.parametrize("named", ["models/digits/1.0.0", "../models/digits/1.0.0", "absolute"])
def test_the_record_has_the_path_that_params_yaml_gives_the_version(
    named: str, inside: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    project = tmp_path / inside
    version = build(project).subject.directory
    for folder in {tmp_path, project}:
        (folder / "params.yaml").write_text("models:\n  digits: {version: 1.0.0}\n")
    (project / "jobs").mkdir()
    monkeypatch.chdir(project / "jobs" if named.startswith("..") else project)
    write_record(version if named == "absolute" else Path(named), project / RECORDS)
    monkeypatch.chdir(project)
    (subject,) = declared(read_yaml(PARAMS))
    (row,) = [row for row in compare([subject], EVIDENCE, read_records()).rows if row.subject == "record"]
    assert row.outcome is Outcome.SAME, row.detail


def test_another_environment_is_named_change_by_change(tmp_path: Path) -> None:
    other = replace(ENVIRONMENT, cpus=8, keras="3.16.0", settings={})
    facts = build(tmp_path, environment=other).compare().models[0].artifacts[0]
    assert not facts.same_environment
    assert facts.environment_changes == (
        "cpus: 2 → 8", "keras: 3.15.1 → 3.16.0", "settings: {'TF_ENABLE_ONEDNN_OPTS': '1'} → {}",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("form", "units", "changes"),
    [
        (FormatName.OWN, 8, ("unroll: False → True", "run_eagerly: False → True")),
        (FormatName.OWN, 9, ()),
        (FormatName.KERAS, 8, ()),
    ],
)
def test_what_users_code_runs_in_another_way_has_other_last_bits(
    form: FormatName, units: int, changes: tuple[str, ...], tmp_path: Path
) -> None:
    """Where anything else is another too, it may be that which makes the difference: then the same bits are asked for."""

    def of(name: str, units: int, switch: bool) -> Changed:
        layer = {"class_name": "LSTM", "config": {"name": name, "units": units, "unroll": switch}}
        return lambda o: replace(o, config={"layers": [layer]}, compile_config={"run_eagerly": switch})

    comparison = made_by_own_code(tmp_path, form, then=of("lstm", 8, False), now=of("lstm_1", units, True))
    facts = comparison.models[0].artifacts[0]
    assert facts.environment_changes == changes
    assert facts.same_environment is not bool(changes)


@pytest.mark.parametrize(
    ("form", "units", "changes"),
    [
        (FormatName.KERAS, 8, ("jit_compile: True → False",)),
        (FormatName.OWN, 8, ("jit_compile: True → False",)),
        (FormatName.OWN, 9, ()),
    ],
)
def test_so_has_what_is_run_in_another_way_with_the_same_settings(
    form: FormatName, units: int, changes: tuple[str, ...], tmp_path: Path
) -> None:
    """`model.jit_compile = False` after `compile`, which writes no setting."""

    def of(units: int, compiled: bool) -> Changed:
        execution = {"jit_compile": compiled, "run_eagerly": False}
        return lambda o: replace(o, config={"units": units}, execution=execution)

    comparison = made_by_own_code(tmp_path, form, then=of(8, True), now=of(units, False))
    assert comparison.models[0].artifacts[0].environment_changes == changes


@pytest.mark.parametrize(("setting", "outcome"), [("run_eagerly", Outcome.UNCHECKED), ("unroll", Outcome.NOTED)])
def test_what_is_run_in_another_way_is_traced_as_it_was_unless_it_is_unrolled(
    setting: str, outcome: Outcome, tmp_path: Path
) -> None:
    """A constant that was lost beyond the probe is no matter of how the model is run."""

    def of(switch: bool, constants: str) -> Changed:
        graphs = (Graph(layer="layers/encoder", operations="c" * 64, constants=constants, random_operations=()),)
        return lambda o: replace(o, compile_config={setting: switch}, graphs=graphs)

    rows = made_by_own_code(tmp_path, then=of(False, "d" * 64), now=of(True, "e" * 64)).rows
    assert [row.outcome for row in rows if row.subject == "layers/encoder constants"] == [outcome]


@pytest.mark.parametrize(("drift", "status"), [(1e-6, Status.PASS), (1e-2, Status.FAIL)])
def test_what_is_logged_elsewhere_is_held_against_what_it_was_computed_from(drift: float, status: Status, tmp_path: Path) -> None:
    """It is kept as float64, and was computed from weights in float32, whose last bit is more than float64 tolerates."""
    log = values()["log/loss"] * (1 + drift)
    comparison = build(tmp_path, changed={"log/loss": log}, environment=replace(ENVIRONMENT, cpus=8)).compare()
    (finding,) = [f for m in judge(comparison, Policy()).models for f in m.findings if f.row.subject == "loss per step"]
    assert (finding.status, finding.setting) == (status, "other_environment.resume.float32")


@pytest.mark.parametrize(
    ("environment", "log", "outcome"),
    [
        (ENVIRONMENT, None, Outcome.UNCHECKED),
        (ENVIRONMENT, np.array([0.9, 0.8, 0.6]), Outcome.CHANGED),
        (replace(ENVIRONMENT, keras="3.16.0"), None, Outcome.NOTED),
        (replace(ENVIRONMENT, keras="3.16.0"), np.array([0.9, 0.8, 0.6]), Outcome.NOTED),
        (replace(ENVIRONMENT, devices=(*ENVIRONMENT.devices, "/device:GPU:0")), None, Outcome.NOTED),
        (replace(ENVIRONMENT, devices=(*ENVIRONMENT.devices, "/device:CPU:1")), None, Outcome.UNCHECKED),
        (replace(ENVIRONMENT, cpus=8, intra_op_threads=8, inter_op_threads=8), None, Outcome.UNCHECKED),
        (replace(ENVIRONMENT, deterministic=True, settings={}, options={}), None, Outcome.UNCHECKED),
        (replace(ENVIRONMENT, deterministic=True), np.array([0.9, 0.8, 0.6]), Outcome.CHANGED),
    ],
)
def test_what_is_computed_otherwise_is_told_by_what_comes_of_it_and_where(
    environment: Environment, log: np.ndarray | None, outcome: Outcome, tmp_path: Path
) -> None:
    """Another environment may trace other graphs."""

    def with_step(constants: str) -> Changed:
        step = Graph(layer=TRAIN_STEP, operations="c" * 64, constants=constants, random_operations=())
        return lambda o: replace(o, graphs=(*(replace(graph, constants=constants) for graph in o.graphs), step))

    changed = {} if log is None else {"log/loss": log}
    built = build(tmp_path, then=with_step("d" * 64), now=with_step("e" * 64), changed=changed, environment=environment)
    rows = [row for row in built.compare().rows if row.subject.endswith(" constants")]
    assert [(row.subject, row.outcome) for row in rows] == [("layers/encoder constants", outcome)], "and not of the step again"


@pytest.mark.parametrize(
    ("then", "now", "subjects"),
    [
        (("layers/encoder", TRAIN_STEP), (TRAIN_STEP,), ["layers/encoder operations"]),
        (("layers/encoder", TRAIN_STEP), ("layers/encoder",), ["train step operations"]),
        (("layers/encoder",), ("layers/decoder", "layers/encoder"), ["layers/decoder operations"]),
        (("layers/encoder",), (), ["graphs of training"]),
        (("layers/encoder",), ("layers/encoder", TRAIN_STEP), []),
        ((), ("layers/encoder", TRAIN_STEP), []),
    ],
)
def test_what_was_traced_at_save_and_not_after_the_reload_is_unchecked(
    then: tuple[str, ...], now: tuple[str, ...], subjects: list[str], tmp_path: Path
) -> None:
    """A layer that computes nothing has no graph; of what was not traced at save nothing can be said."""

    def of(layers: tuple[str, ...]) -> Changed:
        graphs = tuple(Graph(layer=one, operations="a" * 64, constants="b" * 64, random_operations=()) for one in layers)
        return lambda o: replace(o, graphs=graphs)

    rows = build(tmp_path, then=of(then), now=of(now)).compare().rows
    found = [row for row in rows if row.group is Group.STRUCTURE and row.outcome is Outcome.UNCHECKED]
    assert [row.subject for row in found] == subjects


@pytest.mark.parametrize(
    ("then", "now", "subjects"),
    [
        ("aaa", "aaa", []),
        ("aaa", "aba", ["layers/decoder wiring"]),
        ("aaa", "bbb", ["layers/encoder wiring"]),
        ("aaa", "aab", ["train step wiring"]),
    ],
)
def test_of_layers_that_are_wired_otherwise_the_first_is_told(then: str, now: str, subjects: list[str], tmp_path: Path) -> None:
    def of(wirings: str) -> Changed:
        layers = ("layers/encoder", "layers/decoder", TRAIN_STEP)
        graphs = [
            Graph(layer=layer, operations="a" * 64, constants="b" * 64, random_operations=(), wiring=one)
            for layer, one in zip(layers, wirings, strict=True)
        ]
        return lambda o: replace(o, graphs=tuple(graphs))

    rows = build(tmp_path, then=of(then), now=of(now)).compare().rows
    found = [row for row in rows if row.group is Group.STRUCTURE and row.outcome is Outcome.UNCHECKED]
    assert [row.subject for row in found] == subjects


@pytest.mark.parametrize(("now", "swapped"), [(("age", "income"), False), (("income", "age"), True), (("age", "salary"), False)])
def test_names_of_inputs_that_changed_places_fail_also_where_the_model_was_built_again(
    now: tuple[str, str], swapped: bool
) -> None:
    """What its builder says in other words is only noted; who feeds by a name that is gone is told by Keras."""

    def named(*names: str) -> Observation:
        layers = [{"class_name": "InputLayer", "config": {"name": name}} for name in names]
        config = {"class_name": "Functional", "config": {"layers": layers, "input_layers": [[name, 0, 0] for name in names]}}
        return replace(observed(values())[0], config=config)

    rows = structure_rows(named("age", "income"), named(*now), rebuilt=True)
    assert [row.subject for row in rows if row.outcome is Outcome.CHANGED] == ["names of inputs"] * swapped


@pytest.mark.parametrize(
    ("then", "now", "rebuilt", "outcome"),
    [
        ("Sequential", "Functional", True, Outcome.NOTED),
        ("Sequential", "Functional", False, Outcome.CHANGED),
        ("Net", "NetOfToday", True, Outcome.NOTED),
        ("Net", "NetOfToday", False, Outcome.CHANGED),
        ("Functional", "Functional", True, Outcome.SAME),
    ],
)
def test_the_same_may_be_built_again_as_another_class(then: str, now: str, rebuilt: bool, outcome: Outcome) -> None:
    first, other = (replace(observed(values())[0], class_name=name) for name in (then, now))
    assert [row.outcome for row in structure_rows(first, other, rebuilt) if row.subject == "class"] == [outcome]


@pytest.mark.parametrize("part", ["operations", "constants", "wiring"])
def test_graphs_that_another_version_looked_into_are_to_be_recorded_again(part: str, tmp_path: Path) -> None:
    def of(digest: str, scheme: int) -> Changed:
        return lambda o: replace(o, graphs=tuple(replace(g, **{part: digest}) for g in o.graphs), graph_scheme=scheme)

    def found(then: Changed, now: Changed, name: str) -> list[Row]:
        rows = build(tmp_path / name, then=then, now=now).compare().rows
        return [row for row in rows if row.group is Group.STRUCTURE and row.outcome is Outcome.UNCHECKED]

    (row,) = found(of("b", 0), of("c", 1), "another")
    assert row.subject == "graphs"
    assert "record the version again" in row.detail
    assert found(of("b", 0), of("b", 1), "same") == []
    assert [row.subject for row in found(of("b", 1), of("c", 1), "one")] != ["graphs"]


@pytest.mark.parametrize("numbers", [("", "_1"), ("_2", "_10"), ("_8", "_9"), ("_9", "_10")])
def test_several_logs_that_keras_numbers_are_held_against_each_other_in_the_order_of_their_numbers(
    numbers: tuple[str, str], tmp_path: Path
) -> None:
    def of(*numbers: str) -> Changed:
        return lambda o: replace(o, logs=tuple(replace(log, name=f"dense{n}") for n, log in zip(numbers, o.logs, strict=True)))

    def found(name: str, *now: str) -> list[Row]:
        rows = build(tmp_path / name, then=of("_9", "_10"), now=of(*now)).compare().rows
        return [row for row in rows if row.group is Group.RESUME and row.outcome not in QUIET]

    assert found("same", *numbers) == []
    assert {(row.subject, row.outcome) for row in found("swapped", *reversed(numbers))} == {
        ("dense_9 per step", Outcome.DIFFERS),
        ("dense_10 per step", Outcome.DIFFERS),
    }


def test_logs_that_keras_numbers_in_every_process_are_held_against_each_other_by_what_is_left(tmp_path: Path) -> None:
    def under(number: str) -> Changed:
        return lambda o: replace(o, logs=tuple(replace(log, name=f"{log.name}{number}") for log in o.logs))

    same = build(tmp_path / "same", then=under("_11"), now=under("_2"))
    rows = [row for row in same.compare().rows if row.group is Group.RESUME and row.outcome is not Outcome.SAME]
    noted = [row.subject for row in rows if row.outcome is Outcome.NOTED]
    assert noted[:2] == ["accuracy_11 by name", "loss_11 by name"]
    assert judge(same.compare(), Policy()).status is Status.PASS
    changed = {"log/loss": np.array([0.9, 0.8, 0.6])}
    other = build(tmp_path / "other", then=under("_2"), now=under(""), changed=changed)
    assert [row.subject for row in other.compare().rows if row.outcome is Outcome.DIFFERS] == ["loss_2 per step"]
    named = build(tmp_path / "named", then=under("_mean"), now=under(""))
    assert {row.outcome for row in named.compare().rows} >= {Outcome.MISSING, Outcome.EXTRA}


@pytest.mark.parametrize(("then", "now"), [("", "_1"), ("_2", "_11")])
def test_logs_whose_numbers_grew_fail_because_what_loads_the_model_makes_others_first(
    then: str, now: str, tmp_path: Path
) -> None:
    """A fresh process numbers from the beginning, and callbacks look for the name of the training process."""

    def under(number: str) -> Changed:
        return lambda o: replace(o, logs=tuple(replace(log, name=f"{log.name}{number}") for log in o.logs))

    comparison = build(tmp_path, then=under(then), now=under(now)).compare()
    rows = [row for row in comparison.rows if row.group is Group.RESUME and row.outcome not in QUIET]
    assert [(row.subject, row.seen) for row in rows] == [(f"{n}{then} by name", f"{n}{now}") for n in ("accuracy", "loss")]
    assert judge(comparison, Policy()).status is Status.FAIL


def test_steps_that_only_gather_gradients_are_exercised(tmp_path: Path) -> None:
    """They are applied with a later one, and are as they were after the reload."""

    def gathering(observation: Observation) -> Observation:
        return replace(
            observation,
            variables=tuple(
                replace(v, path="adam/dense_kernel_gradient_accumulator") if v.key == MOMENTUM else v
                for v in observation.variables
            ),
        )

    usual = values()
    still = {f"after/{key}": usual[f"before/{key}"] for key in (ENCODER, DECODER, LARGE)}
    built = build(tmp_path / "moved", then=gathering, now=gathering, before=still)
    assert judge(built.compare(), Policy()).status is Status.PASS
    still[f"after/{MOMENTUM}"] = usual[f"before/{MOMENTUM}"]
    built = build(tmp_path / "still", then=gathering, now=gathering, before=still)
    assert only(built, Group.RESUME, "steps").outcome is Outcome.UNCHECKED


def test_operations_that_compute_with_what_is_in_no_graph_are_noted_once(tmp_path: Path) -> None:
    def unseen(o: Observation) -> Observation:
        step = Graph(layer=TRAIN_STEP, operations="c" * 64, constants="d" * 64, random_operations=())
        return replace(o, graphs=tuple(replace(graph, unseen_operations=("PyFunc",)) for graph in (*o.graphs, step)))

    rows = build(tmp_path, then=unseen, now=unseen).compare().rows
    found = [row for row in rows if row.subject.endswith(": PyFunc")]
    assert [(row.subject, row.outcome) for row in found] == [("layers/encoder: PyFunc", Outcome.NOTED)]


@pytest.mark.parametrize(
    ("then", "now", "subjects"),
    [
        ({TRAINING: "b", PREDICT: "b"}, {TRAINING: "b", PREDICT: "c"}, ["layers/encoder constants"]),
        ({TRAINING: "b", PREDICT: "b"}, {TRAINING: "c", PREDICT: "c"}, ["layers/encoder constants"]),
        ({TRAINING: "b", PREDICT: "b"}, {TRAINING: "b"}, ["graphs of predict"]),
        ({TRAINING: "b"}, {TRAINING: "b", PREDICT: "c"}, []),
    ],
)
def test_what_a_layer_does_where_it_predicts_is_compared_by_itself(
    then: dict[str, str], now: dict[str, str], subjects: list[str], tmp_path: Path
) -> None:
    """Older evidence has nothing of it."""

    def of(constants: dict[str, str]) -> Changed:
        return lambda o: replace(
            o,
            graphs=tuple(
                Graph(layer="layers/encoder", operations="a" * 64, constants=one * 64, random_operations=(), mode=mode)
                for mode, one in constants.items()
            ),
        )

    rows = build(tmp_path, then=of(then), now=of(now)).compare().rows
    found = [row for row in rows if row.group is Group.STRUCTURE and row.outcome is Outcome.UNCHECKED]
    assert [row.subject for row in found] == subjects


@pytest.mark.parametrize(("traced", "environment"), [(True, ENVIRONMENT), (False, ENVIRONMENT), (True, None)])
def test_other_attributes_that_the_steps_move_are_told_and_a_fault_only_where_no_graph_tells_what_they_do(
    traced: bool, environment: Environment | None, tmp_path: Path
) -> None:
    """In another environment graphs are only noted: there they tell nothing."""

    def of(attribute: str) -> Changed:
        return lambda o: replace(o, moved_attributes=(attribute,), graphs=o.graphs if traced else o.graphs[:2])

    rows = build(tmp_path, then=of("model.stage"), now=of("model.rows"), environment=environment).compare().rows
    found = [(row.subject, row.outcome) for row in rows if row.group is Group.RESUME and row.outcome is not Outcome.SAME]
    noted = [("model.rows", Outcome.NOTED), ("model.stage", Outcome.NOTED)]
    assert found == [("Python attributes", Outcome.UNCHECKED)] * (not (traced and environment)) + noted


@pytest.mark.parametrize(
    ("kept", "told"),
    [(slice(None), []), (slice(2), [TRAIN_STEP]), (slice(1), [PREDICT, TRAIN_STEP]), (slice(2, 3), [PREDICT])],
)
def test_what_was_not_traced_at_save_is_told(kept: slice, told: list[str], tmp_path: Path) -> None:
    built = build(tmp_path, then=lambda o: replace(o, graphs=o.graphs[kept]))
    rows = [row for row in built.compare().rows if row.detail.startswith("no graph of it was traced")]
    assert [(row.group, row.subject, row.outcome) for row in rows] == [(Group.STRUCTURE, one, Outcome.NOTED) for one in told]


def test_of_what_only_infers_the_state_that_is_not_tracked_is_compared_and_that_of_the_steps_is_not(tmp_path: Path) -> None:
    def with_a_step(observation: Observation) -> Observation:
        (untracked,) = (variable for variable in observation.variables if variable.key == UNTRACKED)
        return replace(observation, variables=(*observation.variables, replace(untracked, key=f"untracked/{TRAIN_STEP}/0")))

    def with_settings(value: str) -> Changed:
        kept = tuple(Attribute(key=key, value=value, argument=True) for key in ("optimizer.cap", "loss/0.cap", "layers/own.cap"))
        return lambda o: replace(o, attributes=kept)

    built = build(
        tmp_path, then=lambda o: with_settings("1.0")(with_a_step(o)), now=with_settings("2.0"),
        changed={f"before/{UNTRACKED}": np.ones(2, np.float32)},
    )  # fmt: skip
    artifact = replace(ARTIFACT, capability=Capability.INFER)
    saved = replace(built.saved, artifacts=(artifact,))
    write_evidence(built.sealed, saved)
    infers = built.compare_with(replace(built.reloaded, artifact=artifact, saved_sha256=digest(to_dict(saved))))
    structure = [row for row in infers.rows if row.group is Group.STRUCTURE and row.outcome is not Outcome.SAME]
    assert [(row.subject, row.outcome) for row in structure] == [
        (one, Outcome.UNCHECKED) for one in (UNTRACKED, "layers/own.cap")
    ]


@pytest.mark.parametrize(
    ("argument", "read", "method", "eager", "after", "outcome"),
    [
        (True, True, "", False, "9.0", Outcome.UNCHECKED),
        (True, True, "", False, None, Outcome.UNCHECKED),
        (True, True, "", False, "8.0", None),
        (True, False, "", False, "9.0", Outcome.NOTED),
        (False, True, "", True, "9.0", Outcome.UNCHECKED),
        (False, True, "", True, None, Outcome.UNCHECKED),
        (False, False, "", True, "9.0", Outcome.NOTED),
        (False, False, "", True, None, None),
        (False, True, "fit", False, "9.0", Outcome.UNCHECKED),
        (False, True, "fit", False, "8.0", None),
        (False, True, "fit", False, None, Outcome.UNCHECKED),
        (False, True, "fit, which makes it", False, "9.0", Outcome.UNCHECKED),
        (False, True, "fit, which makes it", False, None, None),
        (False, True, "", False, "9.0", Outcome.NOTED),
        (False, True, "", False, None, None),
    ],
)
def test_an_attribute_that_came_back_as_another_is_worth_what_may_depend_on_it(
    argument: bool, read: bool, method: str, eager: bool, after: str | None, outcome: Outcome | None, tmp_path: Path
) -> None:
    """An argument of a constructor, what eager steps count, or what a method reads that no check calls, is unchecked where code
    reads it; what else is kept is told, where it is there."""
    key = "layers/encoder.limit"

    def with_value(value: str | None) -> Changed:
        made = method.endswith("makes it")
        one = Attribute(key=key, value=value or "", argument=argument, read=read, method=method, made=made)
        kept = () if value is None else (one,)
        other = Attribute(key="layers/encoder.other", value="1.0", argument=True)
        return lambda o: replace(
            o,
            attributes=(*kept, other),
            moved_attributes=(key,),
            compile_config={**(o.compile_config or {}), "run_eagerly": eager},
        )

    rows = build(tmp_path, then=with_value("8.0"), now=with_value(after)).compare().rows
    found = [row for row in rows if row.subject == key and row.group is Group.STRUCTURE]
    assert [row.outcome for row in found] == ([outcome] if outcome else [])
    assert all((row.expected, row.seen) == ("8.0", after or ABSENT) for row in found)


@pytest.mark.parametrize(
    ("then", "now", "same"),
    [
        ("1.0", "true", True), ("[1.0, 0.0]", "[true, false]", True), ("1.0", "2.0", False), ("null", "0.0", False),
        ('"1"', "1.0", False), ("SHA-256 a", "SHA-256 b", False), ("SHA-256 a", "1.0", False),
    ],
)  # fmt: skip
def test_a_flag_may_come_back_as_a_number(then: str, now: str, same: bool, tmp_path: Path) -> None:
    def with_value(value: str) -> Changed:
        return lambda o: replace(o, attributes=(Attribute(key="layers/encoder.limit", value=value, argument=True),))

    rows = build(tmp_path, then=with_value(then), now=with_value(now)).compare().rows
    assert [row.outcome for row in rows if row.subject == "layers/encoder.limit"] == [Outcome.UNCHECKED] * (not same)


@pytest.mark.parametrize(
    ("method", "called", "after", "differs", "outcome"),
    [
        ("fit", False, None, False, Outcome.UNCHECKED),
        ("fit", False, '"another"', False, Outcome.UNCHECKED),
        ("fit", False, '"own"', False, None),
        ("call", True, None, False, Outcome.NOTED),
        ("call", True, None, True, Outcome.CHANGED),
    ],
)
def test_a_method_of_the_users_own_is_told_where_it_is_lost(
    method: str, called: bool, after: str | None, differs: bool, outcome: Outcome | None, tmp_path: Path
) -> None:
    def with_method(value: str | None, differs: bool = False) -> Changed:
        one = Attribute(key=f"model.{method}", value=value or "", argument=False, read=not called, method=method)
        kept = () if value is None else (one,)
        return lambda o: replace(o, attributes=kept, outputs=o.outputs[differs:])

    rows = build(tmp_path, then=with_method('"own"'), now=with_method(after, differs)).compare().rows
    assert [row.outcome for row in rows if row.subject == f"model.{method}"] == ([outcome] if outcome else [])


def test_an_argument_of_what_is_gone_is_unchecked(tmp_path: Path) -> None:
    """A constraint that a `get_config` forgets, say."""
    rows = build(tmp_path, now=lambda o: replace(o, attributes=())).compare().rows
    (row,) = [row for row in rows if row.subject == "layers/encoder.limit"]
    assert (row.outcome, row.seen) == (Outcome.UNCHECKED, ABSENT)
    assert "is gone" in row.detail


def test_older_evidence_says_nothing_of_attributes(tmp_path: Path) -> None:
    built = build(tmp_path, then=lambda o: replace(o, attributes=()))
    assert not [row for row in built.compare().rows if row.subject == "layers/encoder.limit"]


def test_an_environment_that_is_not_known_is_another(tmp_path: Path) -> None:
    assert not build(tmp_path, environment=None).compare().models[0].artifacts[0].same_environment


def test_losses_that_are_no_numbers_are_none(tmp_path: Path) -> None:
    facts = build(tmp_path, changed={"log/loss": np.array([0.9, np.nan, np.inf])}).compare().models[0].artifacts[0]
    assert facts.losses == {"uninterrupted": (0.9, 0.8, 0.7), "reloaded": (0.9, None, None)}
