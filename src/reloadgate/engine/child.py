"""What a child does before anything of TensorFlow is touched: a session of its own, containment, a log, an empty folder."""

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
    log = os.open(Path(job["out"]) / LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        from reloadgate.engine.containment import contain

        uncontained = contain(job["limits"]["cpu_seconds"])
        home = Path(folder) / "home"
        home.mkdir()
        os.chdir(home)
        os.environ["HOME"] = str(home)

        import numpy as np

        from reloadgate.engine.footprint import Steps
        from reloadgate.evidence import Artifact, Depth
        from reloadgate.inspection import Limits
        from reloadgate.live.fresh import reload_artifact
        from reloadgate.nouns import from_dict

        np.random.seed()  # which a fork would share with its siblings; Python's own generator sees to itself
        version, out, steps = Path(job["version"]), Path(job["out"]), Steps()
        artifact, depth = from_dict(Artifact, job["artifact"]), Depth(job["depth"])
        limits = from_dict(Limits, job["inspecting"])
        reload_artifact(
            version,
            artifact,
            out,
            Path(folder),
            uncontained=uncontained,
            limits=limits,
            strict=job["strict"],
            depth=depth,
            opened=steps.opened,
        )
        steps.write(out, version, out, Path(folder))
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)  # nothing of TensorFlow, nor of the user's, is run down: the evidence is written
