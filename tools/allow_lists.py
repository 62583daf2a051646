"""Write what `reloadgate inspect` allows, from the installed Keras and TensorFlow: `make allowlist`.

Inspection itself imports neither, so what it needs to know of them is data: the classes and functions that a configuration may
name, the operations that a graph may hold, and TensorFlow's published message definitions. A test holds the committed files
equal to what this script makes of the versions in the lock file.
"""

import importlib
import inspect
import json
import pkgutil
import sys
from pathlib import Path
from typing import Any

TABLES = Path(__file__).resolve().parents[1] / "src/reloadgate/inspection/tables"

NAMESPACES = (
    "keras", "keras.models", "keras.layers", "keras.losses", "keras.metrics", "keras.optimizers", "keras.optimizers.schedules",
    "keras.initializers", "keras.regularizers", "keras.constraints", "keras.dtype_policies", "keras.quantizers", "keras.random",
    "keras.distillation",
)  # fmt: skip
FUNCTION_NAMESPACES = ("activations", "losses", "metrics", "initializers", "regularizers", "constraints")
NOT_FUNCTIONS = {"get", "serialize", "deserialize"}

# Run code of the artifact's or of another framework's, read other files, or are bases that mean nothing alone.
NOT_ALLOWED = {
    "Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer",
    "Layer", "Operation", "Function", "Loss", "Metric", "Optimizer", "Initializer", "Regularizer", "Constraint", "Quantizer",
    "LearningRateSchedule", "DistillationLoss", "Variable",
}  # fmt: skip
# Operations that are given a function, and would call it.
CALLABLE_ARGUMENTS = {
    "f",
    "fn",
    "fun",
    "func",
    "function",
    "cond",
    "body",
    "body_fun",
    "true_fn",
    "false_fn",
    "branches",
    "pyfunc",
    "call_fn",
}

OPERATION_MODULES = (
    "array", "audio", "bitwise", "candidate_sampling", "composite_tensor", "control_flow", "count", "ctc", "cudnn_rnn",
    "data_flow",
    "functional", "image", "linalg", "list", "logging", "lookup", "manip", "map", "math", "nn", "optional", "parsing",
    "ragged_array", "ragged_conversion", "ragged_math", "random", "random_index_shuffle", "resource_variable", "rnn", "set",
    "sparse",
    "special_math", "spectral", "state", "stateful_random", "stateless_random", "stateless_random_v2", "string", "training",
    "uniform_quant",
)  # fmt: skip
# What reads or writes files, prints, blocks, ends the process, or leaves this device, although its module is harmless.
# Reading and writing checkpoints and tables is not here: `saved_model` allows it where the saver definition does.
NOT_OPERATIONS = {
    "ImmutableConst", "Copy", "CopyHost", "DebugGradientIdentity", "DebugGradientRefIdentity", "Abort", "Print", "PrintV2",
    "RecordInput",
    "RemoteCall", "FakeParam", "AudioSummary", "AudioSummaryV2", "HistogramSummary", "ImageSummary", "MergeSummary",
    "ScalarSummary",
    "TensorSummary", "TensorSummaryV2", "InitializeTableFromTextFile", "InitializeTableFromTextFileV2", "FakeQueue",
    "FixedUnigramCandidateSampler", "MutexLock", "MutexV2", "ConsumeMutexLock",
}  # fmt: skip
NOT_OPERATION_PREFIXES = ("Barrier", "Queue", "Stage", "Unstage", "MapStage", "MapUnstage", "OrderedMap", "FIFOQueue",
    "PaddingFIFOQueue",
                          "RandomShuffleQueue", "PriorityQueue", "ConditionalAccumulator", "SparseConditionalAccumulator",
                          "Accumulator",
                          "SparseAccumulator", "ResourceConditionalAccumulator", "ResourceAccumulator", "MapIncomplete",
                          "MapPeek", "MapSize",
                          "MapClear", "GetSessionHandle", "GetSessionTensor", "DeleteSessionTensor")  # fmt: skip

MESSAGES = ("saved_model", "meta_graph", "saved_object_graph", "trackable_object_graph", "tensor_bundle", "fingerprint")


def classes() -> dict[str, list[str]]:
    """Names by the module that a configuration gives."""
    import keras
    from keras.src.saving.keras_saveable import KerasSaveable

    found: dict[str, list[str]] = {}
    for namespace in NAMESPACES:
        module = keras
        for part in namespace.split(".")[1:]:
            module = getattr(module, part)
        saveable = (KerasSaveable, keras.DTypePolicy, keras.dtype_policies.DTypePolicyMap, keras.Initializer, keras.Regularizer,
                    keras.constraints.Constraint, keras.Quantizer, keras.quantizers.QuantizationConfig,
                    keras.optimizers.schedules.LearningRateSchedule, keras.optimizers.OptimizerMap, keras.Loss,
                    keras.distillation.DistillationLoss)  # fmt: skip
        names = [n for n, c in vars(module).items() if inspect.isclass(c) and issubclass(c, saveable) and n not in NOT_ALLOWED]
        found[namespace] = sorted(names)
    for name, class_ in _internal(keras):
        if name not in NOT_ALLOWED:
            found.setdefault(class_.__module__, []).append(name)
    found["keras.utils"] = ["FeatureSpace"]
    found["keras.random"] = ["SeedGenerator"]
    return {module: sorted(set(names)) for module, names in sorted(found.items()) if names}


