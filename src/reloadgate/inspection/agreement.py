"""A configuration against the weights beside it: nothing missing, nothing more, and each of the right shape and dtype."""

import re
from collections import Counter
from collections.abc import Collection
from typing import Any

from reloadgate.inspection.declared import class_names, classes
from reloadgate.inspection.documents import walk
from reloadgate.inspection.expected import (
    WITH_WEIGHTS,
    Expected,
    Shape,
    dtypes_in,
    is_container,
    is_plain,
    layers_of,
    own_config,
    policy_dtype,
    shapes_of,
)
from reloadgate.inspection.found import SAVE_AGAIN, Report, first
from reloadgate.inspection.hdf5 import stored_dtype
from reloadgate.text import snake_case

COUNTS = {"bool", "int32", "int64", "uint32", "uint64", "uint8"}
"""What layers store that is no weight: states of seeds, counters."""
SLOTS: dict[str, Any] = {
    "Adam": lambda c: 3 if c.get("amsgrad") else 2,
    "AdamW": lambda c: 3 if c.get("amsgrad") else 2,
    "Adamax": lambda c: 2,
    "Adagrad": lambda c: 1,
    "Adadelta": lambda c: 2,
    "Ftrl": lambda c: 2,
    "Lamb": lambda c: 2,
    "Lion": lambda c: 1,
    "RMSprop": lambda c: 1 + bool(c.get("momentum")) + bool(c.get("centered")),
    "SGD": lambda c: int(bool(c.get("momentum"))),
}
"""Variables that an optimizer keeps for each variable that it trains, all of that one's shape."""
OF_EQUAL_SHAPE = {snake_case(name) for name in SLOTS} | {"rmsprop"}
SIZES = {"units", "filters", "input_dim", "output_dim", "num_heads", "key_dim", "value_dim", "head_dim", "intermediate_dim"}
SHAPES = {"build_config", "build_input_shape", "input_shape", "batch_input_shape", "batch_shape", "shape"}
"""Keys that say what a model is given: one that has none of them is built when it is called, and takes no memory before."""
ANY: tuple[str, ...] = ("",)
"""How every path begins: nothing says which layers are custom."""
MOST_UNSTORED = 4096
"""A size up to which a layer may be declared that holds fewer values."""


def check(root: dict[str, Any], datasets: dict[str, Any], groups: Collection[str], place: str, report: Report) -> None:
    """Hold the weights of a `.keras` archive against its configuration.

    Args:
        datasets, groups: of the weights, by path.
    """
    custom = ANY
    if is_container(root):
        layers = list(layers_of(root))
        custom = tuple(layer.group + "/" for layer in layers if not layer.kerass)
        for layer in layers:
            _check_layer(layer, datasets, place, report)
        _check_nothing_more(layers, datasets, place, report)
    check_sizes(root, datasets, "config.json", report)
    _check_numbering(datasets, custom, place, report)
    compiled = root.get("compile_config")
    named = compiled.get("optimizer") if isinstance(compiled, dict) else None
    changed = "optimizer/inner_optimizer" in groups or any(isinstance(v, dict) and v.get("lora_rank") for _, v in walk(root))
    check_optimizer(named, datasets, place, report, simple=not changed, kerass=not custom)


def check_weights(datasets: dict[str, Any], named: str, place: str, report: Report) -> None:
    """What holds of weights without a configuration.

    Args:
        named: the optimizer's name, which is its class in lower case where the user gave no other.
    """
    _check_numbering(datasets, ANY, place, report)
    check_optimizer(None, datasets, place, report)
    slots = {one.shape for path, one in datasets.items() if path.startswith("optimizer/") and one.shape}
    weights = {one.shape for path, one in datasets.items() if not path.startswith("optimizer/")}
    if not all(path.rpartition("/")[2].isdecimal() for path in datasets):
        return  # a custom layer, which gives names to what it stores, and may pack its variables
    strange = {shape for shape in slots - weights if not _is_factor(shape, slots, weights)}
    if strange and named.rstrip("_0123456789") in OF_EQUAL_SHAPE:
        message = f"the optimizer has slots of shapes that no variable has: {_shown(sorted(strange))}"
        report.refuse("missing-weights", place, message)


