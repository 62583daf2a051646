"""What inspection refuses, each by the finding that it is meant to be refused by; and the originals, which it accepts."""

import json
import os
import socket
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import artifacts
import h5py
import numpy as np
import pytest

from reloadgate.inspection import Inspected, all_findings
from reloadgate.inspection.declared import declared_from
from reloadgate.inspection.kinds import look
from reloadgate.inspection.limits import Limits
from reloadgate.inspection.messages import message


def seen(path: Path, *declared: str, limits: Limits | None = None) -> Inspected:
    return look(path, declared_from(declared), limits or Limits())


def codes(path: Path, *declared: str, limits: Limits | None = None) -> set[str]:
    return {finding.code for finding in all_findings(seen(path, *declared, limits=limits)) if finding.refused}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def one(name: str, raw: bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
        return path

    return one


Write = Callable[[str, bytes], Path]


def test_a_whole_archive_is_accepted_and_told(write: Write) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        found = seen(write("m.keras", artifacts.archive(artifacts.members(), method)))
        assert found.findings == ()
        assert found.kind == "keras archive"
        assert [layer.class_name for layer in found.layers] == ["InputLayer", "Dense", "Dense"]
        assert ("layers/dense/vars/0", (4, 3), "float32") in [(v.path, v.shape, v.dtype) for v in found.variables]
        assert (found.optimizer, found.slots, found.versions) == ("Adam", 10, ("keras 3.15.1",))
        assert {member.path for member in found.members} == set(artifacts.members())


def test_the_other_formats_are_accepted_and_told(write: Write, tmp_path: Path) -> None:
    artifacts.write_shards(tmp_path)
    artifacts.write_checkpoint(tmp_path / "ck")
    artifacts.write_saved_model(tmp_path / "sm")
    for name, raw in artifacts.members().items():
        write(f"dir/{name}", raw)
    write("m.weights.h5", artifacts.hdf5())
    write("m.h5", artifacts.legacy())
    write("m.npy", artifacts.npy([[1.0, 2.0]]))
    write("m.npz", artifacts.npz(a=[1.0], b=[[2]], c="text", d=np.array(["2020-01-01"], "M8[D]")))
    kinds = {
        "dir": "keras directory", "m.weights.h5": "weights", "m.weights.json": "sharded weights", "m.h5": "legacy h5",
        "ck": "checkpoint",
        "ck/ckpt-1": "checkpoint", "ck/ckpt-1.index": "checkpoint", "ck/checkpoint": "checkpoint", "sm": "saved model",
        "m.npy": "array",
        "m.npz": "arrays",
    }  # fmt: skip
    for name, kind in kinds.items():
        found = seen(tmp_path / name)
        assert (found.kind, found.findings, bool(found.variables)) == (kind, (), True), name


# The file system


def test_only_regular_files_are_read(write: Write, tmp_path: Path) -> None:
    target = write("target.keras", artifacts.archive(artifacts.members()))
    (tmp_path / "link.keras").symlink_to(target)
    (tmp_path / "loop.keras").symlink_to(tmp_path / "loop.keras")
    os.mkfifo(tmp_path / "fifo.keras")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.keras"))
    secret = write("secret.keras", target.read_bytes())
    secret.chmod(0)
    (tmp_path / "directory.keras").mkdir()
    assert codes(tmp_path / "link.keras") == {"symlink"}
    assert codes(tmp_path / "loop.keras") == {"symlink"}
    assert codes(tmp_path / "fifo.keras") == {"not-regular"}
    assert codes(tmp_path / "socket.keras") == {"not-regular"}
    assert codes(Path("/dev/zero")) == {"not-regular"}
    assert codes(secret) == {"unreadable"}
    assert codes(tmp_path / "directory.keras") == {"empty"}
    assert codes(tmp_path / "none.keras") == {"missing"}


@pytest.mark.parametrize("name", ["a\nb.keras", "-rf.keras", "a\u202eb.keras", "a" * 245 + ".keras", "a\x1b[1m.keras"])
def test_names_that_are_made_to_be_misread(write: Write, name: str) -> None:
    assert codes(write(name, b"")) == {"name"}


def test_links_and_pipes_inside_directories(tmp_path: Path, write: Write) -> None:
    for folder, make in (("link", lambda path: path.symlink_to("/etc/hostname")), ("fifo", os.mkfifo)):
        for name, raw in artifacts.members().items():
            write(f"{folder}/{name}", raw)
        (tmp_path / folder / "assets").mkdir()
        make(tmp_path / folder / "assets/vocabulary.txt")
        assert codes(tmp_path / folder) == {{"link": "symlink", "fifo": "not-regular"}[folder]}


# Archives


def spoiled(raw: bytes, old: bytes, new: bytes, count: int = -1) -> bytes:
    assert old in raw
    return raw.replace(old, new, count)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda raw: b"x" + raw, "prefix-bytes"),
        (lambda raw: raw + b"x", "truncated"),
        (lambda raw: raw[:-1], "truncated"),
        (lambda raw: raw[:40], "truncated"),
        (lambda raw: b"", "empty"),
        (lambda raw: spoiled(raw, b"config.json", b"../fig.json"), "member-name"),
        (lambda raw: spoiled(raw, b"config.json", b"conf\\g.json"), "member-name"),
        (lambda raw: spoiled(raw, b"config.json", b"conf\0g.json"), "member-name"),
        (lambda raw: spoiled(raw, b"config.json", b"other0.json", 1), "zip-layout"),
        (lambda raw: spoiled(raw, b'"units": 3', b'"units": 4'), "crc"),
    ],
)
def test_archives_that_are_cut_or_changed(write: Write, spoil: Callable[[bytes], bytes], code: str) -> None:
    assert codes(write("m.keras", spoil(artifacts.archive(artifacts.members())))) == {code}


