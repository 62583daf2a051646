"""What a child does before anything of TensorFlow is touched: its output goes to a log, its folder is empty."""

import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

LOG = "log.txt"


def run(job: dict[str, Any]) -> None:
    """Run one job in this process and end it; the log keeps what a crash printed."""
    log = os.open(Path(job["out"]) / LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    with tempfile.TemporaryDirectory(prefix="reloadgate-child-") as folder:
        os.chdir(folder)
        try:
            from reloadgate.evidence import Artifact
            from reloadgate.live.fresh import reload_artifact
            from reloadgate.nouns import from_dict

            artifact = from_dict(Artifact, job["artifact"])
            reload_artifact(Path(job["version"]), artifact, Path(job["out"]), Path(folder))
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        finally:
            os.chdir("/")
