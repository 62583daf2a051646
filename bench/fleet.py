"""24 artifacts, all checks, cold, against a fresh interpreter an artifact; and what two children bring against one, started."""

import subprocess
import tempfile
from functools import partial
from pathlib import Path

from bench.measure import by_turns, python, small_versions, tell
from reloadgate.engine import LocalEngine
from reloadgate.policy import policy_from
from reloadgate.project import Subject
from reloadgate.verifying import verify_all

COUNT = 24
SHARE = 6
"""Versions that the loop by hand is timed on: it is linear in their number."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        versions = small_versions(Path(folder), COUNT)
        script = str(Path(__file__).with_name("by_hand.py"))
        subprocess.run(python(script, "save", *map(str, versions)), check=True, stderr=subprocess.DEVNULL)
        subjects = [Subject(name=f"m{n}", path=str(version)) for n, version in enumerate(versions)]

        def ours(engine: LocalEngine | None = None, count: int = COUNT) -> None:
            _, verdict = verify_all(subjects[:count], policy_from({"location": "any"}), engine)
            assert verdict.exit_code == 0, verdict.reason

        def by_hand() -> None:
            for version in versions[:SHARE]:
                subprocess.run(python(script, "check", str(version)), check=True, stderr=subprocess.DEVNULL)

        fleet, hand = by_turns(ours, by_hand, 1)
        hand *= COUNT / SHARE
        tell("24 artifacts / a fresh interpreter each", fleet / hand, "≤ 0.3", f"{fleet:.1f} s / {hand:.1f} s")
        with LocalEngine(children=2) as many, LocalEngine(children=1) as single:
            for engine in (many, single):
                ours(engine, 1)  # waits until TensorFlow is imported
            two, one = by_turns(partial(ours, many), partial(ours, single))
        tell("two children / one (throughput)", one / two, "≥ 1.7", f"{COUNT / two:.2f} / {COUNT / one:.2f} artifacts a second")


if __name__ == "__main__":
    main()
