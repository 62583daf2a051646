"""Weights without a configuration: one `.weights.h5` file, or shards that a `.weights.json` leads to."""

import math
from typing import Any

import numpy as np

from reloadgate.inspection import agreement
from reloadgate.inspection.documents import parsed
from reloadgate.inspection.found import RefusedError, Report, Variable
from reloadgate.inspection.hdf5 import Contents, opened
from reloadgate.inspection.limits import Limits
from reloadgate.inspection.reading import Folder, Source


def inspect_file(source: Source, limits: Limits, report: Report) -> None:
    report.kind = "weights"
    with opened(source) as file:
        contents = Contents(file, source, limits, report)
        if not contents.datasets:
            report.refuse("missing-weights", source.name, "it holds no weights")
        if contents.was_cut:
            # No configuration says what is missing, but a file that Keras wrote has no such holes.
            message = f"{contents.unowned} bytes belong to nothing: a part of the weights was deleted"
            report.refuse("missing-weights", source.name, message)
        named = contents.groups["optimizer/vars"].attrs.get("name") if "optimizer/vars" in contents.groups else ""
        agreement.check_weights(contents.datasets, named if isinstance(named, str) else "", source.name, report)
        contents.read_all()


def shards_of(source: Source, limits: Limits) -> dict[str, list[str]]:
    """The names of the shard files, by the group of variables that they hold.

    Raises:
        RefusedError: the map is damaged, or leads anywhere but to files beside it.
    """
    data = parsed(source.read(0, limits.config + 1), source.name, limits.config, limits)
    weight_map = data.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise RefusedError("weight-map", source.name, "it maps no weights")
    found = {}
    for group, files in weight_map.items():
        names = files if isinstance(files, list) else [files]
        if not names or not all(isinstance(name, str) for name in names):
            raise RefusedError("weight-map", f"{source.name}:{group}", "it is mapped to no file")
        for name in names:
            if "/" in name or "\\" in name or not name.endswith(".weights.h5") or name.startswith("."):
                raise RefusedError("path", f"{source.name}:{group}", f"{name!r} is no shard beside the map")
        found[group] = names
    return found


def inspect_shards(folder: Folder, name: str, limits: Limits, report: Report) -> None:
    """Every shard, and that each group is in the shards that the map names, and in no other."""
    report.kind = "sharded weights"
    weight_map = shards_of(folder.files[name], limits)
    stored: dict[str, dict[str, Any]] = {}
    for shard in sorted({one for names in weight_map.values() for one in names}):
        if shard not in folder.files:
            report.refuse("missing-member", shard, "the map names this shard, which is missing")
            continue
        with opened(folder.files[shard]) as file:
            contents = Contents(file, folder.files[shard], limits, report, prefix=f"{shard}:")
            contents.read_all()
            for path, dataset in contents.datasets.items():
                group = "/" + path.rpartition("/")[0]
                stored.setdefault(group, {}).setdefault(shard, []).append((path.rpartition("/")[2], dataset.shape))
    for group, names in weight_map.items():
        where = f"{name}:{group}"
        for shard in names:
            if shard not in stored.get(group, {}) and shard in folder.files:
                report.refuse("weight-map", where, f"mapped to {shard}, which does not hold it")
    for group, shards in stored.items():
        unmapped = sorted(set(shards) - set(weight_map.get(group, [])))
        if unmapped:
            report.refuse("weight-map", f"{name}:{group}", f"{unmapped[0]} holds a part of it, and the map does not say so")
        numbers = [variable for one in shards.values() for variable, _ in one]
        if all(number.isdecimal() for number in numbers) and sorted(map(int, numbers)) != list(range(len(numbers))):
            report.refuse("missing-weights", f"{name}:{group}", "its variables are not numbered from 0 on, without a hole")
    _check_total(folder.files[name], [one for one in report.variables if ":" in one.path], limits, report)
    report.slots = sum(len(one) for one in stored.get("/optimizer/vars", {}).values())


def _check_total(source: Source, variables: list[Variable], limits: Limits, report: Report) -> None:
    """The bytes that the map declares against those of the variables."""
    metadata = parsed(source.read(), source.name, limits.config, limits).get("metadata")
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    if not isinstance(total, int | float):
        report.refuse("weight-map", source.name, "it declares no total_size")
    elif total != (stored := sum(math.prod(one.shape) * bits_of(one.dtype) / 8 for one in variables)):
        report.refuse("weight-map", source.name, f"it declares {total:.0f} bytes, and the shards that it names hold {stored:.0f}")


def bits_of(dtype: str) -> int:
    """As `keras.src.utils.dtype_utils.dtype_size` counts."""
    return 16 if dtype == "bfloat16" else 1 if dtype == "bool" else np.dtype(dtype).itemsize * 8
