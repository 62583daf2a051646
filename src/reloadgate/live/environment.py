"""What moves the bits of a computation, as this process has it."""

import os
import platform
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.config import is_op_determinism_enabled

from reloadgate.evidence import Environment
from reloadgate.surroundings import bit_moving, processors

NOBODYS_SEED = 1_618_033_989
"""A seed that no training script sets: with that of the script, what a constructor draws and nobody saves would come back."""

JIT, TENSOR_FLOAT_32 = "jit", "tensor_float_32_execution"
"""Options that have functions of their own in `tf.config`; the others are those of its graph optimizer, by TensorFlow's names."""

USUAL = {JIT: False, TENSOR_FLOAT_32: True, "disable_model_pruning": False, "disable_meta_optimizer": False}
"""What TensorFlow 2.21 says where nobody told it anything; of its other options it says nothing then."""


def environment() -> Environment:
    """The environment of this process; reading it initialises TensorFlow's devices."""
    return Environment(
        python=platform.python_version(),
        platform=platform.system(),
        machine=platform.machine(),
        processor=_processor(),
        cpus=processors(),
        intra_op_threads=tf.config.threading.get_intra_op_parallelism_threads(),
        inter_op_threads=tf.config.threading.get_inter_op_parallelism_threads(),
        numpy=np.__version__,
        tensorflow=tf.__version__,
        keras=keras.__version__,
        devices=tuple(device.name for device in tf.config.list_logical_devices()),
        deterministic=is_op_determinism_enabled(),
        settings=bit_moving(os.environ),
        options=_options(),
    )


def _options() -> dict[str, bool | int]:
    told = {
        **tf.config.optimizer.get_experimental_options(),
        JIT: bool(tf.config.optimizer.get_jit()),
        TENSOR_FLOAT_32: tf.config.experimental.tensor_float_32_execution_enabled(),
    }
    return {name: value for name, value in told.items() if USUAL.get(name) is not value}


def compute_as(recorded: Environment) -> None:
    """Give this process the recorded thread numbers, determinism and options; possible only before its first operation."""
    tf.config.threading.set_intra_op_parallelism_threads(recorded.intra_op_threads)
    tf.config.threading.set_inter_op_parallelism_threads(recorded.inter_op_threads)
    if recorded.deterministic:
        tf.config.experimental.enable_op_determinism()
        tf.random.set_seed(NOBODYS_SEED)  # without any, random operations raise now
    options = USUAL | recorded.options
    tf.config.optimizer.set_jit("autoclustering" if options.pop(JIT) else False)
    tf.config.experimental.enable_tensor_float_32_execution(options.pop(TENSOR_FLOAT_32))
    tf.config.optimizer.set_experimental_options(options)


def _processor() -> str:
    """The processor's model: another one may choose other vector instructions, and with them other bits."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()
