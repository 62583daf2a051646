"""All damages of one small model, once the engine is warm: what a hundred of them take."""

import resource
import tempfile
from pathlib import Path

from bench.measure import small_versions, tell, timed
from reloadgate.drill.running import drill
from reloadgate.drill.trials import COUNTED, Drill
from reloadgate.engine import EngineSettings, LocalEngine
from reloadgate.policy import policy_from
from reloadgate.project import Subject
from reloadgate.verifying import verify

BAR = 30.0
"""Seconds for a hundred damages, on two cores."""


def main() -> None:
    policy = policy_from({"location": "any"})
    drills: list[Drill] = []
    with tempfile.TemporaryDirectory() as folder, LocalEngine(children=2) as engine:
        version = small_versions(Path(folder), 1)[0]
        subject = Subject(name="small", path=str(version))
        verify(version, policy=policy, engine=engine)
        wall = timed(lambda: drills.append(drill([subject], policy, EngineSettings(), records={}, engine=engine)))
    tried = sum(trial.outcome in COUNTED for trial in drills[0].trials)
    used = resource.getrusage(resource.RUSAGE_SELF)
    own = used.ru_utime + used.ru_stime
    tell(
        "a hundred damages of a small model",
        wall * 100 / tried / BAR,
        f"≤ 1 ({BAR:g} s)",
        f"{wall:.1f} s for {tried}, caller {own:.1f}",
    )


if __name__ == "__main__":
    main()