def entries(change: Callable[[zipfile.ZipInfo], None]) -> bytes:
    import io

    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as made:
        for name, data in artifacts.members().items():
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            change(info)
            made.writestr(info, data)
    return memory.getvalue()


def test_archives_of_several_disks(write: Write) -> None:
    raw = bytearray(artifacts.archive(artifacts.members()))
    struct.pack_into("<H", raw, raw.index(b"PK\1\2") + 34, 3)
    assert codes(write("m.keras", bytes(raw))) == {"zip-layout"}


def test_members_that_are_no_plain_files(write: Write) -> None:
    def link(info: zipfile.ZipInfo) -> None:
        info.external_attr = 0o120777 << 16

    def packed(info: zipfile.ZipInfo) -> None:
        info.compress_type = zipfile.ZIP_BZIP2

    assert codes(write("m.keras", entries(link))) == {"member-type"}
    assert codes(write("m.keras", entries(packed))) == {"member-type"}
    raw = bytearray(artifacts.archive(artifacts.members()))
    at = raw.index(b"PK\x01\x02")
    raw[at + 8] |= 1
    assert codes(write("m.keras", bytes(raw))) == {"encrypted"}


@pytest.mark.parametrize("after", [1, 3])
def test_bytes_hidden_between_members(write: Write, after: int) -> None:
    import io

    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as made:
        for number, (name, data) in enumerate(artifacts.members().items(), 1):
            made.writestr(zipfile.ZipInfo(name), data)
            if number == after:
                memory.write(b"hidden")
                made.start_dir += 6
    assert codes(write("m.keras", memory.getvalue())) == {"zip-layout"}


def test_arrays_of_zeros_may_be_packed_tightly(write: Write) -> None:
    zeros = artifacts.archive({"a.npy": artifacts.npy(np.zeros(1 << 18))}, zipfile.ZIP_DEFLATED)
    assert codes(write("m.npz", zeros)) == set()


def test_too_many_members_and_bombs(write: Write) -> None:
    many = {f"assets/{number}": b"" for number in range(20)} | artifacts.members()
    assert codes(write("m.keras", artifacts.archive(many)), limits=Limits(members=10)) == {"too-many"}
    bomb = artifacts.members() | {"assets/vocabulary.txt": bytes(5 << 20)}
    assert codes(write("m.keras", artifacts.archive(bomb, zipfile.ZIP_DEFLATED))) == {"ratio"}
    small = with_lookup() | {f"assets/layers/string_lookup/{number}/vocabulary.txt": b"a" * (1 << 20) for number in range(10)}
    assert codes(write("m.keras", artifacts.archive(small, zipfile.ZIP_DEFLATED))) == {"ratio"}
    assert codes(write("m.keras", artifacts.archive(artifacts.members())), limits=Limits(file=1000)) == {"too-large"}
    twice = artifacts.archive({"Config.json": b"{}"} | artifacts.members())
    assert codes(write("m.keras", twice)) == {"duplicate-member"}


def with_lookup(module: str = "keras.layers", name: str = "StringLookup") -> dict[str, bytes]:
    root = artifacts.config()
    config = {"name": "words", "trainable": True, "dtype": "string", "max_tokens": None, "num_oov_indices": 1}
    lookup = {"module": module, "class_name": name, "config": config, "registered_name": None}
    if module != "keras.layers":
        lookup["registered_name"] = f"{module}>{name}"
    root["config"]["layers"].append(lookup)
    return artifacts.members(config=json.dumps(root))


def test_vocabularies_lie_with_the_lookups_of_the_configuration(write: Write) -> None:
    def of(members: dict[str, bytes], folder: str, words: bytes = b"a\nb") -> set[str]:
        path = write("m.keras", artifacts.archive(members | {f"assets/{folder}/vocabulary.txt": words}))
        return codes(path, "acme>Words")

    assert of(with_lookup(), "layers/string_lookup") == set()
    assert of(with_lookup(), "layers/string_lookup", b"cat\ndog\n.") == set()  # which could be a pickle elsewhere
    assert of(with_lookup(name="TextVectorization"), "layers/text_vectorization/_lookup_layer") == set()
    for folder in ("layers/string_lookup_1", "layers/x", "layers/dense", "layers"):
        assert of(with_lookup(), folder) == {"extra-member"}, folder
    assert of(with_lookup("acme", "Words"), "layers/words/inner") == set()


def test_members_that_keras_does_not_write(write: Write) -> None:
    for name, raw, expected in [
        ("assets/x.pkl", b"", "pickle"), ("assets/x.bin", b"\x80\x04.", "pickle"), ("code.py", b"", "pickle"), ("other.txt",
        b"", "extra-member"),
        ("model.weights.npz", b"", "extra-member"), ("assets/layers/string_lookup/vocabulary.txt", b"\xff", "utf8"),
    ]:  # fmt: skip
        assert codes(write("m.keras", artifacts.archive(with_lookup() | {name: raw}))) == {expected}, name
    for missing in artifacts.members():
        rest = {name: raw for name, raw in artifacts.members().items() if name != missing}
        assert "missing-member" in codes(write("m.keras", artifacts.archive(rest)))


# Documents


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"\xef\xbb\xbf{}", "utf8"),
        ("{}".encode("utf-16"), "utf8"),
        (b"[]", "json"),
        (b"{", "json"),
        (b'{"a": 1, "a": 2}', "duplicate-key"),
        (b'{"a": ' + b"9" * 30 + b"}", "json-number"),
        (b'{"a": 1e999}', "json-number"),
        (b'{"a": ' + b"[" * 300 + b"]" * 300 + b"}", "too-deep"),
        (b'{"a": "' + b"\\" * 100001, "json"),
        (b'{"a": "\\ud800"}', "json"),
    ],
)
def test_documents_that_parsers_read_differently(write: Write, raw: bytes, code: str) -> None:
    assert codes(write("m.keras", artifacts.archive(artifacts.members(config=raw)))) == {code}


