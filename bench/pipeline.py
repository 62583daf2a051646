"""What the stages cost that run again: judge and gate after a change of tolerance, and `dvc repro` with nothing to do.

In a copy of this repository as it lies here: `make repro` comes first.
"""

import os
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import yaml

from bench.measure import by_turns, python, tell

ROOT = Path(__file__).parents[1]
CONTENT = Path(".dvc/cache/files")


def copied(folder: Path, gated: bool) -> Path:
    """The repository without its environment; with the stage `gate`, or without.

    What lies in the cache is shared, and which run left it is not: this copy's runs are of no use to the repository.
    """
    left_out = shutil.ignore_patterns(".venv", ".*_cache", "__pycache__", "cache", "tmp")
    copy = Path(shutil.copytree(ROOT, folder / ("gated" if gated else "ungated"), ignore=left_out))
    (copy / CONTENT).parent.mkdir()
    (copy / CONTENT).symlink_to(ROOT / CONTENT)
    if not gated:
        for name in ("dvc.yaml", "dvc.lock"):
            stages = yaml.safe_load((copy / name).read_text())
            del stages["stages"]["gate"]
            (copy / name).write_text(yaml.safe_dump(stages, sort_keys=False))
    return copy


def run(copy: Path, *command: str) -> None:
    subprocess.run(command, cwd=copy, check=True, env=os.environ | {"DVC_NO_ANALYTICS": "1"}, capture_output=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        gated, ungated = copied(Path(folder), True), copied(Path(folder), False)
        repro = python("-m", "dvc", "repro")
        for copy in (gated, ungated):
            run(copy, *repro)  # whatever the copy made stale
        # The difference of two long runs: three turns of each leave half of it to chance.
        one, other = by_turns(partial(run, gated, *repro), partial(run, ungated, *repro), repeats=9)
        tell("`dvc repro` with nothing to do, with the gate / without", one - other, "≤ +0.7 s", f"{one:.2f} s / {other:.2f} s")

        params = gated / "params.yaml"
        params.write_text(params.read_text().replace("flips: 0", "flips: 1"))

        def judged() -> None:
            run(gated, *python("-m", "reloadgate", "judge", "--expectations"))
            run(gated, *python("-m", "reloadgate", "gate"))

        one, other = by_turns(judged, lambda: run(gated, *python("-c", "import great_expectations")))
        tell("judge and gate / importing Great Expectations", one / other, "≤ 1.3", f"{one:.2f} s / {other:.2f} s")


if __name__ == "__main__":
    main()
