"""Reloads in another environment: a rehearsal of an upgrade before it happens.

The other environment needs no reloadgate: it is given this one's source, and nothing else of this environment.
"""

import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reloadgate.engine.local import LocalEngine
from reloadgate.errors import UsageError
from reloadgate.files import scratch
from reloadgate.text import one_line

NEEDED = {
    "tensorflow": "tensorflow",
    "keras": "keras",
    "h5py": "h5py",
    "numpy": "numpy",
    "psutil": "psutil",
    "pydantic": "pydantic",
    "google.protobuf": "protobuf",
    "google_crc32c": "google-crc32c",
}
"""What a reload imports besides reloadgate, and what it is installed as."""

OLDEST = (3, 11)

_QUESTION = """
import importlib.util, json, sys
def lacks(name):
    try:
        return importlib.util.find_spec(name) is None
    except ImportError:
        return True
print(json.dumps([list(sys.version_info[:2]), [name for name in sys.argv[1:] if lacks(name)]]))
"""


@contextmanager
def other_python(python: str, recorded_hash_seeds: Iterable[str], children: int | None) -> Iterator[LocalEngine]:
    """A local engine whose processes run in the environment of another interpreter.

    Raises:
        UsageError: there is no such interpreter, or its environment lacks what a reload needs.
    """
    _refuse_what_lacks(python)
    package = Path(__file__).parents[1]
    with scratch("source") as folder:
        shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
        with LocalEngine(recorded_hash_seeds, children, python=python, variables={"PYTHONPATH": str(folder)}) as engine:
            yield engine


def _refuse_what_lacks(python: str) -> None:
    try:
        asked = subprocess.run([python, "-P", "-c", _QUESTION, *NEEDED], capture_output=True, text=True, check=True)
        version, lacking = json.loads(asked.stdout)
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        said = getattr(error, "stderr", "") or error
        raise UsageError(f"--python {python} is no Python of {'.'.join(map(str, OLDEST))} or later: {one_line(said)}") from None
    if tuple(version) < OLDEST:
        raise UsageError(f"--python {python} is Python {'.'.join(map(str, version))}, and a reload needs {OLDEST[0]}.{OLDEST[1]}")
    if lacking:
        packages = [NEEDED[name] for name in lacking]
        install = f"{python} -m pip install {' '.join(packages)}"
        raise UsageError(f"the environment of {python} lacks {', '.join(packages)}, which a reload needs: {install}")
