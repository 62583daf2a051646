"""`train@<name>`: train one sample model and save it, with its evidence, as a model version.

    python stages/train.py NAME

Reads `data/prepared/<name>/` and the section `models.<name>` of `params.yaml`; writes `models/<name>/<version>/`, its
record, training metrics and the training curve. The same parameters give the same bits.
"""

import csv
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

import reloadgate
from reloadgate.nouns import write_json
from reloadgate.policy import read_yaml
from reloadgate.project import MODELS, PARAMS, RECORDS, REPORTS
from reloadgate.report import begin

THREADS = 2
"""Fixed, because another number of threads gives other bits."""


def main(name: str) -> None:
    begin(REPORTS, f"train {name}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from stages.quiet import quiet_stderr

    with quiet_stderr():
        import keras
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(THREADS)
        tf.config.threading.set_inter_op_parallelism_threads(THREADS)
        tf.config.experimental.enable_op_determinism()
        tf.config.list_logical_devices()
    from stages import zoo

    settings = zoo.Settings(**read_yaml(PARAMS)["models"][name])
    keras.utils.set_random_seed(settings.seed)
    prepared = Path("data/prepared") / name
    train, test, probe = (_arrays(prepared / f"{part}.npz") for part in ("train", "test", "probe"))
    model = zoo.MODELS[name](settings, *train)
    history = model.fit(*train, validation_data=test, batch_size=settings.batch_size, epochs=settings.epochs, verbose=2)
    reloadgate.save(model, MODELS / name / settings.version, probe=probe, imports=("stages.zoo",), records=RECORDS)
    _write_metrics(name, model.evaluate(*test, verbose=0, return_dict=True))
    _write_curve(name, history.history)


def _arrays(path: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    with np.load(path, allow_pickle=False) as arrays:
        return arrays["x"], arrays["y"]


def _write_metrics(name: str, measured: dict[str, float]) -> None:
    write_json(REPORTS / "train" / name / "metrics.json", {key: float(value) for key, value in measured.items()})


def _write_curve(name: str, history: dict[str, list[float]]) -> None:
    with (REPORTS / "train" / name / "curve.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["epoch", *history])
        writer.writerows([epoch, *values] for epoch, values in enumerate(zip(*history.values(), strict=True), 1))


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    main(sys.argv[1])
