"""Train, save, and say how good it is."""

import json
from pathlib import Path

import keras
import numpy as np
import yaml

params = yaml.safe_load(Path("params.yaml").read_text())
settings = params["train"]
train, test = (np.load(f"data/features/{name}.npz") for name in ("train", "test"))

keras.utils.set_random_seed(settings["seed"])
model = keras.Sequential(
    [
        keras.Input((13,)),
        keras.layers.Dense(settings["units"], activation="relu"),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(3, activation="softmax"),
    ]
)
model.compile(optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train["x"], train["y"], epochs=settings["epochs"], verbose=2)
model.save("model.keras")

scores = model.evaluate(test["x"], test["y"], verbose=0, return_dict=True)
Path("metrics.json").write_text(json.dumps(scores, indent=1) + "\n")