def _internal(keras: Any) -> list[tuple[str, Any]]:
    """Classes without a public name that configurations hold: operations, and parts of layers and of models."""
    from keras.src.api_export import get_name_from_symbol

    operations = (keras.Operation,)
    places = ("keras.src.ops", "keras.src.layers", "keras.src.models", "keras.src.applications")
    found = []
    for place in places:
        package = importlib.import_module(place)
        for info in pkgutil.walk_packages(package.__path__, place + "."):
            if info.name.endswith("_test") or ".backend." in info.name:
                continue
            module = importlib.import_module(info.name)
            for name, one in vars(module).items():
                if (
                    inspect.isclass(one)
                    and one.__module__ == info.name
                    and _plain(one, operations)
                    and not get_name_from_symbol(one)
                ):
                    found.append((name, one))
    from keras.src.layers.preprocessing import feature_space

    found += [(name, getattr(feature_space, name)) for name in ("Cross", "Feature")]
    return found


def _plain(one: Any, operations: tuple[Any, ...]) -> bool:
    if not issubclass(one, operations) or inspect.isabstract(one) or one.__name__.startswith("Base"):
        return False
    named = {p for method in (one.__init__, one.call) for p in inspect.signature(method).parameters}
    return not named & CALLABLE_ARGUMENTS


def stored_as() -> dict[str, str]:
    """Classes of layers by their public names, where the two differ: a configuration has the one, the weights the other."""
    import keras
    from keras.src.api_export import get_name_from_symbol

    layers = {one for one in vars(keras.layers).values() if inspect.isclass(one)}
    public = {one: str(get_name_from_symbol(one)).rpartition(".")[2] for one in layers}
    return dict(sorted((name, one.__name__) for one, name in public.items() if name != one.__name__))


def functions() -> list[str]:
    """Names that Keras resolves without importing anything: `{"class_name": "function", "module": "builtins"}`."""
    import keras

    names = {
        name
        for namespace in FUNCTION_NAMESPACES
        for name, one in vars(getattr(keras, namespace)).items()
        if (inspect.isfunction(one) or inspect.isclass(one)) and name not in NOT_FUNCTIONS and name[:1] != "_"
    }
    return sorted(names - NOT_ALLOWED)


def operations() -> list[str]:
    from tensorflow.python.framework import op_def_registry

    names = set()
    for module in OPERATION_MODULES:
        found = importlib.import_module(f"tensorflow.python.ops.gen_{module}_ops" if module != "stateless_random_v2" else
                                        "tensorflow.python.ops.gen_stateless_random_ops_v2")  # fmt: skip
        names |= {n for n in vars(found) if n[:1].isupper() and op_def_registry.get(n) is not None}
    return sorted(n for n in names if n not in NOT_OPERATIONS and not n.startswith(NOT_OPERATION_PREFIXES))


def messages() -> bytes:
    """The definitions of TensorFlow's messages, dependencies first."""
    from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

    made, seen = FileDescriptorSet(), set()

    def add(file: Any) -> None:
        if file.name in seen:
            return
        seen.add(file.name)
        for dependency in file.dependencies:
            add(dependency)
        plain = FileDescriptorProto()
        file.CopyToProto(plain)
        made.file.append(plain)

    for name in MESSAGES:
        add(importlib.import_module(f"tensorflow.core.protobuf.{name}_pb2").DESCRIPTOR)
    add(importlib.import_module("tensorflow.python.training.checkpoint_state_pb2").DESCRIPTOR)
    return made.SerializeToString(deterministic=True)


def tables() -> dict[str, bytes]:
    """The files, by name."""
    import keras
    import tensorflow

    allowed = {"keras": keras.__version__, "classes": classes(), "functions": functions(), "stored_as": stored_as()}
    graph = {"tensorflow": tensorflow.__version__, "operations": operations()}
    return {
        "keras.json": (json.dumps(allowed, indent=1) + "\n").encode(),
        "tensorflow.json": (json.dumps(graph, indent=1) + "\n").encode(),
        "tensorflow.binpb": messages(),
    }


if __name__ == "__main__":
    for name, content in tables().items():
        (TABLES / name).write_bytes(content)
        print(f"{name}: {len(content)} bytes", file=sys.stderr)
