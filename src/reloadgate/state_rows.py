"""Rows of what a model holds: weights, assets, optimizer, random state; and of what the artifact itself holds of it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from reloadgate.comparison import Outcome, Row
from reloadgate.evidence import Group, Kind, Observation, ReloadedEvidence, Variable
from reloadgate.formats import FORMATS
from reloadgate.rows import (
    OTHER_SETTING,
    UNBUILT,
    Side,
    advanced,
    array_row,
    group_of,
    inner_optimizer,
    is_rate_in_other_dtype,
    rate_row,
    row_of,
    setting_rows,
    short,
    unbuilt,
)

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
        outcome, detail = Outcome.NOTED, OTHER_SETTING  # the steps show what it does
        if not then.trainable:
            outcome = Outcome.UNCHECKED
            detail = (
                f"{then.path} is frozen, so that no step shows it: where it is trained again, it has another regularizer, "
                "constraint or weight decay. Give them to the layer's constructor, and let `get_config` give them back"
            )
        before, after = short(then.treatment or "none"), short(now.treatment or "none")
        yield row_of(Group.STRUCTURE, f"{then.key} when trained", outcome, expected=before, seen=after, detail=detail)
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
