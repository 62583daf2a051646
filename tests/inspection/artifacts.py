"""Small artifacts as Keras and TensorFlow write them, made without either: what the tests of inspection damage."""

import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import google_crc32c
import h5py
import numpy as np

from reloadgate.inspection.messages import message

POLICY = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}
RNG = np.random.default_rng(7)


def dense(name: str, units: int, width: int) -> dict[str, Any]:
    return {
        "module": "keras.layers",
        "class_name": "Dense",
        "registered_name": None,
        "config": {"name": name, "trainable": True, "dtype": POLICY, "units": units, "activation": "relu", "use_bias": True},
        "build_config": {"input_shape": [None, width]},
    }


def config(*layers: dict[str, Any]) -> dict[str, Any]:
    adam = {"name": "adam", "learning_rate": 0.001, "amsgrad": False, "use_ema": False}
    given = {
        "module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [None, 4], "name": "i"},
        "registered_name": None,
    }  # fmt: skip
    return {
        "module": "keras",
        "class_name": "Sequential",
        "registered_name": None,
        "config": {"name": "m", "dtype": POLICY, "layers": [given, *(layers or (dense("a", 3, 4), dense("b", 2, 3)))]},
        "build_config": {"input_shape": [None, 4]},
        "compile_config": {
            "optimizer": {"module": "keras.optimizers", "class_name": "Adam", "config": adam, "registered_name": None},
            "loss": "mse",
        },
    }


def arrays() -> dict[str, Any]:
    shapes = [(4, 3), (3,), (3, 2), (2,)]
    found: dict[str, Any] = {"optimizer/vars/0": np.int64(5), "optimizer/vars/1": np.float32(0.001)}
    for number, shape in enumerate(shapes):
        layer = "layers/dense" + ("_1" if number > 1 else "")
        found[f"{layer}/vars/{number % 2}"] = RNG.normal(size=shape).astype(np.float32)
        for slot in range(2):
            found[f"optimizer/vars/{2 + 2 * number + slot}"] = RNG.random(shape).astype(np.float32)
    return found


def hdf5(content: dict[str, Any] | None = None, **options: Any) -> bytes:
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        file.create_group("vars")
        for path, value in (arrays() if content is None else content).items():
            file.create_dataset(path, data=value, **(options if np.ndim(value) else {}))
        if "optimizer" in file:
            file["optimizer/vars"].attrs["name"] = "adam_3"
    return memory.getvalue()


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", method) as made:
        for name, data in members.items():
            made.writestr(zipfile.ZipInfo(name), data, method)
    return memory.getvalue()


