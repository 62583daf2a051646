"""Kill `save`, `reload` and `judge` at random moments, for real, and look at what is left: `make kills`.

    python tools/kills.py [KILLS] [SEED]

After every kill: a model version is whole or absent, no verdict of before stands for the bytes that lie there now, the next run
succeeds, and nothing is left in the making, beside the versions nor in the temporary directory. It prints a line a kind of kill,
and ends with 1 where something did not hold.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil

NAME, VERSION = "tiny", "1.0.0"
PARAMS = f"models:\n  {NAME}: {{version: {VERSION}}}\npolicy:\n  location: any\n"


def save(seed: int = 1) -> None:
    """What is killed: train and save. TensorFlow was imported before the fork, and has run nothing."""
    import keras
    import numpy as np

    import reloadgate

    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
    reloadgate.save(model, f"models/{NAME}/{VERSION}", probe=(x, x[:, :1]), steps=1, location="any", records="reports/versions")


def in_fork(action: Callable[[], None]) -> Callable[[], int]:
    def start() -> int:
        sys.stdout.flush()
        if pid := os.fork():
            return pid
        try:
            for number in (1, 2):
                os.dup2(os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
            action()
        except BaseException as error:
            os.write(2, repr(error).encode())
            os._exit(1)
        os._exit(0)

    return start


def command(verb: str) -> Callable[[], int]:
    def start() -> int:
        with Path("said.txt").open("ab") as said:
            return subprocess.Popen([sys.executable, "-m", "reloadgate", verb], stdout=said, stderr=said).pid

    return start


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed(start: Callable[[], int], after: float, everything: bool) -> bool:
    """Start, wait, kill the process alone or all that it has started too; whether it still ran."""
    pid = start()
    time.sleep(after)
    victims = [psutil.Process(pid)]
    with contextlib.suppress(psutil.Error):
        victims += victims[0].children(recursive=True) if everything else []
    for victim in victims:
        with contextlib.suppress(psutil.Error):
            victim.send_signal(signal.SIGKILL)
    return ended(pid) == -signal.SIGKILL


def whole() -> bool:
    from reloadgate.evidence import EVIDENCE_DIR, SavedEvidence, read_sealed
    from reloadgate.restoring import refuse_altered

    version = Path(f"models/{NAME}/{VERSION}")
    if not version.exists():
        return False
    refuse_altered(version.absolute(), read_sealed(SavedEvidence, version / EVIDENCE_DIR))
    return True


def left() -> list[str]:
    """What is still in the making; children of a supervisor whose caller was killed may take a moment to go."""
    for _ in range(100):
        found = [str(path) for path in Path().rglob(".reloadgate-*")]
        if not found:
            break
        time.sleep(0.1)
    return found


def status() -> str:
    verdict = Path("reports/verdict.json")
    return json.loads(verdict.read_bytes())["status"] if verdict.exists() else "none"


def run(verb: str) -> None:
    code = ended(command(verb)())
    assert code == 0, f"{verb} ended with {code}: {Path('said.txt').read_text(errors='replace')[-2000:]}"


def after_save() -> str:
    found = "the version was whole" if whole() else "there was none"
    shutil.rmtree(f"models/{NAME}", ignore_errors=True)  # as DVC does before it trains again
    assert ended(in_fork(save)()) == 0, Path("said.txt").read_text(errors="replace")[-2000:]
    assert whole()
    return f"{found}, and the next save made one"


def after_reload() -> str:
    before = status()
    assert ended(command("gate")()) != 0, "the gate let bytes pass that nobody reloaded"
    for verb in ("reload", "compare", "judge", "gate"):
        run(verb)
    return f"the verdict said {before}, and the gate refused; the next run passed"


def after_judge() -> str:
    before = status()
    for verb in ("judge", "gate"):
        run(verb)
    return f"the verdict said {before}; the next run passed"


def make_two() -> None:
    """Two versions under one name, to put one in the other's place."""
    for number in (0, 1):
        shutil.rmtree(f"models/{NAME}", ignore_errors=True)
        assert ended(in_fork(lambda seed=number: save(seed))()) == 0, Path("said.txt").read_text(errors="replace")[-2000:]  # type: ignore[misc]
        shutil.copytree(f"models/{NAME}/{VERSION}", f"kept/{number}/version")
        shutil.copy(f"reports/versions/{NAME}.json", f"kept/{number}/record.json")


def put(number: int) -> None:
    shutil.rmtree(f"models/{NAME}")
    shutil.copytree(f"kept/{number}/version", f"models/{NAME}/{VERSION}")
    shutil.copy(f"kept/{number}/record.json", f"reports/versions/{NAME}.json")


def main(count: int, seed: int) -> int:
    chance, wrong = random.Random(seed), 0
    place = Path(tempfile.mkdtemp(prefix="kills-"))
    os.chdir(place)
    os.environ["TMPDIR"] = str(place / "tmp")
    tempfile.tempdir = None
    for folder in ("tmp", ".git"):
        Path(folder).mkdir()
    Path("params.yaml").write_text(PARAMS)
    import keras  # noqa: F401

    import reloadgate.live.observe  # noqa: F401

    shares = {"save": count // 2, "reload": count // 10, "judge": count - count // 2 - count // 10}
    starts = {"save": in_fork(save), "reload": command("reload"), "judge": command("judge")}
    checks = {"save": after_save, "reload": after_reload, "judge": after_judge}
    for verb, number in shares.items():
        if verb == "reload":
            make_two()
        began = time.monotonic()
        assert ended(starts[verb]()) == 0, Path("said.txt").read_text(errors="replace")[-2000:]
        lasts = time.monotonic() - began
        if verb == "reload":
            for step in ("compare", "judge", "gate"):
                run(step)
        seen: Counter[str] = Counter()
        for time_ in range(number):
            if verb == "save":
                shutil.rmtree(f"models/{NAME}", ignore_errors=True)
            if verb == "reload":
                put(time_ % 2)
            ran = killed(starts[verb], chance.uniform(0, lasts), everything=verb == "reload" and chance.random() < 0.5)
            try:
                seen["killed" if ran else "had ended before"] += 1
                seen[checks[verb]()] += 1
                assert not (found := left()), f"left behind: {found}"
            except Exception as error:
                wrong += 1
                print(f"{verb}: WRONG: {error!r}", flush=True)
        print(f"{verb}: {number} times within {lasts:.1f} s: " + "; ".join(f"{n} {what}" for what, n in seen.items()), flush=True)
    shutil.rmtree(place, ignore_errors=True)
    print(f"{count} in all, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*(int(one) for one in (sys.argv[1:] + ["200", "1"][len(sys.argv) - 1 :]))))
