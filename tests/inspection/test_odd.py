"""What somebody may try, and what looks as if: one artifact a line, each inert, and whether it is refused."""

import copy
import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import artifacts
import h5py
import numpy as np
import pytest

from reloadgate.inspection.declared import declared_from
from reloadgate.inspection.kinds import look
from reloadgate.inspection.limits import Limits


def refused(path: Path) -> bool:
    return look(path, declared_from(()), Limits()).refused


def foreign(module: str | None, name: str, config: Any = None, registered: str | None = None) -> dict[str, Any]:
    return {"module": module, "class_name": name, "config": {} if config is None else config, "registered_name": registered}


def layer(config: dict[str, Any], number: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = config["config"]["layers"][number]
    return found


def lookup(**config: Any) -> Callable[[dict[str, Any]], Any]:
    words = {"name": "words", "trainable": True, "dtype": "string", "max_tokens": None, "num_oov_indices": 1} | config
    return lambda root: root["config"]["layers"].append(foreign("keras.layers", "StringLookup", words))


EVAL = foreign("builtins", "function", "eval", "function")

CONFIGURATIONS: dict[str, tuple[bool, Callable[[dict[str, Any]], Any]]] = {
    # hostile
    "a class where only shapes are": (True, lambda c: layer(c)["build_config"].update(x=[{"y": foreign("os", "system")}])),
    "a function of Python's own among metrics": (True, lambda c: c["compile_config"].update(metrics=[[[EVAL]]])),
    "a function in the arguments of a constant": (
        True, lambda c: layer(c)["config"].update(kernel_initializer=foreign("keras.initializers", "Constant", {"value": EVAL})),
    ),
    "a module in letters of another alphabet": (True, lambda c: layer(c).update(module="kеras.layers")),
    "a class with a space behind": (True, lambda c: layer(c).update(class_name="Dense ")),
    "a module with a dot behind": (True, lambda c: layer(c).update(module="keras.layers.")),
    "a class of Keras under the name of another": (True, lambda c: layer(c).update(registered_name="builtins>Dense")),
    "a class of another case": (True, lambda c: layer(c).update(class_name="dense")),
    "a layer that calls Python": (True, lambda c: layer(c).update(class_name="Lambda")),
    "a wrapper of what is not known": (
        True, lambda c: layer(c).update(foreign("keras.layers", "TimeDistributed", {"layer": foreign("acme", "Evil")})),
    ),
    "a schedule of nobody's": (
        True, lambda c: c["compile_config"]["optimizer"]["config"].update(learning_rate=foreign("x", "Y")),
    ),
    "a module for a module": (True, lambda c: layer(c).update(module=["keras.layers"])),
    "words in a file beside it": (True, lookup(vocabulary="words.txt")),
    "words at an address": (True, lookup(vocabulary="gs://bucket/words.txt")),
    "a file in an argument of a layer": (True, lambda c: layer(c)["config"].update(activation="../../x")),
    "a size in words": (
        True, lambda c: layer(c)["config"].update(units={"class_name": "__lambda__", "config": {"value": "4w=="}}),
    ),
    "a type specification": (
        True, lambda c: layer(c)["config"].update(units={"class_name": "__typespec__", "config": ["os", []]}),
    ),
    # benign
    "words that look like files": (False, lookup(vocabulary=["/etc", "../x", "http://a", "~/b"])),
    "a name in many alphabets": (False, lambda c: layer(c)["config"].update(name="слой 层 couche")),
    "a name of 200 letters": (False, lambda c: layer(c)["config"].update(name="n" * 200)),
    "a loss by its name, metrics by theirs": (
        False, lambda c: c["compile_config"].update(loss="mse", metrics=["mae", "accuracy"]),
    ),
    "a function of Keras' by name": (
        False, lambda c: layer(c)["config"].update(activation=foreign("builtins", "function", "relu", "function")),
    ),
    "a slash in a name": (False, lambda c: layer(c)["config"].update(name="encoder/block_1/dense")),
    "a long number": (False, lambda c: layer(c)["config"].update(seed=2**63 - 1)),
}  # fmt: skip


@pytest.mark.parametrize("what", CONFIGURATIONS)
def test_configurations(what: str, tmp_path: Path) -> None:
    expected, change = CONFIGURATIONS[what]
    config = copy.deepcopy(artifacts.config())
    change(config)
    (tmp_path / "m.keras").write_bytes(artifacts.archive(artifacts.members(config=json.dumps(config))))
    assert refused(tmp_path / "m.keras") is expected


def weights(change: Callable[[h5py.File], Any]) -> bytes:
    memory = io.BytesIO(artifacts.hdf5())
    with h5py.File(memory, "r+") as file:
        change(file)
    memory.seek(0)
    with h5py.File(memory) as file:  # written anew: nothing that was replaced stays behind
        fresh = io.BytesIO()
        with h5py.File(fresh, "w") as made:
            for name in file:
                file.copy(name, made)
    return fresh.getvalue()


def replace(path: str, **how: Any) -> Callable[[h5py.File], Any]:
    def change(file: h5py.File) -> None:
        value = file[path][()]
        del file[path]
        file.create_dataset(path, **({"data": value} | how))

    return change


def padded(file: h5py.File) -> None:
    compound = h5py.h5t.create(h5py.h5t.COMPOUND, 64)
    compound.insert(b"r", 0, h5py.h5t.IEEE_F32LE)
    compound.insert(b"i", 4, h5py.h5t.IEEE_F32LE)
    del file["optimizer/vars/9"]
    h5py.h5d.create(file["optimizer/vars"].id, b"9", compound, h5py.h5s.create_simple((2,))).write(
        h5py.h5s.ALL, h5py.h5s.ALL, np.ones(2, np.complex64)
    )


KERNEL = "layers/dense/vars/0"
HDF5: dict[str, tuple[bool, Callable[[h5py.File], Any]]] = {
    "numbers of two kinds in one": (True, replace(KERNEL, data=np.zeros((4, 3), "f4,i4"))),
    "two numbers that are no complex one": (True, replace("optimizer/vars/9", data=np.zeros(2, [("x", "f4"), ("y", "f4")]))),
    "text for numbers": (True, replace(KERNEL, data=np.full((4, 3), b"text"))),
    "a filter that loses": (True, replace(KERNEL, data=np.ones((4, 3), "i4"), scaleoffset=0)),
    "a type that is kept by itself": (True, lambda f: f.__setitem__("layers/dense/vars/type", np.dtype("f4"))),
    "a group where numbers are": (True, lambda f: (f.__delitem__(KERNEL), f.create_group(KERNEL))),
    "a region of another": (
        True, lambda f: f["layers/dense/vars"].create_dataset("9", data=f[KERNEL].regionref[:2], dtype=h5py.regionref_dtype),
    ),
    "complex numbers with bytes between them": (True, padded),
    "complex numbers": (False, replace("optimizer/vars/9", data=np.ones(2, np.complex64))),
    "complex numbers that are infinite": (True, replace("optimizer/vars/9", data=np.full(2, 1j * np.inf))),
    "complex numbers for a kernel": (True, replace(KERNEL, data=np.ones((4, 3), np.complex64))),
    "a chunk that is larger than all there is": (
        True, replace(KERNEL, chunks=(1024, 512), maxshape=(None, None), compression="gzip"),
    ),
    "one that may grow": (False, replace(KERNEL, chunks=(64, 64), maxshape=(None, None), compression="gzip")),
    "packed and shuffled": (False, replace(KERNEL, compression="gzip", shuffle=True)),
    "in chunks, with checksums": (False, replace(KERNEL, chunks=(2, 3), fletcher32=True)),
}  # fmt: skip


@pytest.mark.parametrize("what", HDF5)
def test_weights(what: str, tmp_path: Path) -> None:
    expected, change = HDF5[what]
    (tmp_path / "m.keras").write_bytes(artifacts.archive(artifacts.members(weights=weights(change))))
    assert refused(tmp_path / "m.keras") is expected


def with_extra(kind: int, data: bytes) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as made:
        for name, content in artifacts.members().items():
            member = zipfile.ZipInfo(name)
            member.extra = struct.pack("<HH", kind, len(data)) + data
            made.writestr(member, content)
    return memory.getvalue()


UNICODE_PATH = struct.pack("<BI", 1, 0) + b"elsewhere.json"
FILES: dict[str, tuple[bool, str, Callable[[], bytes]]] = {
    "a second name for a member": (True, "m.keras", lambda: with_extra(0x7075, UNICODE_PATH)),
    "what nobody knows, about a member": (True, "m.keras", lambda: with_extra(0x4242, b"?" * 40)),
    "a pickle under the name of weights": (True, "m.h5", lambda: b"\x80\x05K\x01."),
    "a packed archive": (True, "m.keras", lambda: __import__("gzip").compress(artifacts.archive(artifacts.members()))),
    "a model of another framework": (True, "m.pt", lambda: artifacts.archive({"archive/data.pkl": b"\x80\x02}."})),
    "objects in an archive of arrays": (
        True, "m.npz", lambda: artifacts.archive({"a.npy": artifacts.npy([1]).replace(b"<i8", b"|O ")}),
    ),
    "a member that climbs": (True, "m.npz", lambda: artifacts.archive({"a/../b.npy": artifacts.npy([1])})),
    "a script": (True, "model", lambda: b"#!/bin/sh\ntrue\n"),
    "times of members, as zip writes them": (False, "m.keras", lambda: with_extra(0x5455, b"\x01\0\0\0\0")),
    "a name with spaces and accents": (False, "modèle final.keras", lambda: artifacts.archive(artifacts.members())),
    "a suffix in capitals": (False, "M.KERAS", lambda: artifacts.archive(artifacts.members())),
    "arrays of every shape": (
        False, "m.npz",
        lambda: artifacts.npz(a=np.float32(1), b=np.zeros((0, 3)), c=np.asfortranarray(np.ones((2, 3))), d=np.ones(2, ">f4")),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", FILES)
def test_files(what: str, tmp_path: Path) -> None:
    expected, name, make = FILES[what]
    (tmp_path / name).write_bytes(make())
    assert refused(tmp_path / name) is expected


def serves(operation: str, device: str = "") -> Callable[[Any], Any]:
    """A function that nothing calls, and that is there."""

    def change(graph: Any) -> None:
        artifacts.add_function(graph, "unused", ["x"], [("n", operation, ["x"], None)]).node_def[0].device = device

    return change


GRAPHS: dict[str, tuple[bool, Callable[[Any], Any]]] = {
    "a file that is read where nobody calls": (True, serves("ReadFile")),
    "another machine": (True, serves("Identity", "/job:worker/replica:0/task:1")),
    "a function of another under its name": (True, lambda g: artifacts.add_function(g, "serve", [], [])),
    "a call of what is not there": (True, lambda g: artifacts.node(g.graph_def.node, "c", "PartitionedCall", function="gone")),
    "a library of its own": (True, serves("AcmeRun")),
    "this machine by name": (False, serves("Identity", "/job:localhost/replica:0/task:0/device:CPU:0")),
    "a function with the name of an operation": (False, lambda g: artifacts.add_function(g, "ReadFile", ["x"], [])),
    "a loop": (False, serves("StatelessWhile")),
}


@pytest.mark.parametrize("what", GRAPHS)
def test_graphs(what: str, tmp_path: Path) -> None:
    expected, change = GRAPHS[what]
    model = artifacts.saved_model()
    change(model.meta_graphs[0])
    assert refused(artifacts.write_saved_model(tmp_path / "sm", model)) is expected


def test_what_a_server_keeps_beside_a_graph_is_noted(tmp_path: Path) -> None:
    folder = artifacts.write_saved_model(tmp_path / "sm")
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra/tf_serving_warmup_requests").write_bytes(b"requests")
    found = look(folder, declared_from(()), Limits())
    assert (found.refused, [finding.code for finding in found.findings]) == (False, ["extra-file"])
