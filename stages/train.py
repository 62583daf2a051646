"""`train@<name>`: train one sample model and save it, with its evidence, as a model version.

    python stages/train.py NAME

Reads `data/prepared/<name>/` and the section `models.<name>` of `params.yaml`; writes `models/<name>/<version>/`, its
record, training metrics and the training curve. The same parameters give the same bits.
"""

import csv
import os
import sys
from pathlib import Path

if not __package__:
    # As a script, Python looks for modules in `stages/`; the package `stages` itself is one level up.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import reloadgate
from reloadgate.nouns import write_json
from reloadgate.policy import read_yaml
from reloadgate.probe import Probe
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
    from stages.builders import tensors

    settings = zoo.Settings(**read_yaml(PARAMS)["models"][name])
    keras.utils.set_random_seed(settings.seed)
    train, test, probe = (Probe.read(Path("data/prepared") / name / f"{part}.npz") for part in ("train", "test", "probe"))
    x, y, held_out = tensors(train.x), train.y, (tensors(test.x), test.y)
    model = zoo.build(name, settings, x, y)
    history = model.fit(x, y, validation_data=held_out, batch_size=settings.batch_size, epochs=settings.epochs, verbose=2)
    reloadgate.save(
        model,
        MODELS / name / settings.version,
        probe=probe,
        formats=settings.formats,
        builder=f"stages.builders:{name}",
        imports=(zoo.module_of(name),),
        records=RECORDS,
    )
    _write_metrics(name, model.evaluate(*held_out, verbose=0, return_dict=True))
    _write_curve(name, history.history)


def _write_metrics(name: str, measured: dict[str, float]) -> None:
    write_json(REPORTS / "train" / name / "metrics.json", {key: float(value) for key, value in measured.items()})


def _write_curve(name: str, history: dict[str, list[float]]) -> None:
    with (REPORTS / "train" / name / "curve.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["epoch", *history])
        writer.writerows([epoch, *values] for epoch, values in enumerate(zip(*history.values(), strict=True), 1))


if __name__ == "__main__":
    main(sys.argv[1])
