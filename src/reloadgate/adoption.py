"""`init`: what reloadgate needs in a repository that exists, put beside what is there; and taken out again.

Nothing is written here before `apply`: a plan is the text of every file before and after, so that the difference is shown first.
"""

import difflib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reloadgate import insertion
from reloadgate.adoption_texts import DVCIGNORE, GITHUB, GITIGNORE, GITIGNORE_OF_DVC, GITLAB, MAKE, PARAMS, POLICY, STAGES
from reloadgate.engine.jobs import EngineSettings
from reloadgate.errors import UsageError
from reloadgate.files import write_atomically
from reloadgate.inspection import Limits
from reloadgate.nouns import noun
from reloadgate.pipelines import Files, demand_disjoint, filled, items_of, pipelines, resolved, values_of
from reloadgate.policy import policy_from
from reloadgate.project import section
from reloadgate.settings import strictly

LOCKS = ("requirements.lock", "uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "requirements.txt")
WORKFLOW = Path(".github/workflows/reloadgate.yml")
FIRST = "1.0.0"
"""The version that a model begins with."""


@noun
class Plan:
    """What files hold before and after; None where there is no such file."""

    changes: dict[str, tuple[str | None, str | None]]
    models: tuple[str, ...]
    stage: str
    """The stage that trains, as DVC calls it; "" where none was found."""
    up: str
    """The way from the folder in which it runs to the root; "" where it runs there."""
    by_hand: str
    """What could not be written and why; "" where all could."""
    uses_dvc: bool

    def difference(self) -> str:
        """A unified diff of everything."""
        parts = []
        for path, (before, after) in sorted(self.changes.items()):
            old, new = ((text or "").splitlines(keepends=True) for text in (before, after))
            names = ("/dev/null" if before is None else f"a/{path}", "/dev/null" if after is None else f"b/{path}")
            parts += [line if line.endswith("\n") else f"{line}\n" for line in difflib.unified_diff(old, new, *names)]
        return "".join(parts)

    def apply(self, root: Path) -> None:
        for path, (_, after) in self.changes.items():
            file = (root / path).resolve()  # what is renamed into the place of a link would end it
            if after is None:
                file.unlink()
            else:
                write_atomically(file, after.encode())


def adopt(root: Path, name: str | None = None, stage: str | None = None) -> Plan:
    """What to add to the repository at `root`.

    Args:
        name: what the model is called, where one stage trains one model; default: the folder's name.
        stage: the stage that trains; default: the only one whose name says `train`.

    Raises:
        UsageError: there is neither a DVC pipeline nor a Makefile, or a file cannot be added to.
    """
    uses_dvc = (root / ".dvc").is_dir() or bool(pipelines(root))
    if not uses_dvc and not (root / "Makefile").is_file():
        raise UsageError(
            f"{root} has neither a DVC pipeline nor a Makefile: begin with `git init && dvc init`, or write a Makefile"
        )
    files = Files(root)
    params = files.parsed("params.yaml")
    _demand_settings(params)
    known = params.get("models") if isinstance(params.get("models"), dict) else {}
    names: tuple[str, ...] = (name or next(map(str, known), _plain(root.resolve().name)),)
    found, up, by_hand = "", "", ""
    if uses_dvc:
        names, found, up, by_hand = _stages(files, root, params, names[0], stage)
    files.edit("params.yaml", lambda text: _params(text, params, names))
    if (root / "Makefile").is_file():
        files.edit("Makefile", _make)
    if (root / ".git").exists():
        files.edit(".gitignore", lambda text: _lines(text, _ignored(names) if uses_dvc else GITIGNORE))
    if uses_dvc:
        files.edit(".dvcignore", lambda text: _lines(text, DVCIGNORE))
        demand_disjoint(files, root)
    _ci(files, root, uses_dvc)
    return Plan(changes=files.changes(), models=names, stage=found, up=up, by_hand=by_hand, uses_dvc=uses_dvc)


def next_step(plan: Plan) -> str:
    """The lines for the training script, what is left to do by hand, and what to run then."""
    name = plan.models[0]
    path, records = f"{plan.up}models/{name}/{FIRST}", f"{plan.up}reports/versions"
    lines = [
        "",
        "Into the training script, after the last `fit` (the version is that of params.yaml):",
        "",
        "    import reloadgate",
    ]
    lines += [f'    reloadgate.save(model, "{path}", probe=(x_held_out, y_held_out), records="{records}")']
    lines += ["", "or, where your own code has saved it there and loads it:", ""]
    lines += [f'    reloadgate.record(model, "{path}", probe=(x_held_out, y_held_out), loader="package.module:load",']
    lines += [f'                      records="{records}")']
    if plan.by_hand:
        lines += ["", plan.by_hand]
    elif plan.uses_dvc and not plan.stage:
        lines += [
            "",
            "No stage that trains was found. Where one does (or name it with --stage), let it list under `outs`:",
            *(f"  - {output}" for output in _outputs("", name, FIRST)),
        ]
    return "\n".join([*lines, "", f"Then: {'dvc repro' if plan.uses_dvc else 'train, and `reloadgate verify`'}"])


def _outputs(up: str, placeholder: str, version: str) -> list[str]:
    return [f"{up}models/{placeholder}/{version}", f"{up}reports/versions/{placeholder}.json: {{cache: false}}"]


def undo(root: Path) -> Plan:
    """What takes out again all that `adopt` put in, wherever it stands."""
    files = Files(root)
    candidates = [*pipelines(root), "params.yaml", "Makefile", ".gitignore", ".dvcignore", ".gitlab-ci.yml", WORKFLOW.as_posix()]
    for path in candidates:
        if (root / path).is_file():
            files.edit(path, insertion.taken_out)
    return Plan(changes=files.changes(), models=(), stage="", up="", by_hand="", uses_dvc=False)


# DVC


def _stages(files: Files, root: Path, params: Any, name: str, wanted: str | None) -> tuple[tuple[str, ...], str, str, str]:
    """Add the stages that verify, and the outputs of the one that trains; the models, that stage, the way from where it
    runs to the root, what is left to do."""
    lock = next((one for one in LOCKS if (root / one).is_file()), None)
    stages = {key: text.replace("      - LOCK\n", f"      - {lock}\n" if lock else "") for key, text in STAGES.items()}
    # What a reload goes by, where it is there: DVC runs no stage whose parameter is missing.
    own_loader = "policy" not in params or "own_loader" in section(params, "policy")
    tracked = ", ".join(["policy.own_loader"] * own_loader + ["inspect"] * ("inspect" in params))
    stages["reload"] = stages["reload"].replace("    params: [TRACKED]\n", f"    params: [{tracked}]\n" if tracked else "")
    trainers = list(_trainers(files, root, wanted))
    if wanted and not trainers:
        raise UsageError(f"no dvc.yaml has a stage {wanted!r}")
    names: tuple[str, ...] = (name,)
    found, up, by_hand = "", "", ""
    files.edit("dvc.yaml", lambda text: _missing_stages(text, stages))
    if len(trainers) == 1:
        ((path, stage),) = trainers
        found = stage if path == "dvc.yaml" else f"{path}:{stage}"
        names, up, by_hand = _add_outputs(files, root, path, stage, name)
    files.edit("dvc.yaml", lambda text: _missing_artifacts(text, names))
    return names, found, up, by_hand


def _missing_stages(text: str, stages: dict[str, str]) -> str:
    known = insertion.parse(text, "dvc.yaml").get("stages") or {}
    commands = {key: _command(known[key]) for key in stages if key in known}
    block = "".join(body for key, body in stages.items() if not _there("dvc.yaml", "stage", key, commands))
    plain = re.sub(r"^  ", "", block, flags=re.MULTILINE)
    return insertion.add_to_mapping(text, "dvc.yaml", "stages", plain) if block else text


def _command(stage: Any) -> str:
    """What a stage runs, a command a line."""
    command = stage.get("do", stage).get("cmd", "")
    return "\n".join(map(str, command)) if isinstance(command, list) else str(command)


def _missing_artifacts(text: str, names: tuple[str, ...]) -> str:
    """What `dvc artifacts get` fetches a model by, and GTO tags."""
    known = insertion.parse(text, "dvc.yaml").get("artifacts") or {}
    block = "".join(
        f'{name}: {{path: "models/{name}/${{models.{name}.version}}", type: model}}\n'
        for name in names
        if name not in known and re.fullmatch(r"[\w-]+", name)
    )
    return insertion.add_to_mapping(text, "dvc.yaml", "artifacts", block) if block else text


def _trainers(files: Files, root: Path, wanted: str | None) -> Iterator[tuple[str, str]]:
    for path in pipelines(root):
        for stage in files.parsed(path).get("stages") or {}:
            if stage == wanted or (wanted is None and re.search(r"(^|[_-])train", str(stage))):
                yield path, str(stage)


def _add_outputs(files: Files, root: Path, path: str, stage: str, name: str) -> tuple[tuple[str, ...], str, str]:
    """Let the stage that trains declare the version and its record; the names of its models, the way to the root from where
    it runs, and what is left to do."""
    definition, values = files.parsed(path)["stages"][stage], values_of(files, path)
    names, placeholder, version = _models_of(definition, values, name, path)
    where = ("stages", stage, "do") if "foreach" in definition else ("stages", stage)
    body = definition.get("do", definition)
    folder = filled(body.get("wdir", "."), values)
    if "${" in folder:
        raise UsageError(f"{path}: the folder of its training stage cannot be told; write its `wdir` without {folder}")
    up = os.path.relpath(root.resolve(), root.resolve() / Path(path).parent / folder) + "/"
    up = "" if up == "./" else up
    outputs = _outputs(up, placeholder, version)
    there = [next(iter(one)) if isinstance(one, dict) else str(one) for one in body.get("outs") or ()]
    new = [item for item in outputs if item.removesuffix(": {cache: false}") not in there]
    try:
        files.edit(path, lambda text: insertion.add_items(text, path, where, {"outs": new} if new else {}))
    except UsageError as error:
        return names, up, str(error)
    return names, up, ""


def _models_of(definition: Any, values: Any, name: str, path: str) -> tuple[tuple[str, ...], str, str]:
    """The models that a stage trains, how its outputs name one, and its version."""
    placeholder, version = name, FIRST
    if "foreach" in definition:
        placeholder = "${key}" if isinstance(resolved(definition["foreach"], values), dict) else "${item}"
    elif "matrix" in definition:
        placeholder = "-".join(f"${{item.{axis}}}" for axis in definition["matrix"])
    elif path == "dvc.yaml" and _plain(name) == name:  # a dot would lead further down
        version = f"${{models.{name}.version}}"
    each = list(items_of(definition, values))
    names = tuple(filled(placeholder, one) for one in each)
    if not names or any("${" in one for one in names):
        raise UsageError(
            f"{path}: the models of its training stage cannot be told; give it a `foreach` over names, or a `matrix` of them, "
            "that stand there, in the params.yaml beside it, or in a YAML file under its `vars`"
        )
    if placeholder == "${key}" and all(filled("${item.version}", one) != "${item.version}" for one in each):
        version = "${item.version}"
    return names, placeholder, version


# The other files


def _demand_settings(params: Any) -> None:
    """
    Raises:
        UsageError: a section that reloadgate reads is not one that it can read.
    """
    try:
        policy_from(section(params, "policy"))
        strictly(EngineSettings, section(params, "engine"), "engine")
        strictly(Limits, section(params, "inspect"), "inspect")
    except UsageError as error:
        raise UsageError(
            f"{error}. reloadgate reads `policy`, `engine` and `inspect` of params.yaml: mend it there, or rename the section "
            "where it belongs to something else"
        ) from None


def _params(text: str, params: Any, names: tuple[str, ...]) -> str:
    models = params.get("models")
    if models is not None and not isinstance(models, dict):
        raise UsageError("params.yaml has a section `models` that does not map names to settings: rename it, reloadgate needs it")
    for name in names:
        if not re.fullmatch(r"\w[\w.-]*", name) or name not in insertion.parse(f"{name}:", "params.yaml"):
            raise UsageError(
                f"{name!r} cannot be the name of a model, because files and keys of YAML are called by it: take letters, digits, "
                "`_`, `-` and `.`, and no number alone, with `--model` or where the training stage names its models"
            )
    missing = [name for name in names if name not in (models or {})]
    for name, settings in (models or {}).items():
        if not isinstance(settings, dict) or "version" not in settings:
            raise UsageError(f"params.yaml: models.{name} has no version; write `{name}: {{version: {FIRST}}}`")
    lines = "".join(f"{name}: {{version: {FIRST}}}\n" for name in missing)
    if models and missing:
        text = insertion.add_to_mapping(text, "params.yaml", "models", lines)
    block = PARAMS + "".join(f"  {line}\n" for line in lines.splitlines()) if missing and not models else ""
    block += "" if "policy" in params else POLICY
    return insertion.checked(text, insertion.append(text, block), "params.yaml") if block else text


def _make(text: str) -> str:
    known = insertion.rules(text)
    missing = [rule for target, rule in MAKE.items() if not _there("Makefile", "target", target, known)]
    return insertion.append(text, "".join(missing)) if missing else text


def _there(path: str, kind: str, verb: str, known: dict[str, str]) -> bool:
    """Whether a file has the stage or target of that name, and it runs that command of reloadgate.

    Raises:
        UsageError: it has one of that name, which does something else.
    """
    if verb in known and not re.search(rf"\breloadgate\s+{verb}(?![\w-])", known[verb]):
        raise UsageError(
            f"{path} has a {kind} `{verb}` of its own, which does not run `reloadgate {verb}`, and init needs that name: "
            "give yours another, and call this again"
        )
    return verb in known


def _ignored(names: tuple[str, ...]) -> list[str]:
    """What DVC tracks and what its stages make again. Static: DVC takes its own entries back when a later stage fails."""
    return [*GITIGNORE_OF_DVC, *GITIGNORE, *(f"/models/{name}" for name in names)]


def _lines(text: str, wanted: list[str]) -> str:
    there = {line.strip() for line in text.splitlines()}
    missing = [line for line in wanted if line not in there]
    return insertion.append(text, "\n".join(missing)) if missing else text


def _ci(files: Files, root: Path, uses_dvc: bool) -> None:
    """A workflow for the service whose files are there; none where there are none."""
    # What the project pins may not name reloadgate; a reload needs TensorFlow, the gate of a pipeline does not.
    needed = "reloadgate[dvc]" if uses_dvc else "reloadgate[tensorflow]"
    if (root / "requirements.txt").is_file():
        install = f'pip install -r requirements.txt "{needed}"'
    elif (root / "pyproject.toml").is_file() or (root / "setup.py").is_file():
        install = f'pip install . "{needed}"'
    else:
        install = f'pip install "{needed}"  # and what the project needs: no file here names it'
    run, report = (
        ("dvc pull && dvc repro --pull --allow-missing gate", "reports") if uses_dvc else ("make verify", "reports/verify")
    )
    fill = {"INSTALL": install, "RUN": run, "REPORT": report}

    def completed(template: str) -> str:
        return re.sub("INSTALL|RUN|REPORT", lambda found: fill[found[0]], template)

    if (root / ".github").is_dir():
        files.edit(WORKFLOW.as_posix(), lambda text: text or insertion.append("", completed(GITHUB)))
    if (root / ".gitlab-ci.yml").is_file():
        files.edit(
            ".gitlab-ci.yml",
            lambda text: text if re.search(r"^reloadgate:", text, re.MULTILINE) else insertion.append(text, completed(GITLAB)),
        )


def _plain(name: str) -> str:
    return re.sub(r"[^\w-]+", "-", name).strip("-") or "model"