def of_config(write: Write, change: Callable[[dict[str, Any]], Any], *declared: str) -> set[str]:
    config = artifacts.config()
    change(config)
    return codes(write("m.keras", artifacts.archive(artifacts.members(config=json.dumps(config)))), *declared)


def layer(config: dict[str, Any]) -> Any:
    return config["config"]["layers"][1]


LAMBDA = {"class_name": "__lambda__", "config": {"value": "4wEAAAA="}}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda c: layer(c)["config"].update(activation=LAMBDA), "lambda"),
        (lambda c: c["compile_config"].update(loss=LAMBDA), "lambda"),
        (lambda c: layer(c).update(class_name="Lambda", config={"name": "l", "function": LAMBDA}), "lambda"),
        (lambda c: layer(c).update(class_name="TFSMLayer"), "undeclared-class"),
        (lambda c: layer(c).update(module="keras.src.layers.core.dense"), "undeclared-class"),
        (lambda c: layer(c).update(module="keras.callbacks", class_name="ModelCheckpoint"), "undeclared-class"),
        (lambda c: layer(c).update(module="os", class_name="system"), "undeclared-class"),
        (lambda c: layer(c).update(registered_name="acme>Dense"), "undeclared-class"),
        (lambda c: layer(c).pop("module"), "undeclared-class"),
        (lambda c: layer(c).update(class_name=["Dense"]), "config"),
        (lambda c: layer(c)["config"].update(activation=function("eval")), "undeclared-class"),
        (lambda c: layer(c)["config"].update(activation=function("get_file", "keras.utils")), "undeclared-class"),
        (lambda c: layer(c)["config"].update(activation=function("relu", "os")), "undeclared-class"),
        (lambda c: layer(c)["config"].update(vocabulary="words.txt"), "path"),
        (lambda c: layer(c)["config"].update(note="file:///etc/passwd"), "path"),
        (lambda c: layer(c)["config"].update(note=["../up"]), "path"),
        (lambda c: layer(c)["config"].update(value={"class_name": "__numpy__", "config": {"value": [1], "dtype": "O"}}),
        "config"),
        (lambda c: layer(c)["config"].update(momentum=float("nan")), "json-number"),
        (lambda c: c.update(module="keras.layers", class_name="Dense"), "config-root"),
        (lambda c: c["config"]["layers"].extend([{"class_name": "Activation", "module": "keras.layers",
        "config": {}}] * 2001), "too-many"),
    ],
)  # fmt: skip
def test_configurations_that_name_what_is_not_known(write: Write, change: Callable[[dict[str, Any]], Any], code: str) -> None:
    assert code in of_config(write, change)


def function(name: str, module: str = "builtins") -> dict[str, Any]:
    return {"class_name": "function", "module": module, "config": name, "registered_name": "function"}


def test_custom_classes_are_those_that_are_declared_exactly(write: Write) -> None:
    def scale(c: dict[str, Any]) -> None:
        layer(c).update(module="acme.layers", class_name="Scale", registered_name="acme>Scale")

    config, weights = artifacts.config(), artifacts.arrays()
    scale(config)
    for name in [name for name in weights if name.startswith("layers/dense/")]:
        weights[name.replace("dense", "scale")] = weights.pop(name)
    for name in [name for name in weights if name.startswith("layers/dense_1/")]:
        weights[name.replace("dense_1", "dense")] = weights.pop(name)
    made = artifacts.members(config=json.dumps(config), weights=artifacts.hdf5(weights))
    path = write("declared.keras", artifacts.archive(made))
    assert codes(path, "acme>Scale") == codes(path, "acme.layers:Scale") == set()
    for other in ("Scale", "acme>Scal", "acme.layers:scale", "acme:Scale", "acme.layers"):
        assert codes(path, other) == {"undeclared-class"}, other

    def smuggled(c: dict[str, Any]) -> None:
        layer(c).update(module="keras.layers", class_name="Lambda", registered_name="acme>Scale")

    assert "lambda" in of_config(write, smuggled, "acme>Scale")


def test_custom_layers_may_pack_their_variables(write: Write) -> None:
    scale = {"module": "acme", "class_name": "Scale", "registered_name": "acme>Scale", "config": {"name": "s"}}
    config, content = artifacts.config(artifacts.dense("a", 3, 4), scale, artifacts.dense("b", 2, 3)), artifacts.arrays()
    slots = {f"optimizer/vars/{number}": np.zeros(7, np.float32) for number in range(10, 14)}
    content |= {"layers/scale/vars/packed": np.ones((2, 7), np.float32)} | slots
    made = artifacts.members(config=json.dumps(config), weights=artifacts.hdf5(content))
    assert codes(write("m.keras", artifacts.archive(made)), "acme>Scale") == set()
    assert codes(write("m.weights.h5", artifacts.hdf5(content))) == set()
    without(content, "optimizer/vars/13")
    made = artifacts.members(config=json.dumps(config), weights=artifacts.hdf5(content))
    assert codes(write("m.keras", artifacts.archive(made)), "acme>Scale") == {"optimizer"}


