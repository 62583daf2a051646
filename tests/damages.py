"""Damages to a model version, each as it happens to real ones. All take the version's directory and change it in place."""

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from reloadgate.evidence import EVIDENCE_DIR, read_saved, write_evidence
from reloadgate.recording import manifest

Damage = Callable[[Path], None]


def reseal(version: Path) -> None:
    """Make the manifest match what lies there now, as if the save itself had written it."""
    saved, _ = read_saved(version / EVIDENCE_DIR)
    write_evidence(version / EVIDENCE_DIR, replace(saved, files=manifest(version)))


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_members(path: Path, contents: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


def edit_weights(edit: Callable[[h5py.File], None]) -> Damage:
    """Change the HDF5 member of `model.keras`; the archive's checksums are made right again."""

    def damage(version: Path) -> None:
        contents = members(version / "model.keras")
        buffer = BytesIO(contents["model.weights.h5"])
        with h5py.File(buffer, "r+") as file:
            edit(file)
        contents["model.weights.h5"] = buffer.getvalue()
        write_members(version / "model.keras", contents)

    return damage


def edit_config(edit: Callable[[dict[str, Any]], None]) -> Damage:
    """Change the member `config.json` of `model.keras`."""

    def damage(version: Path) -> None:
        contents = members(version / "model.keras")
        config = json.loads(contents["config.json"])
        edit(config)
        contents["config.json"] = json.dumps(config).encode()
        write_members(version / "model.keras", contents)

    return damage


def _set(path: str, change: Callable[[np.ndarray], np.ndarray]) -> Damage:
    def edit(file: h5py.File) -> None:
        file[path][...] = change(np.asarray(file[path]))

    return edit_weights(edit)


def _first(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    def on_first(values: np.ndarray) -> np.ndarray:
        values.flat[0] = change(values.flat[0])
        return values

    return on_first


def _swap(one: str, other: str) -> Damage:
    def edit(file: h5py.File) -> None:
        a, b = np.asarray(file[one]), np.asarray(file[other])
        file[one][...], file[other][...] = b, a

    return edit_weights(edit)


def _delete(path: str) -> Damage:
    def edit(file: h5py.File) -> None:
        del file[path]

    return edit_weights(edit)


def _empty_optimizer(file: h5py.File) -> None:
    for name in list(file["optimizer/vars"]):
        del file["optimizer/vars"][name]


def _zero_moments(file: h5py.File) -> None:
    for name, values in file["optimizer/vars"].items():
        if int(name) > 1:
            values[...] = np.zeros(values.shape, values.dtype)


def _optimizer_setting(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def edit(config: dict[str, Any]) -> None:
        optimizer = config["compile_config"]["optimizer"]
        target = optimizer if key == "class_name" else optimizer["config"]
        target[key] = value

    return edit


def truncate(version: Path) -> None:
    path = version / "model.keras"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(version: Path) -> None:
    (version / "model.keras").write_bytes(b"")


def another_models_file(version: Path) -> None:
    """The other sample model's artifact in this one's place."""
    other = next(path for path in version.parents[1].glob("*/*/model.keras") if path.parent != version)
    (version / "model.keras").write_bytes(other.read_bytes())


KERNEL, MEAN, VARIANCE = "layers/dense/vars/0", "layers/normalization/vars/0", "layers/normalization/vars/1"

ARTIFACT_DAMAGES: dict[str, tuple[str, Damage, str, str]] = {
    # what happened: model, damage, the group whose row must catch it alone, a part of that row's message
    "one weight moved by 1e-3": ("digits", _set(KERNEL, _first(lambda v: v + np.float32(1e-3))), "weights", "0.001"),
    "one weight moved by one ULP": ("digits", _set(KERNEL, _first(lambda v: np.nextafter(v, np.inf))), "weights", "1 ULP"),
    "two variables swapped": ("diabetes", _swap(MEAN, VARIANCE), "weights", f"swapped with {VARIANCE}"),
    "optimizer group removed": ("digits", _delete("optimizer"), "optimizer", "is not in the file"),
    "optimizer group emptied": ("digits", edit_weights(_empty_optimizer), "optimizer", "is not in the file"),
    "one slot dropped": ("digits", _delete("optimizer/vars/5"), "optimizer", "is not in the file"),
    "all moments zeroed": ("digits", edit_weights(_zero_moments), "optimizer", "came back as zeros"),
    "iterations reset": ("digits", _set("optimizer/vars/0", np.zeros_like), "optimizer", "iteration came back as zeros"),
    "learning rate changed": ("digits", edit_config(_optimizer_setting("learning_rate", 0.5)), "compile", "0.5"),
    "optimizer class changed": ("diabetes", edit_config(_optimizer_setting("class_name", "Adam")), "compile", "AdamW"),
    "truncated": ("digits", truncate, "inspect", "no archive ends at its last byte"),
    "empty": ("digits", empty, "inspect", "it has no bytes"),
    "another model's file": ("digits", another_models_file, "structure", "diabetes"),
}
TO_DIGESTS = ("one weight moved by one ULP", "optimizer group removed", "empty")
"""Where only digests are asked, the others are no other: bytes, a member, and no bytes at all."""
