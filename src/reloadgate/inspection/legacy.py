"""The legacy `.h5` file: configuration in attributes, weights in groups by the layers' names."""

from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from reloadgate.inspection import agreement, configuration
from reloadgate.inspection.declared import Declared
from reloadgate.inspection.documents import parsed
from reloadgate.inspection.expected import WITH_WEIGHTS, Expected, is_container, layers_of, own_config, shapes_of
from reloadgate.inspection.found import RefusedError, Report, first
from reloadgate.inspection.hdf5 import Contents, opened
from reloadgate.inspection.keras_archive import VERSION
from reloadgate.inspection.limits import Limits
from reloadgate.inspection.reading import Source

WEIGHTS, OPTIMIZER = "model_weights", "optimizer_weights"
OF_THE_MODEL = "top_level_model_weights"
"""The group of the variables that belong to no layer, which no list names."""


def inspect_file(source: Source, declared: Declared, limits: Limits, report: Report) -> None:
    report.kind = "legacy h5"
    with opened(source) as file:
        contents = Contents(file, source, limits, report)
        if "layer_names" in file.attrs:
            report.kind = "legacy h5 weights"
            _check_layers(file, "", contents, None, source.name, report)
        else:
            root = _config(file, "model_config", source.name, limits)
            if root is None:
                report.refuse("missing-config", source.name, "it holds no model_config", "save the whole model")
            else:
                place = f"{source.name}@model_config"
                configuration.check(root, place, declared, limits, report, legacy=True)
                agreement.check_sizes(root, contents.datasets, place, report)
            if WEIGHTS not in contents.groups:
                report.refuse("missing-weights", source.name, "it holds no model_weights")
            else:
                _check_layers(file[WEIGHTS], WEIGHTS + "/", contents, root, source.name, report)
            _check_training(file, contents, declared, source.name, limits, report)
        version = _text(file.attrs.get("keras_version"))
        if version and VERSION.fullmatch(version):
            report.versions.add(f"keras {version}")
        contents.read_all()


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None


def _config(file: Any, attribute: str, place: str, limits: Limits) -> dict[str, Any] | None:
    if attribute not in file.attrs:
        return None
    value = file.attrs[attribute]
    raw = value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape") if isinstance(value, str) else None
    if raw is None:
        raise RefusedError("json", f"{place}@{attribute}", "no text")
    return parsed(raw, f"{place}@{attribute}", limits.config, limits)


def _check_training(file: Any, contents: Contents, declared: Declared, place: str, limits: Limits, report: Report) -> None:
    training = _config(file, "training_config", place, limits)
    report.slots = sum(path.startswith(OPTIMIZER + "/") for path in contents.datasets)
    if training is None:
        return
    where = f"{place}@training_config"
    # A wrapper, because a training configuration is no object itself, but holds some.
    configuration.check({"class_name": "Sequential", "config": training}, where, declared, limits, report, legacy=True)
    named = training.get("optimizer_config")
    if isinstance(named, dict):
        report.optimizer = str(named.get("class_name"))
        if not report.slots:
            message = f"compiled with {report.optimizer}, of which nothing is stored"
            report.refuse("missing-optimizer", place, message)
    if OPTIMIZER in contents.groups:
        _check_names(contents.groups[OPTIMIZER], OPTIMIZER + "/", contents, place, report)


def _names(group: Any, attribute: str) -> list[str] | None:
    """The names in an attribute, or in its numbered parts when they were too many for one."""
    if attribute in group.attrs:
        return [str(_text(name)) for name in group.attrs[attribute]]
    found: list[str] = []
    number = 0
    while f"{attribute}{number}" in group.attrs:
        found += [str(_text(name)) for name in group.attrs[f"{attribute}{number}"]]
        number += 1
    return found if number else None


def _check_names(group: Any, prefix: str, contents: Contents, place: str, report: Report) -> list[str]:
    """The paths of the datasets that a group's `weight_names` lists."""
    names = _names(group, "weight_names") or []
    _check_unique(names, f"{place}:{prefix.rstrip('/')}", report)
    paths = [prefix + name for name in names]
    missing = [path for path in paths if path not in contents.datasets]
    extra = [path for path in contents.datasets if path.startswith(prefix) and path not in paths]
    if missing:
        report.refuse("missing-weights", f"{place}:{prefix.rstrip('/')}", f"missing: {first(missing)}")
    if extra:
        report.refuse("extra-weights", f"{place}:{prefix.rstrip('/')}", f"not listed: {first(extra)}")
    return paths


def _check_unique(names: list[str], place: str, report: Report) -> None:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        report.refuse("duplicate-member", place, f"it lists twice: {first(twice)}")


def _groups_of(path: str) -> Iterator[str]:
    return accumulate(path.split("/"), "{}/{}".format)


def _check_layers(group: Any, prefix: str, contents: Contents, root: Any, place: str, report: Report) -> None:
    names = _names(group, "layer_names")
    if names is None:
        report.refuse("missing-weights", f"{place}:{prefix}", "it lists no layers")
        return
    _check_unique(names, f"{place}:{prefix.rstrip('/')}", report)
    stored: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        if prefix + name not in contents.groups:
            report.refuse("missing-weights", f"{place}:{prefix}{name}", "the weights of this layer are missing")
        else:
            stored[name] = _check_names(contents.groups[prefix + name], f"{prefix}{name}/", contents, place, report)
    own = {prefix + name for name in (*names, OF_THE_MODEL)}
    if extra := [path for path in contents.datasets if path.startswith(prefix) and own.isdisjoint(_groups_of(path))]:
        report.refuse("extra-weights", f"{place}:{prefix.rstrip('/')}", f"of no layer that is listed: {first(extra)}")
    if root is None or not is_container({"module": None, **root}):
        return
    _check_order(root, names, place, report)
    for layer in layers_of(root):
        name = str((layer.config.get("config") or {}).get("name"))
        if layer.group.count("/") == 1 and name in stored:
            _check_shapes(
                layer, [contents.datasets[path].shape for path in stored[name] if path in contents.datasets], place, report
            )


def _check_order(root: dict[str, Any], names: list[str], place: str, report: Report) -> None:
    """Keras reads the weights in the order of the list, whatever the names are; it lists layers, and no operations."""
    listed = own_config(root).get("layers")
    layers = [layer for layer in listed if isinstance(layer, dict)] if isinstance(listed, list) else []
    known = {str(layer.get("name") or own_config(layer).get("name")): layer.get("class_name") for layer in layers}
    present = {*names}
    missing = [name for name, class_name in known.items() if class_name in WITH_WEIGHTS and name not in present]
    if missing:
        report.refuse("missing-weights", f"{place}:{WEIGHTS}", f"it does not list {first(missing)}")
    elif "None" not in known and names != [name for name in known if name in present]:
        report.refuse("layer-order", f"{place}:{WEIGHTS}", "it lists other layers than the configuration, or in another order")


def _check_shapes(layer: Expected, stored: list[tuple[int, ...]], place: str, report: Report) -> None:
    shapes = shapes_of(layer)
    if shapes is not None and stored != shapes:
        report.refuse("shape", f"{place}:{layer.group}", f"stored {stored}, where the configuration says {shapes}")