def test_infinities_are_plain_values_of_custom_classes_and_operations_only(write: Write) -> None:
    infinite, norm = {"cap": float("inf")}, {"module": "keras.layers", "class_name": "BatchNormalization"}

    def cap(c: dict[str, Any], **config: Any) -> None:
        c["config"]["layers"].append({"module": "acme", "class_name": "Cap", "registered_name": "acme>Cap", "config": config})

    def clip(c: dict[str, Any], module: str = "keras.src.ops.numpy") -> None:
        c["config"]["layers"].append({"module": module, "class_name": "Clip", "config": {"x_min": 0, "x_max": float("inf")}})

    assert of_config(write, clip) == of_config(write, lambda c: cap(c, **infinite), "acme>Cap") == set()
    assert of_config(write, lambda c: cap(c, inner={"of": [infinite]}), "acme>Cap") == set()
    assert of_config(write, lambda c: cap(c, inner=norm | {"config": infinite}), "acme>Cap") == {"json-number"}
    assert of_config(write, lambda c: cap(c, **infinite)) == {"json-number", "undeclared-class"}
    assert of_config(write, lambda c: clip(c, "keras.layers")) == {"json-number", "undeclared-class"}
    assert of_config(write, lambda c: c["config"]["layers"][1].update(infinite), "acme>Cap") == {"json-number"}


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b'{"keras_version": "99.0.0"}', "version"),
        (b"{}", "version"),
        (b"no", "json"),
        (b'{"keras_version": "x/../y"}', "version"),
    ],
)
def test_metadata_that_no_keras_wrote(write: Write, raw: bytes, code: str) -> None:
    assert codes(write("m.keras", artifacts.archive(artifacts.members(metadata=raw)))) == {code}


# Weights


def of_weights(write: Write, change: Callable[[dict[str, Any]], Any], **options: Any) -> set[str]:
    content = artifacts.arrays()
    change(content)
    return codes(write("m.keras", artifacts.archive(artifacts.members(weights=artifacts.hdf5(content, **options)))))


def without(content: dict[str, Any], prefix: str) -> None:
    for name in [name for name in content if name.startswith(prefix)]:
        del content[name]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda a: without(a, "optimizer"), "missing-optimizer"),
        (lambda a: without(a, "optimizer/vars/9"), "optimizer"),
        (lambda a: without(a, "optimizer/vars/4"), "missing-weights"),
        (lambda a: without(a, "layers/dense/"), "missing-weights"),
        (lambda a: without(a, "layers/dense/vars/1"), "missing-weights"),
        (lambda a: a.update({"layers/dense/vars/2": np.ones(3, np.float32)}), "extra-weights"),
        (lambda a: a.update({"layers/dense_7/vars/0": np.ones(3, np.float32)}), "extra-weights"),
        (lambda a: a.update({"layers/dense/vars/0": np.ones((3, 4), np.float32)}), "shape"),
        (lambda a: a.update({"layers/dense/vars/0": np.ones((4, 3), np.float64)}), "dtype"),
        (lambda a: a.update({"layers/dense/vars/0": np.ones((4, 3), np.int8)}), "dtype"),
        (lambda a: a.update({"layers/dense/vars/0": np.full((4, 3), np.nan, np.float32)}), "nonfinite"),
        (lambda a: a.update({"optimizer/vars/2": np.full((4, 3), np.inf, np.float32)}), "nonfinite"),
        (lambda a: a.update({"optimizer/vars/2": np.ones((7, 3), np.float32)}), "optimizer"),
        (lambda a: a.update({"optimizer/vars/0": np.int64(-1)}), "optimizer"),
    ],
)  # fmt: skip
def test_weights_that_are_not_those_of_the_configuration(
    write: Write, change: Callable[[dict[str, Any]], Any], code: str
) -> None:
    assert code in of_weights(write, change)


def test_a_layer_that_is_larger_than_the_file(write: Write) -> None:
    def large(c: dict[str, Any]) -> None:
        layer(c).update(class_name="LSTM")
        layer(c)["config"]["units"] = 2_000_000_000

    assert "declared-size" in of_config(write, large)


@pytest.mark.parametrize("build", [{}, {"build_config": None}, {"build_config": {}}])
def test_a_layer_that_does_not_say_what_it_was_built_with(write: Write, build: dict[str, Any]) -> None:
    def sized(units: int) -> Callable[[dict[str, Any]], Any]:
        def change(c: dict[str, Any]) -> None:
            layer(c).pop("build_config")
            layer(c).update(build)
            layer(c)["config"]["units"] = units

        return change

    assert of_config(write, sized(2_000_000_000)) == {"config", "declared-size"}
    assert of_config(write, sized(2)) == {"config"}


def test_a_model_that_was_never_built_may_be_large(write: Write) -> None:
    config, large = artifacts.config(), artifacts.dense("a", 100_000, 4)
    del config["build_config"], config["compile_config"], large["build_config"]
    config["config"]["layers"] = [large]
    made = artifacts.members(config=json.dumps(config), weights=artifacts.hdf5({}))
    assert codes(write("m.keras", artifacts.archive(made))) == set()
    config["config"]["build_input_shape"] = [None, 4]
    made = artifacts.members(config=json.dumps(config), weights=artifacts.hdf5({}))
    assert codes(write("m.keras", artifacts.archive(made))) == {"declared-size"}


def test_variables_by_numbers_that_keras_does_not_write(write: Write) -> None:
    for name in ("layers/dense/vars/1", "optimizer/vars/3"):
        content = artifacts.arrays()
        content[name.replace("vars/", "vars/0")] = content.pop(name)
        made = artifacts.members(weights=artifacts.hdf5(content))
        assert codes(write("m.keras", artifacts.archive(made))) == {"missing-weights"}, name
    scale = {"module": "acme", "class_name": "Scale", "registered_name": "acme>Scale", "config": {"name": "s"}}
    config = artifacts.config(artifacts.dense("a", 3, 4), scale, artifacts.dense("b", 2, 3))
    content = artifacts.arrays() | {"layers/scale/vars/00": np.float32(1), "layers/scale/vars/01": np.float32(1)}
    made = artifacts.members(config=json.dumps(config), weights=artifacts.hdf5(content))
    assert codes(write("m.keras", artifacts.archive(made)), "acme>Scale") == set()


def edited(write: Write, change: Callable[[h5py.File], Any], raw: bytes | None = None, name: str = "m.weights.h5") -> set[str]:
    path = write(name, raw or artifacts.hdf5())
    with h5py.File(path, "r+") as file:
        change(file)
    return codes(path)


