"""Train on the table in data/, save, and say how good it is."""

import json
from pathlib import Path

import keras
import numpy as np

table = np.loadtxt("data/diabetes.csv", delimiter=",", skiprows=1, dtype=np.float32)
x, y = table[:, :-1], table[:, -1:] / 100
held_out, rest = slice(0, 64), slice(64, None)

keras.utils.set_random_seed(7)
scaled = keras.layers.Normalization()
scaled.adapt(x[rest])
model = keras.Sequential([keras.Input((10,)), scaled, keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1)])
model.compile(optimizer="adam", loss="mse")
model.fit(x[rest], y[rest], epochs=20, verbose=2)
model.save("model.keras")

Path("score.json").write_text(json.dumps({"mse": model.evaluate(x[held_out], y[held_out], verbose=0)}) + "\n")
