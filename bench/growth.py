"""500 versions against 50: proportional growth, and flat memory in the parent."""

import shutil
import tempfile
from pathlib import Path

import psutil

from bench.measure import small_versions, tell, timed
from reloadgate.engine import LocalEngine
from reloadgate.policy import policy_from
from reloadgate.project import Subject
from reloadgate.verifying import verify_all

FEW, MANY = 50, 500


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, LocalEngine() as engine:
        (version,) = small_versions(Path(folder), 1)
        subjects = []
        for number in range(MANY):
            copy = shutil.copytree(version, Path(folder) / f"copy{number}/1")
            subjects.append(Subject(name=f"m{number}", path=str(copy)))
        policy, parent = policy_from({"location": "any"}), psutil.Process()
        verify_all(subjects[:2], policy, engine)
        few = timed(lambda: verify_all(subjects[:FEW], policy, engine))
        before = parent.memory_info().rss
        many = timed(lambda: verify_all(subjects, policy, engine))
        grown = (parent.memory_info().rss - before) >> 20
        tell(
            f"{MANY} versions / {FEW}, of linear",
            many / few * FEW / MANY,
            "≤ 1.05",
            f"{many:.0f} s / {few:.0f} s; +{grown:.0f} MiB",
        )


if __name__ == "__main__":
    main()
