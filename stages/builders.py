"""The sample models as they are before training: weights and checkpoints hold no architecture, and fill these.

`stages.builders:<name>` takes no arguments and works in any directory: settings and training data are the project's own, since
layers are adapted to the data and a vocabulary is in no file of weights.
"""

from functools import partial
from pathlib import Path
from typing import Any

from reloadgate.policy import read_yaml
from reloadgate.probe import Probe, map_leaves
from stages import zoo

ROOT = Path(__file__).resolve().parents[1]


def untrained(name: str) -> Any:
    """The compiled model of that name."""
    train = Probe.read(ROOT / "data/prepared" / name / "train.npz")
    settings = zoo.Settings(**read_yaml(ROOT / "params.yaml")["models"][name])
    return zoo.build(name, settings, tensors(train.x), train.y)


def tensors(inputs: Any) -> Any:
    """Inputs as tensors: Keras takes no NumPy strings, and one call takes no mixture."""
    import tensorflow as tf

    return map_leaves(tf.constant, inputs)


digits, diabetes, wine, parity, languages, weather = (partial(untrained, name) for name in zoo.NAMES)
