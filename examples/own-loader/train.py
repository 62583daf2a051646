"""Train on the table in data/, and save in our own format."""

from pathlib import Path

import keras
import numpy as np

from progression import store
from progression.layers import built

table = np.loadtxt("data/diabetes.csv", delimiter=",", skiprows=1, dtype=np.float32)
x, y = (table[:, :-1] - table[:, :-1].mean(axis=0)) / table[:, :-1].std(axis=0), table[:, -1:] / 100
held_out, rest = slice(0, 64), slice(64, None)

keras.utils.set_random_seed(7)
settings = {"inputs": 10, "units": 16, "learning_rate": 0.01}
model = built(settings)
model.fit(x[rest], y[rest], epochs=20, verbose=2)
store.save(model, settings, Path("models/progression/1.0.0"))
