"""A document followed as a reader would: its `console` blocks are run, its `diff` blocks applied, in their order."""

import os
import re
import subprocess
import sys
from pathlib import Path

BLOCK = re.compile(r"^```(console|diff)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
WHO = {f"GIT_{role}_{what}": "a@b.c" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def follow(document: Path, folder: Path) -> int:
    """Do in a folder what a document says.

    The lines that it shows below a command must be in what the command says, in their order. A command ends with 0, unless the
    document shows below it that it does not: FAIL, or what to do instead.

    Returns:
        How many commands were run.
    """
    ran = 0
    for kind, text in BLOCK.findall(document.read_text(encoding="utf-8")):
        if kind == "diff":
            # An empty line of context has lost its blank to the editor.
            patch = "".join(f"{line or ' '}\n" for line in text.splitlines())
            subprocess.run(["git", "apply", "-"], cwd=folder, input=patch, text=True, check=True)
            continue
        for command, *shown in (part.splitlines() for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]):
            done = run(command, folder)
            said = done.stdout + done.stderr
            lines = iter([" ".join(line.split()) for line in said.splitlines()])
            for line in shown:
                wanted = " ".join(line.split())
                assert any(wanted in one for one in lines), f"{document}: `{command}` does not say {line!r}:\n{said[-3000:]}"
            refused = any(re.search(r"FAIL|UNVERIFIED|REFUSED|another version", line) for line in shown)
            assert (done.returncode != 0) is refused, f"{document}: `{command}` ended with {done.returncode}:\n{said[-3000:]}"
            ran += 1
    return ran


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command with this environment's programs on PATH, as after `pip install reloadgate`."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    left_out = ("MAKEFLAGS", "MAKELEVEL", "PYTEST_CURRENT_TEST")
    environment = {key: value for key, value in os.environ.items() if key not in left_out}
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env={**environment, **WHO, "PATH": path, "DVC_NO_ANALYTICS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