def members(**changed: Any) -> dict[str, bytes]:
    """Of a `.keras` archive."""
    metadata = {"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}
    made = {"metadata": json.dumps(metadata), "config": json.dumps(config()), "weights": hdf5()} | changed
    raw = {key: value.encode() if isinstance(value, str) else value for key, value in made.items()}
    return {"metadata.json": raw["metadata"], "config.json": raw["config"], "model.weights.h5": raw["weights"]}


def legacy() -> bytes:
    memory = io.BytesIO()
    root = config()
    for layer in [root, *root["config"]["layers"]]:
        del layer["module"], layer["registered_name"]
    training = {"loss": "mse", "optimizer_config": {"class_name": "Adam", "config": {"learning_rate": 0.001}}}
    with h5py.File(memory, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = "3.15.1", "tensorflow"
        file.attrs["model_config"], file.attrs["training_config"] = json.dumps(root), json.dumps(training)
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = np.array([b"a", b"b"])
        for name, width, units in (("a", 4, 3), ("b", 3, 2)):
            group = weights.create_group(name)
            group.attrs["weight_names"] = np.array([f"{name}/kernel".encode(), f"{name}/bias".encode()])
            group[f"{name}/kernel"] = np.ones((width, units), np.float32)
            group[f"{name}/bias"] = np.zeros(units, np.float32)
        optimizer = file.create_group("optimizer_weights")
        optimizer.attrs["weight_names"] = np.array([b"adam/iteration", b"adam/learning_rate"])
        optimizer["adam/iteration"], optimizer["adam/learning_rate"] = np.int64(5), np.float32(0.001)
    return memory.getvalue()


def write_shards(folder: Path) -> None:
    content = arrays()
    halves = [dict(list(content.items())[:8]), dict(list(content.items())[8:])]
    weight_map: dict[str, list[str]] = {}
    for number, half in enumerate(halves):
        name = f"m_{number:05d}.weights.h5"
        (folder / name).write_bytes(hdf5(half))
        for path in half:
            files = weight_map.setdefault("/" + path.rpartition("/")[0], [])
            if name not in files:
                files.append(name)
    total = sum(np.asarray(value).nbytes for value in content.values())
    (folder / "m.weights.json").write_text(json.dumps({"metadata": {"total_size": float(total)}, "weight_map": weight_map}))


# A tensor bundle


def masked(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(value: int) -> bytes:
    made = b""
    while value > 0x7F:
        made += bytes([value & 0x7F | 0x80])
        value >>= 7
    return made + bytes([value])


def block(entries: list[tuple[bytes, bytes]]) -> bytes:
    body = b"".join(varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in entries)
    return body + struct.pack("<II", 0, 1)


def write_bundle(prefix: Path, content: dict[str, Any], changed: dict[str, Any] | None = None) -> None:
    """`changed`: bytes of a tensor that differ from those that its checksum is of."""
    header = message("BundleHeaderProto", b"", "")
    header.num_shards = 1
    header.version.producer = 1
    entries, shard = [(b"", header.SerializeToString())], b""
    types = {"float32": 1, "int64": 9}
    for name, value in sorted(content.items()):
        raw = np.asarray(value).tobytes()
        entry = message("BundleEntryProto", b"", "")
        entry.dtype, entry.offset = types[str(np.asarray(value).dtype)], len(shard)
        entry.size, entry.crc32c = len(raw), masked(raw)
        for size in np.shape(value):
            entry.shape.dim.add().size = size
        entries.append((name.encode(), entry.SerializeToString()))
        shard += (changed or {}).get(name, raw)
    table, handles = b"", []
    for one in (block(entries), block([])):
        handles.append(varint(len(table)) + varint(len(one)))
        table += one + b"\0" + struct.pack("<I", masked(one + b"\0"))
    index = block([(b"\xff", handles[0])])
    where = varint(len(table)) + varint(len(index))
    table += index + b"\0" + struct.pack("<I", masked(index + b"\0"))
    footer = (handles[1] + where).ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    prefix.with_name(prefix.name + ".index").write_bytes(table + footer)
    prefix.with_name(prefix.name + ".data-00000-of-00001").write_bytes(shard)


def write_checkpoint(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    write_bundle(folder / "ckpt-1", {"a/w": np.ones((3, 2), np.float32), "b": np.zeros(4, np.float32), "step": np.int64(7)})
    (folder / "checkpoint").write_text('model_checkpoint_path: "ckpt-1"\nall_model_checkpoint_paths: "ckpt-1"\n')


# A SavedModel


def node(made: Any, name: str, operation: str, *inputs: str, function: str = "", text: bytes | None = None) -> Any:
    one = made.add(name=name, op=operation)
    one.input.extend(inputs)
    if function:
        one.attr["f"].func.name = function
    if text is not None:
        one.attr["value"].tensor.string_val.append(text)
    return one


def saved_model() -> Any:
    """A message: one signature, and save and restore as TensorFlow writes them."""
    model = message("SavedModel", b"", "")
    model.saved_model_schema_version = 1
    graph = model.meta_graphs.add()
    graph.meta_info_def.tensorflow_version = "2.21.0"
    saver = graph.saver_def
    saver.filename_tensor_name, saver.save_tensor_name, saver.restore_op_name = "saver_filename:0", "Save:0", "Restore"
    top = graph.graph_def.node
    node(top, "x", "Placeholder")
    node(top, "v", "VarHandleOp")
    node(top, "Serve", "StatefulPartitionedCall", "x", "v", function="serve")
    node(top, "saver_filename", "Placeholder")
    node(top, "Save", "StatefulPartitionedCall", "saver_filename", "v", function="traced_save")
    node(top, "Restore", "StatefulPartitionedCall", "saver_filename", "v", function="traced_restore")
    add_function(graph, "serve", ["x", "v"], [("read", "ReadVariableOp", ["v"], None), ("y", "Mul", ["x", "read:value:0"], None)])
    add_function(graph, "traced_save", ["file_prefix", "v"], [
        ("remote", "StaticRegexFullMatch", ["file_prefix"], None), ("a", "Const", [], b".part"), ("b", "Const", [],
        b"_temp/part"),
        ("chosen", "Select", ["remote:output:0", "a:output:0", "b:output:0"], None),
        ("join", "StringJoin", ["file_prefix", "chosen:output:0"], None), ("n", "Const", [], None),
        ("shard", "ShardedFilename", ["join:output:0", "n:output:0", "n:output:0"], None),
        ("save", "SaveV2", ["shard:filename:0", "n:output:0", "n:output:0"], None),
        ("pack", "Pack", ["shard:filename:0", "^save"], None),
        ("merge", "MergeV2Checkpoints", ["pack:output:0", "file_prefix"], None),
    ])  # fmt: skip
    add_function(graph, "traced_restore", ["file_prefix", "v"], [
        ("n", "Const", [], None), ("restore", "RestoreV2", ["file_prefix", "n:output:0", "n:output:0"], None),
        ("assign", "AssignVariableOp", ["v", "restore:tensors:0"], None),
    ])  # fmt: skip
    graph.object_graph_def.nodes.add().user_object.identifier = "_generic"
    graph.object_graph_def.concrete_functions["serve"].bound_inputs.append(0)
    return model


def add_function(graph: Any, name: str, arguments: list[str], nodes: list[tuple[str, str, list[str], bytes | None]]) -> Any:
    function = graph.graph_def.library.function.add()
    function.signature.name = name
    for argument in arguments:
        function.signature.input_arg.add(name=argument)
    for one, operation, inputs, text in nodes:
        node(function.node_def, one, operation, *inputs, text=text)
    return function


def write_saved_model(folder: Path, model: Any = None) -> Path:
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes((model or saved_model()).SerializeToString())
    write_bundle(folder / "variables/variables", {"v": np.ones(3, np.float32)})
    return folder


def npy(value: Any) -> bytes:
    memory = io.BytesIO()
    np.save(memory, value, allow_pickle=False)
    return memory.getvalue()


def npz(**values: Any) -> bytes:
    memory = io.BytesIO()
    np.savez(memory, **values)
    return memory.getvalue()