def replaced(file: h5py.File, name: str, **options: Any) -> None:
    del file[name]
    file.create_dataset(name, **options)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda f: f.__setitem__("layers/soft", h5py.SoftLink("/vars")), "h5-feature"),
        (lambda f: f.__setitem__("layers/out", h5py.ExternalLink("other.h5", "/vars")), "h5-feature"),
        (lambda f: f.__setitem__("layers/loop", f["/"]), "h5-feature"),
        (lambda f: f.__setitem__("layers/twice", f["layers/dense/vars/0"]), "h5-feature"),
        (lambda f: f.__setitem__("layers/type", np.dtype("f4")), "h5-feature"),
        (lambda f: f.__setitem__("layers/text", "text"), "h5-feature"),
        (lambda f: f.create_dataset("layers/ref", data=f["vars"].ref, dtype=h5py.ref_dtype), "h5-feature"),
        (lambda f: f["vars"].attrs.__setitem__("ref", f["vars"].ref), "h5-feature"),
        (lambda f: f.create_dataset("layers/huge", (10**6, 10**6), "f4", chunks=(1000, 1000)), "declared-size"),
        (lambda f: f.create_dataset("layers/raw", (9,), "f4", external=[("/etc/hostname", 0, 36)]), "h5-feature"),
        (lambda f: f.create_dataset("layers/lzf", data=np.ones(99), compression="lzf"), "h5-feature"),
        (lambda f: [f["vars"].attrs.__setitem__(str(n), n) for n in range(300)], "too-many"),
        (lambda f: f.create_virtual_dataset("layers/v", virtual()), "h5-feature"),
        (lambda f: f.__setitem__("layers/" + "x" * 400, 1.0), "name"),
    ],
)  # fmt: skip
def test_hdf5_that_is_more_than_groups_of_numbers(write: Write, change: Callable[[h5py.File], Any], code: str) -> None:
    assert edited(write, change) == {code}


def virtual() -> h5py.VirtualLayout:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", (4,))
    return layout


def test_hdf5_that_is_cut_prefixed_or_holds_what_was_deleted(write: Write) -> None:
    raw = artifacts.hdf5()
    assert codes(write("a.weights.h5", raw[:-1])) == codes(write("b.weights.h5", raw + b"x")) == {"truncated"}
    assert codes(write("c.weights.h5", bytes(512) + raw)) == {"prefix-bytes"}
    assert codes(write("d.weights.h5", b"")) == {"empty"}
    assert codes(write("e.weights.h5", raw[:8] + b"\xff" * 88 + raw[96:])) == {"h5-damaged"}
    content = {"layers/dense_2/vars/0": np.ones(9000, np.float32)} | artifacts.arrays()
    deleted = lambda file: file.__delitem__("layers/dense_2")  # noqa: E731
    assert edited(write, deleted, artifacts.hdf5(content)) == {"missing-weights"}


def test_weights_whose_optimizer_knows_of_more(write: Write) -> None:
    content = artifacts.arrays()
    without(content, "layers/dense_1/")
    assert codes(write("m.weights.h5", artifacts.hdf5(content))) == {"missing-weights"}
    factors = {"optimizer/vars/10": np.ones((4, 2), np.float32), "optimizer/vars/11": np.ones((2, 3), np.float32)}
    assert codes(write("m.weights.h5", artifacts.hdf5(artifacts.arrays() | factors))) == set()


def test_legacy_files(write: Write) -> None:
    def config(change: Callable[[dict[str, Any]], Any]) -> Callable[[h5py.File], None]:
        def run(file: h5py.File) -> None:
            data = json.loads(file.attrs["model_config"])
            change(data)
            file.attrs["model_config"] = json.dumps(data)

        return run

    def large(c: dict[str, Any]) -> None:
        del layer(c)["build_config"]
        layer(c)["config"]["units"] = 2_000_000_000

    def unlisted(file: h5py.File) -> None:
        file["model_weights"].attrs["layer_names"] = np.array([b"a"])
        del file["model_weights/b"]

    cases: list[tuple[Callable[[h5py.File], Any], str]] = [
        (lambda f: f.attrs.__delitem__("model_config"), "missing-config"),
        (lambda f: f.attrs.__setitem__("model_config", "no"), "json"),
        (lambda f: f.__delitem__("optimizer_weights"), "missing-optimizer"),
        (lambda f: f.__delitem__("optimizer_weights/adam/iteration"), "missing-weights"),
        (lambda f: f.__delitem__("model_weights"), "missing-weights"),
        (lambda f: f.__delitem__("model_weights/a/a/bias"), "missing-weights"),
        (lambda f: f["model_weights/a"].__setitem__("more", 1.0), "extra-weights"),
        (lambda f: f["model_weights"].__setitem__("c/kernel", np.ones(3, "f4")), "extra-weights"),
        (lambda f: f["model_weights"].attrs.__setitem__("layer_names", np.array([b"a", b"b", b"a"])), "duplicate-member"),
        (lambda f: f["model_weights/a"].attrs.__setitem__("weight_names", [b"a/kernel", b"a/bias"] * 2), "duplicate-member"),
        (lambda f: f["model_weights"].attrs.__setitem__("layer_names", np.array([b"b", b"a"])), "layer-order"),
        (unlisted, "missing-weights"),
        (lambda f: replaced(f, "model_weights/a/a/kernel", data=np.ones((3, 4), "f4")), "shape"),
        (config(lambda c: c["config"]["layers"][1].update(class_name="Scale")), "undeclared-class"),
        (config(lambda c: c["config"]["layers"][1]["config"].update(units=2_000_000_000)), "declared-size"),
        (config(large), "declared-size"),
        (
            config(lambda c: c["config"]["layers"][1].update(class_name="Lambda", config={"function": ["4wE=", None, None]})),
            "lambda",
        ),
    ]
    for change, code in cases:
        assert code in edited(write, change, artifacts.legacy(), "m.h5"), code


