"""What a child does before anything of TensorFlow is touched: a session and limits of its own, a log, an empty folder."""

import os
import sys
import traceback
from pathlib import Path
from typing import Any

LOG = "log.txt"


def run(job: dict[str, Any], folder: str) -> None:
    """Run one job in this process, in `folder`, and end the process; the log keeps what a crash printed."""
    if os.name == "posix":
        os.setsid()  # what it starts can be killed with it
        _limit_cpu(job["limits"]["cpu_seconds"])
    log = os.open(Path(job["out"]) / LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(folder)
    try:
        import numpy as np

        from reloadgate.engine.footprint import Steps
        from reloadgate.evidence import Artifact
        from reloadgate.live.fresh import reload_artifact
        from reloadgate.nouns import from_dict

        np.random.seed()  # which a fork would share with its siblings; Python's own generator sees to itself
        version, out, steps = Path(job["version"]), Path(job["out"]), Steps()
        reload_artifact(version, from_dict(Artifact, job["artifact"]), out, Path(folder), again=job["again"])
        steps.write(out, version, out, Path(folder))
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)  # nothing of TensorFlow, nor of the user's, is run down: the evidence is written


def _limit_cpu(seconds: int) -> None:
    """The system sends SIGXCPU, which ends the process, when its threads have used so much together."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    wanted = seconds if hard == resource.RLIM_INFINITY else min(seconds, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (wanted, hard))
