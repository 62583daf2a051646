"""What moves the bits of a computation, as this process has it."""

import os
import platform
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.config import is_op_determinism_enabled

from reloadgate.evidence import Environment
from reloadgate.surroundings import bit_moving

NOBODYS_SEED = 1_618_033_989
"""A seed that no training script sets: with that of the script, what a constructor draws and nobody saves would come back."""


def environment() -> Environment:
    """The environment of this process; reading it initialises TensorFlow's devices."""
    return Environment(
        python=platform.python_version(),
        platform=platform.system(),
        machine=platform.machine(),
        processor=_processor(),
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        intra_op_threads=tf.config.threading.get_intra_op_parallelism_threads(),
        inter_op_threads=tf.config.threading.get_inter_op_parallelism_threads(),
        numpy=np.__version__,
        tensorflow=tf.__version__,
        keras=keras.__version__,
        devices=tuple(device.name for device in tf.config.list_logical_devices()),
        deterministic=is_op_determinism_enabled(),
        settings=bit_moving(os.environ),
    )


def compute_as(recorded: Environment) -> None:
    """Give this process the recorded thread numbers and determinism; possible only before its first operation."""
    tf.config.threading.set_intra_op_parallelism_threads(recorded.intra_op_threads)
    tf.config.threading.set_inter_op_parallelism_threads(recorded.inter_op_threads)
    if recorded.deterministic:
        tf.config.experimental.enable_op_determinism()
        tf.random.set_seed(NOBODYS_SEED)  # without any, random operations raise now


def _processor() -> str:
    """The processor's model: another one may choose other vector instructions, and with them other bits."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()