# Shards, checkpoints


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda m: m["weight_map"].update({"/vars": ["../x.weights.h5"]}), "path"),
        (lambda m: m["weight_map"].update({"/vars": ["none.weights.h5"]}), "missing-member"),
        (lambda m: m["weight_map"].update({"/layers/dense/vars": ["m_00001.weights.h5"]}), "weight-map"),
        (lambda m: m["weight_map"].pop("/optimizer/vars"), "weight-map"),
        (lambda m: m["weight_map"].clear(), "weight-map"),
        (lambda m: m["metadata"].update(total_size=1), "weight-map"),
    ],
)  # fmt: skip
def test_maps_that_lead_elsewhere(tmp_path: Path, change: Callable[[dict[str, Any]], Any], code: str) -> None:
    artifacts.write_shards(tmp_path)
    path = tmp_path / "m.weights.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    assert code in codes(path)


def test_checkpoints_that_are_damaged(tmp_path: Path) -> None:
    folder = tmp_path / "ck"
    artifacts.write_checkpoint(folder)
    index, shard, state = folder / "ckpt-1.index", folder / "ckpt-1.data-00000-of-00001", folder / "checkpoint"
    whole = {path: path.read_bytes() for path in (index, shard, state)}

    def after(path: Path, raw: bytes | None) -> set[str]:
        for one, original in whole.items():
            one.write_bytes(original)
        path.write_bytes(raw) if raw is not None else path.unlink()
        return codes(folder)

    flipped = bytearray(whole[index])
    flipped[20] ^= 1
    assert after(state, whole[state]) == set()
    assert after(index, bytes(flipped)) == {"crc"}
    assert after(index, b"") == {"index"}
    assert after(index, None) == {"missing-index"}
    assert after(shard, None) == {"missing-shard"}
    assert after(shard, whole[shard][:-1]) == {"truncated"}
    assert after(shard, whole[shard] + b"x") == {"shard-layout"}
    assert after(shard, b"\1" + whole[shard][1:]) == {"crc"}
    assert after(state, b'model_checkpoint_path: "../../x"\n') == {"path"}
    assert after(state, b'model_checkpoint_path: "ckpt-9"\n') == {"missing-index"}
    assert after(state, b"evil: 1\n") == {"state-file"}
    assert after(state, whole[state] + b'model_checkpoint_path: "ckpt-9"\n') == {"state-file"}
    assert after(state, b'all_model_checkpoint_paths: "ckpt-1"\n') == {"state-file"}
    state.unlink()
    state.mkdir()
    assert codes(folder) == {"empty"}
    state.rmdir()
    assert codes(folder) == set()
    index.unlink()
    assert codes(folder) == {"missing-index"}
    state.write_bytes(whole[state])
    artifacts.write_bundle(folder / "ckpt-1", {"w": np.array([1, np.nan], np.float32)})
    assert codes(folder) == {"nonfinite"}


# SavedModels


def of_graph(tmp_path: Path, change: Callable[[Any], Any]) -> set[str]:
    model = artifacts.saved_model()
    change(model.meta_graphs[0])
    folder = tmp_path / f"sm{len(list(tmp_path.iterdir()))}"
    return codes(artifacts.write_saved_model(folder, model))


def body(graph: Any, name: str) -> Any:
    return next(one for one in graph.graph_def.library.function if one.signature.name == name).node_def


def test_operations_that_reach_files_or_programs(tmp_path: Path) -> None:
    for operation in (
        "ReadFile",
        "WriteFile",
        "PyFunc",
        "MatchingFiles",
        "PrintV2",
        "ImmutableConst",
        "DebugIdentityV2",
        "TextLineDataset",
        "Evil",
    ):
        assert of_graph(tmp_path, lambda g, op=operation: artifacts.node(g.graph_def.node, "n", op)) == {"graph-operation"}
        assert of_graph(tmp_path, lambda g, op=operation: artifacts.node(body(g, "serve"), "n", op)) == {"graph-operation"}


def test_operations_of_the_users_own_are_those_that_are_named(tmp_path: Path) -> None:
    model = artifacts.saved_model()
    artifacts.node(body(model.meta_graphs[0], "serve"), "n", "AcmeMoments")
    artifacts.node(body(model.meta_graphs[0], "serve"), "s", "SaveV2", "x")
    path = artifacts.write_saved_model(tmp_path / "sm", model)
    for limits, places in ((Limits(), {"serve/n", "serve/s"}), (Limits(operations=("AcmeMoments", "SaveV2")), {"serve/s"})):
        assert {finding.place.split(":")[1] for finding in all_findings(seen(path, limits=limits))} == places


def test_constants_are_as_large_as_they_declare(tmp_path: Path) -> None:
    def large(g: Any) -> None:
        constant = artifacts.node(body(g, "serve"), "c", "Const").attr["value"].tensor
        constant.tensor_shape.dim.add(size=1 << 40)
        constant.float_val.append(1.0)

    assert of_graph(tmp_path, large) == {"declared-size"}


