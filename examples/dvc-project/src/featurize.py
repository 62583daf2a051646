"""Scale the measurements by mean and spread of the rows to train on."""

from pathlib import Path

import numpy as np

tables = {
    name: np.loadtxt(f"data/prepared/{name}.csv", delimiter=",", skiprows=1, dtype=np.float32) for name in ("train", "test")
}
mean, spread = tables["train"][:, :-1].mean(axis=0), tables["train"][:, :-1].std(axis=0)

out = Path("data/features")
out.mkdir(parents=True)
for name, table in tables.items():
    np.savez(out / f"{name}.npz", x=(table[:, :-1] - mean) / spread, y=table[:, -1].astype(np.int64))
