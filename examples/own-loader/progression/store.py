"""Our own format: settings as JSON, weights and optimizer as arrays."""

import json

import numpy as np

from progression.layers import built


def save(model, settings, folder):
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text(json.dumps(settings))
    np.savez(folder / "weights.npz", *model.get_weights())
    slots = {}
    model.optimizer.save_own_variables(slots)
    np.savez(folder / "optimizer.npz", **slots)


def load(folder):
    model = built(json.loads((folder / "settings.json").read_text()))
    with np.load(folder / "weights.npz") as weights:
        model.set_weights([weights[f"arr_{number}"] for number in range(len(weights))])
    model.optimizer.build(model.trainable_variables)
    with np.load(folder / "optimizer.npz") as slots:
        model.optimizer.load_own_variables(slots)
    return model