def test_saving_and_restoring_is_only_what_the_saver_definition_names(tmp_path: Path) -> None:
    def renamed(g: Any) -> None:
        """A function with the name of TensorFlow's own, which a signature calls."""
        artifacts.add_function(g, "__inference__traced_save_1", ["file_prefix"], [("s", "SaveV2", ["file_prefix"], None)])
        artifacts.node(body(g, "serve"), "c", "StatefulPartitionedCall", "x", function="__inference__traced_save_1")

    def called(g: Any) -> None:
        artifacts.node(body(g, "serve"), "c", "StatefulPartitionedCall", "x", function="traced_save")

    def offered(g: Any) -> None:
        g.object_graph_def.concrete_functions["traced_restore"].bound_inputs.append(0)

    def constant(g: Any) -> None:
        artifacts.node(body(g, "traced_restore"), "where", "Const", text=b"/etc/x")
        next(n for n in body(g, "traced_restore") if n.op == "RestoreV2").input[0] = "where:output:0"

    def joined(g: Any) -> None:
        next(n for n in body(g, "traced_save") if n.name == "b").attr["value"].tensor.string_val[0] = b"/../../x"

    def other(g: Any) -> None:
        artifacts.node(g.graph_def.node, "where", "Const", text=b"/etc/x")
        next(n for n in g.graph_def.node if n.name == "Save").input[0] = "where"

    def packed(g: Any) -> None:
        """What is joined to the prefix, in a field that TensorFlow reads instead."""
        tensor = next(n for n in body(g, "traced_save") if n.name == "b").attr["value"].tensor
        tensor.tensor_content = b"\x08/../../x"

    def by_operation(g: Any) -> None:
        """A function is called by a node whose operation has its name, too."""
        artifacts.node(body(g, "serve"), "c", "traced_save", "x")

    def of_an_object(g: Any) -> None:
        """What restores an object gets a value of the checkpoint, and no prefix."""
        artifacts.add_function(g, "restore", ["value"], [("s", "SaveV2", ["value"], None)])
        g.object_graph_def.concrete_functions["restore"].SetInParent()
        number = len(g.object_graph_def.nodes)
        g.object_graph_def.nodes.add().bare_concrete_function.concrete_function_name = "restore"
        g.object_graph_def.nodes[0].saveable_objects["v"].restore_function = number

    assert of_graph(tmp_path, lambda g: artifacts.node(body(g, "serve"), "s", "SaveV2", "x")) == {"graph-operation"}
    for change in (renamed, called, offered, constant, joined, packed, by_operation, other, of_an_object):
        assert of_graph(tmp_path, change) == {"graph-operation"}, change.__name__


def test_functions_that_the_object_graph_offers_are_those_that_it_describes(tmp_path: Path) -> None:
    for kind in ("function", "bare_concrete_function"):

        def offered(g: Any, kind: str = kind) -> None:
            one = getattr(g.object_graph_def.nodes.add(), kind)
            if kind == "function":
                one.concrete_functions.append("traced_save")
            else:
                one.concrete_function_name = "traced_save"

        assert of_graph(tmp_path, offered) == {"graph"}, kind


def with_default(g: Any, default: bytes = b"model") -> None:
    """The saver as TensorFlow 1 writes it: in the graph itself, on a prefix that has a default."""
    top = g.graph_def.node
    artifacts.node(top, "save/filename/input", "Const", text=default)
    artifacts.node(top, "save/filename", "PlaceholderWithDefault", "save/filename/input")
    artifacts.node(top, "save/Const", "PlaceholderWithDefault", "save/filename")
    artifacts.node(top, "n", "Const")
    artifacts.node(top, "save/SaveV2", "SaveV2", "save/Const", "n", "n", "v")
    artifacts.node(top, "save/RestoreV2", "RestoreV2", "save/Const", "n", "n")
    artifacts.node(top, "save/restore_all", "NoOp", "^save/RestoreV2")
    artifacts.node(top, "save/control_dependency", "Identity", "save/Const", "^save/SaveV2")
    saver = g.saver_def
    saver.filename_tensor_name, saver.save_tensor_name = "save/Const:0", "save/control_dependency:0"
    saver.restore_op_name = "save/restore_all"
    for name in ("Save", "Restore"):
        top.remove(next(n for n in top if n.name == name))
    for name in ("traced_save", "traced_restore"):
        g.graph_def.library.function.remove(next(f for f in g.graph_def.library.function if f.signature.name == name))
    artifacts.node(top, "init", "NoOp")
    g.collection_def["saved_model_main_op"].node_list.value.append("init")
    g.signature_def["serving_default"].outputs["y"].name = "Serve:0"


def test_a_prefix_that_counts_where_nobody_gives_one_leads_nowhere(tmp_path: Path) -> None:
    assert of_graph(tmp_path, with_default) == set()
    for default in (b"/tmp/x", b"../x", b"a/b", b".."):
        assert of_graph(tmp_path, lambda g, d=default: with_default(g, d)) == {"graph-operation"}, default

    def of_training(g: Any) -> None:
        """A second saver, which nothing names any more."""
        with_default(g)
        artifacts.node(g.graph_def.node, "saver/Const", "PlaceholderWithDefault", "save/filename/input")
        artifacts.node(g.graph_def.node, "saver/SaveV2", "SaveV2", "saver/Const", "n", "n", "v")

    assert of_graph(tmp_path, of_training) == set()


@pytest.mark.parametrize("name", ["init", "Serve", "save/restore_all"])
def test_loading_and_asking_a_model_saves_nothing(tmp_path: Path, name: str) -> None:
    def runs(g: Any) -> None:
        with_default(g)
        next(n for n in g.graph_def.node if n.name == name).input.append("^save/control_dependency")

    assert of_graph(tmp_path, runs) == {"graph-operation"}


@pytest.mark.parametrize("name", ["save", "restore"])
def test_loading_and_asking_a_model_calls_no_function_that_saves(tmp_path: Path, name: str) -> None:
    def runs(g: Any) -> None:
        g.signature_def["serving_default"].outputs["y"].name = f"{name.title()}:0"

    assert of_graph(tmp_path, runs) == {"graph-operation"}


def test_tables_are_filled_from_assets_only(tmp_path: Path) -> None:
    def table(g: Any, kind: str) -> None:
        artifacts.add_function(g, "init", ["path", "table"], [("i", "InitializeTableFromTextFileV2", ["table", "path"], None)])
        g.object_graph_def.concrete_functions["init"].bound_inputs.extend([1, 0])
        made = g.object_graph_def.nodes.add()
        getattr(made, kind).SetInParent()

    assert of_graph(tmp_path, lambda g: table(g, "asset")) == set()
    assert of_graph(tmp_path, lambda g: table(g, "constant")) == {"graph-operation"}

    def called(g: Any) -> None:
        table(g, "asset")
        artifacts.node(body(g, "serve"), "c", "StatefulPartitionedCall", "x", "v", function="init")

    assert of_graph(tmp_path, called) == {"graph-operation"}