def _is_factor(shape: Shape, slots: set[Shape], weights: set[Shape]) -> bool:
    """Whether it is one of the two low-rank factors that Keras merges into a weight when it saves."""
    for weight in weights:
        if len(weight) > 1 and shape[:-1] == weight[:-1] and (shape[-1], weight[-1]) in slots:
            return True
        if len(weight) > 1 and len(shape) == 2 and shape[1] == weight[-1] and (*weight[:-1], shape[0]) in slots:
            return True
    return False


def _below(names: Any, group: str) -> list[str]:
    return [name for name in names if name.startswith(group + "/")]


def _check_layer(layer: Expected, datasets: dict[str, Any], place: str, report: Report) -> None:
    if layer.shared or not layer.kerass:
        return
    name, own = layer.config["class_name"], layer.group + "/vars"
    below = _below(datasets, layer.group)
    shapes = shapes_of(layer)
    if not below:
        if shapes or (name in WITH_WEIGHTS and _built(layer.config)):
            report.refuse("missing-weights", f"{place}:{layer.group}", f"the weights of the layer {_name(layer)} are missing")
        return
    if name in WITH_WEIGHTS and not layer.config.get("build_config"):
        message = f"the layer {_name(layer)} has weights, and no build_config says of what shape: Keras always writes one"
        report.refuse("config", f"{place}:{layer.group}", message, SAVE_AGAIN)
    if shapes is not None:
        stored = [datasets[path].shape for path in sorted(below, key=_order) if path.startswith(own + "/")]
        if len(stored) != len(below) or len(stored) > len(shapes):
            report.refuse("extra-weights", f"{place}:{layer.group}", f"{len(below)} variables, and {name} has {len(shapes)}")
        elif len(stored) < len(shapes):
            report.refuse("missing-weights", f"{place}:{layer.group}", f"{len(stored)} variables, and {name} has {len(shapes)}")
        elif stored != shapes:
            report.refuse("shape", f"{place}:{layer.group}", f"stored {_shown(stored)}; the configuration says {_shown(shapes)}")
    _check_dtypes(layer, datasets, below, shapes is not None, place, report)


def _check_dtypes(layer: Expected, datasets: dict[str, Any], below: list[str], known: bool, place: str, report: Report) -> None:
    if not is_plain(layer.config) or layer.changed:
        return
    own = policy_dtype(own_config(layer.config).get("dtype"))
    allowed = {own} if known else dtypes_in(layer.config) | COUNTS | {"float32"}
    for path in below:
        if (dtype := stored_dtype(datasets[path])) not in allowed:
            report.refuse("dtype", f"{place}:{path}", f"stored as {dtype}, where the configuration says {own}")


def _check_nothing_more(layers: list[Expected], datasets: dict[str, Any], place: str, report: Report) -> None:
    known = {layer.group for layer in layers}
    # A model that lies within this one and was compiled by itself has an optimizer beside its layers.
    known |= {f"{group[: match.start()]}/optimizer" for group in known for match in re.finditer("/layers/", group)}
    pattern = re.compile(r"^((?:layers/\w+/)*?layers/\w+)/")
    extra = set()
    for path in datasets:
        prefixes = {path[: match.start()] for match in re.finditer("/", path)}
        if path.startswith("layers/") and not prefixes & known and (match := pattern.match(path)):
            extra.add(match[1])
    if extra:
        report.refuse("extra-weights", place, f"weights of layers that the configuration does not have: {first(extra)}")


def check_sizes(root: dict[str, Any], datasets: dict[str, Any], place: str, report: Report) -> None:
    """Sizes for which loading would allocate what the file does not hold.

    Args:
        place: of the configuration.
    """
    stored = max(MOST_UNSTORED, sum(dataset.size or 0 for dataset in datasets.values()))
    given = any(isinstance(value, dict) and value.keys() & SHAPES for _, value in walk(root))
    for path, value in walk(root):
        if not isinstance(value, dict) or not isinstance(value.get("config"), dict):
            continue
        build = value.get("build_config")
        if not isinstance(build, dict) and not (given and _is_kerass(value)):
            continue
        shapes = [v for p, v in walk(build) if isinstance(v, int) and not isinstance(v, bool)]
        sizes = [v for k, v in value["config"].items() if k in SIZES and isinstance(v, int) and not isinstance(v, bool)]
        weights = value.get("class_name") in WITH_WEIGHTS
        if any(abs(size) > stored for size in sizes) or (weights and any(abs(size) > max(stored, 1 << 20) for size in shapes)):
            where = ".".join(map(str, path))
            report.refuse("declared-size", f"{place}.{where}", "a layer larger than all the values that are stored")


