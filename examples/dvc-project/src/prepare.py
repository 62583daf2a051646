"""Split the table into rows to train on and rows to test on."""

import random
from pathlib import Path

import yaml

settings = yaml.safe_load(Path("params.yaml").read_text())["prepare"]
header, *rows = Path("data/wine.csv").read_text().splitlines()
random.Random(settings["seed"]).shuffle(rows)
tested = int(len(rows) * settings["split"])

out = Path("data/prepared")
out.mkdir(parents=True)
for name, part in (("test", rows[:tested]), ("train", rows[tested:])):
    (out / f"{name}.csv").write_text("\n".join([header, *part]) + "\n")