def test_saved_models_that_are_not_whole(tmp_path: Path) -> None:
    assert of_graph(tmp_path, lambda g: g.asset_file_def.add(filename="../x")) == {"path"}
    assert of_graph(tmp_path, lambda g: g.asset_file_def.add(filename="words.txt")) == {"missing-member"}
    assert of_graph(tmp_path, lambda g: artifacts.node(g.graph_def.node, "n", "PartitionedCall", function="none")) == {"graph"}
    two = artifacts.saved_model()
    two.meta_graphs.add()
    assert codes(artifacts.write_saved_model(tmp_path / "two", two)) == {"graph"}
    folder = artifacts.write_saved_model(tmp_path / "one")
    (folder / "notes.txt").write_text("x")
    assert [finding.code for finding in seen(folder).findings] == ["extra-file"]
    debug = folder / "debug/saved_model_debug_info.pb"
    debug.parent.mkdir()
    traces = message("GraphDebugInfo", b"", "")
    traces.files.append("model.py")
    debug.write_bytes(traces.SerializeToString())
    assert [finding.place for finding in seen(folder).findings] == ["notes.txt"]
    debug.write_bytes(b"\xff\xff")
    assert codes(folder) == {"damaged"}
    debug.unlink()
    (folder / "saved_model.pb").write_bytes(b"\xff\xff")
    assert codes(folder) == {"damaged"}
    (folder / "saved_model.pb").write_bytes(b"")
    assert codes(folder) == {"empty"}
    (folder / "saved_model.pb").unlink()
    assert codes(folder) == {"missing-member"}


# Arrays, pickles, directories


def test_arrays_that_are_not_what_they_declare(write: Write) -> None:
    raw = artifacts.npy(np.arange(6.0).reshape(2, 3))
    assert codes(write("a.npy", raw[:-1])) == {"truncated"}
    assert codes(write("b.npy", raw + b"x")) == {"declared-size"}
    assert codes(write("c.npy", raw.replace(b"(2, 3)", b"(9999999, 99999)"[:6]))) == {"array"}
    assert codes(write("d.npy", spoiled(raw, b"'<f8'", b"'|O' "))) == {"array"}
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"
    assert codes(write("e.npy", b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + b"\x80\x04.")) == {"pickle"}
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (500000000000,), }\n"
    huge = b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header
    assert codes(write("f.npz", artifacts.archive({"a.npy": huge}))) == {"declared-size"}
    assert codes(write("g.npz", artifacts.archive({"a.pkl": b""}))) == {"extra-member"}
    assert codes(write("h.npy", b"")) == {"empty"}
    assert codes(write("i.npy", spoiled(raw, b"'<f8'", b"'<f3'"))) == {"array"}


@pytest.mark.parametrize("shape", ["(" + "1" * 60 + "!", "(" + "1," * 60 + "!", "(1 1)", "(1)", "(01,)", "(-1,)", "1", "((1,),)"])
def test_shapes_that_numpy_does_not_write(write: Write, shape: str) -> None:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    path = write("a.npy", b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + bytes(8))
    assert codes(path) == {"array"}


@pytest.mark.parametrize("shape", [(), (0,), (3,), (1, 2), (10, 0, 123)])
def test_shapes_that_numpy_writes(write: Write, shape: tuple[int, ...]) -> None:
    assert [one.shape for one in seen(write("a.npy", artifacts.npy(np.ones(shape)))).variables] == [shape]


def test_pickles_by_name_and_by_their_first_bytes(write: Write) -> None:
    for name, raw in (
        ("m.pkl", b"x"),
        ("m.joblib", b"x"),
        ("m.p", b"x"),
        ("M.P", b"x"),
        ("m.cloudpickle", b"x"),
        ("m.pkl.gz", b"x"),
        ("m.joblib.z", b"x"),
        ("m.pickle.XZ", b"x"),
        ("m.pt.bz2", b"x"),
        ("model", b"\x80\x04N."),
        ("old", b"cos\nsystem\n(S'x'\ntR."),
        ("m.pt", b"PK"),
    ):
        assert codes(write(name, raw)) == {"pickle"}, name
    for name in ("readme", "words.txt.gz", "map"):
        assert codes(write(name, b"text")) == {"unknown-format"}
    assert codes(write("m.zip", artifacts.archive(artifacts.members()))) == {"suffix"}


def test_a_directory_of_a_users_own_is_looked_at_file_by_file(write: Write, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    write("own/m.keras", artifacts.archive(artifacts.members()))
    write("own/parts/extra.npz", artifacts.npz(a=[1.0]))
    write("own/readme.md", b"text")
    artifacts.write_checkpoint(folder / "ck")
    artifacts.write_shards(folder)
    found = seen(folder)
    assert not found.refused
    assert sorted(part.kind for part in found.parts) == ["checkpoint", "directory", "keras archive", "sharded weights", "unknown"]
    write("own/state.pkl", b"\x80\x04N.")
    assert codes(folder) == {"pickle"}


def test_directories_that_are_called_as_files_of_checkpoints_are_looked_into(write: Write, tmp_path: Path) -> None:
    artifacts.write_checkpoint(tmp_path / "own")
    for name in ("own/checkpoint.index", "own/ckpt-1.data-00000-of-00001.index"):
        write(f"{name}/state.pkl", b"x")
        assert codes(tmp_path / "own") == {"pickle"}, name
        (tmp_path / name / "state.pkl").rename(tmp_path / name / "notes.txt")
        assert codes(tmp_path / "own") == set(), name
    (tmp_path / "own/checkpoint").unlink()
    write("own/checkpoint/state.pkl", b"x")
    assert codes(tmp_path / "own") == {"pickle"}