def _check_numbering(datasets: dict[str, Any], custom: tuple[str, ...], place: str, report: Report) -> None:
    """Variables are numbered from 0 on, without a hole.

    Args:
        custom: how the paths begin of what custom layers store, by names of their own.
    """
    numbered: dict[str, set[int]] = {}
    for path in datasets:
        group, _, name = path.rpartition("/")
        if group.split("/")[-1] == "vars" and name.isdecimal():
            if name != str(int(name)) and not path.startswith(custom):
                message = f"the variable {int(name)} is missing: Keras does not find it by the name {name!r}"
                report.refuse("missing-weights", f"{place}:{group}", message)
            numbered.setdefault(group, set()).add(int(name))
    for group, numbers in numbered.items():
        if numbers != set(range(len(numbers))):
            missing = min(set(range(max(numbers))) - numbers)
            report.refuse("missing-weights", f"{place}:{group}", f"the variable {missing} is missing between others")


def check_optimizer(
    named: Any, datasets: dict[str, Any], place: str, report: Report, simple: bool = True, kerass: bool = True
) -> None:
    """The optimizer's variables against the optimizer that the configuration names, None where it names none.

    Args:
        simple: no loss scale is kept beside them, and they are of variables that are stored.
        kerass: every layer is Keras' own, and so stores its variables as they are: a custom one may pack them.
    """
    own = _below(datasets, "optimizer")
    report.slots = len(own)
    if isinstance(named, str):
        named = {"class_name": named, "config": None}
    if isinstance(named, dict):
        report.optimizer = str(named.get("class_name"))
        if not own:
            report.refuse("missing-optimizer", place, f"compiled with {report.optimizer}, of which nothing is stored")
            return
    stored = [datasets[path] for path in sorted(own, key=_order) if path.startswith("optimizer/vars/")]
    if not stored:
        return
    counter = stored[0]
    if counter.shape == () and counter.dtype.kind == "i" and counter[()] < 0:
        report.refuse("optimizer", f"{place}:optimizer/vars/0", f"a negative number of steps, {int(counter[()])}")
    if (
        simple
        and isinstance(named, dict)
        and isinstance(named.get("config"), dict)
        and named.get("module") in ("keras.optimizers", None)
    ):
        _check_slots(named, [one.shape for one in stored], datasets, kerass, place, report)


def _check_slots(
    named: dict[str, Any], stored: list[Shape], datasets: dict[str, Any], kerass: bool, place: str, report: Report
) -> None:
    config, rule = named["config"], SLOTS.get(named.get("class_name", ""))
    if rule is None or config.get("use_ema") or config.get("gradient_accumulation_steps") or config.get("loss_scale_factor"):
        return
    each = rule(config)
    slots = stored[1 if isinstance(config.get("learning_rate"), dict) else 2 :]
    where = f"{place}:optimizer"
    if each == 0:
        if slots:
            report.refuse("optimizer", where, f"{len(slots)} slots, and {named['class_name']} keeps none")
        return
    if len(slots) % each:
        report.refuse("optimizer", where, f"{len(slots)} slots, and {named['class_name']} keeps {each} for each variable")
        return
    weights = Counter(dataset.shape for path, dataset in datasets.items() if not path.startswith("optimizer/"))
    over = {shape for shape, count in Counter(slots).items() if count % each or (kerass and count // each > weights[shape])}
    if over:
        report.refuse("optimizer", where, f"slots of shapes that no variable has: {_shown(sorted(over))}")


def _is_kerass(value: dict[str, Any]) -> bool:
    """Whether an object is Keras' own, by its name alone where it has no module, as in the legacy format."""
    name = value.get("class_name")
    return (value["module"], name) in classes() if "module" in value else name in class_names()


def _built(config: dict[str, Any]) -> bool:
    build = config.get("build_config")
    return isinstance(build, dict) and any(isinstance(value, list) and value for value in build.values())


def _order(path: str) -> tuple[str, int, str]:
    group, _, name = path.rpartition("/")
    return (group, int(name), "") if name.isdecimal() and len(name) < 10 else (group, -1, name)


def _name(layer: Expected) -> str:
    config = layer.config.get("config")
    return repr(config.get("name")) if isinstance(config, dict) else "?"


def _shown(shapes: list[Shape]) -> str:
    return ", ".join("×".join(map(str, shape)) or "scalar" for shape in shapes[:4]) + (" …" if len(shapes) > 4 else "")
