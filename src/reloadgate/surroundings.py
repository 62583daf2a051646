"""What surrounds a process: its processors, and the variables that a computation needs, with nothing of the caller's besides."""

import itertools
import os
from collections.abc import Iterable, Mapping

_SYSTEM = {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TEMP", "TMP", "LD_LIBRARY_PATH", "SYSTEMROOT"}
_BIT_MOVING = (
    "TF_ENABLE_", "TF_DISABLE_", "TF_USE_", "TF_XLA_", "TF_NUM_", "TF_DETERMINISTIC_", "TF_CUDNN_", "XLA_FLAGS",
    "KERAS_BACKEND", "OMP_NUM_THREADS", "MKL_", "OPENBLAS_", "CUDA_VISIBLE_DEVICES",
)  # fmt: skip

_GIVING_BACK = {"TF_ONEDNN_USE_SYSTEM_ALLOCATOR": "1", "MALLOC_MMAP_THRESHOLD_": str(4 * 2**20)}
"""Memory that is freed goes back to the system, and results stay what they are: a process loads a model several times, and beside
the next one would hold what the one before needed. Where processors have instructions for oneDNN, TensorFlow keeps it in a pool
of its own; glibc keeps blocks below its threshold, which grows to 32 MiB where it is not given."""


def processors() -> int:
    """The processors on which this process may run. TensorFlow starts as many threads, whatever time a container is given."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def bit_moving(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables that libraries read and that can change results."""
    return {k: v for k, v in sorted(variables.items()) if k.startswith(_BIT_MOVING)}


def fresh(variables: Mapping[str, str], recorded_hash_seeds: Iterable[str]) -> dict[str, str]:
    """The environment of the reloading processes: named variables alone, so that no token passes. `HOME` is the engine's to give.

    Args:
        variables: the caller's environment.
        recorded_hash_seeds: `PYTHONHASHSEED` of the saving processes: the reloading ones get another, also where users pin it.
    """
    kept = {name: value for name, value in variables.items() if name in _SYSTEM}
    recorded = set(recorded_hash_seeds)
    seed = next(str(number) for number in itertools.count(4051) if str(number) not in recorded)
    return {
        **kept,
        **bit_moving(variables),
        "PYTHONHASHSEED": seed,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        "TF_CPP_MIN_LOG_LEVEL": "1",
        **_GIVING_BACK,
    }
