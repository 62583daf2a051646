"""What to do about a row that does not pass: one sentence each, by group and outcome."""

from reloadgate.comparison import Outcome, Row
from reloadgate.evidence import UNSEEDED, Group

UNHELD = "mend what is said of loading and of predictions first: what is loaded once more is held against the first"

_REMEDIES: dict[tuple[Group, Outcome | None], str] = {
    (Group.EVIDENCE, Outcome.UNCHECKED): (
        "save with `reloadgate.save`, or call `reloadgate.record` in the training process, then run `reloadgate reload` again"
    ),
    (Group.EVIDENCE, Outcome.BROKEN): (
        "this is a fault of reloadgate, not of the model: please report it; the other models were judged all the same"
    ),
    (Group.EVIDENCE, None): (
        "somebody changed the evidence: take the version back (`git checkout dvc.lock && dvc checkout --force`), or train again"
    ),
    (Group.INSPECT, None): "the file is damaged: take it back (`dvc checkout --force`, `dvc pull`), or train again",
    (Group.INTEGRITY, None): (
        "take back the bytes that were saved: `git checkout dvc.lock && dvc checkout --force`; "
        "if they were meant to change, save them as another version"
    ),
    (Group.LOCATION, Outcome.MISSING): "send it to the remote with `dvc push`, and run this again",
    (
        Group.LOCATION,
        Outcome.CHANGED,
    ): "let DVC track what lies there (`dvc commit`), or take back what it tracks (`dvc checkout --force`)",
    (Group.LOCATION, Outcome.UNCHECKED): (
        "let a stage declare the version under `outs`, give the project a remote (`dvc remote add -d`) and see that it answers"
    ),
    (Group.LOCATION, None): "save below the project, as models/<name>/<version>, on a disk that stays",
    (Group.CONTAINMENT, None): (
        "reload on Linux, on x86-64 or ARM, where the system takes filters of system calls; or set `containment: noted`"
    ),
    (Group.INSPECT, Outcome.SKIPPED): "have your loader read formats that run nothing, or set `own_loader: noted`",
    (Group.LOAD, None): (
        "register custom classes with `@keras.saving.register_keras_serializable` and name their module under `imports`, "
        "and the folder that it lies in under `code_path`; a loader must need nothing of the training process"
    ),
    (Group.STRUCTURE, None): "give the class a `get_config` that returns every argument of its constructor",
    (
        Group.WEIGHTS,
        Outcome.SWAPPED,
    ): "hold the layers under names or in an order that does not depend on how they are made",
    (
        Group.WEIGHTS,
        Outcome.MISSING,
    ): "create the variable with `self.add_weight`, in a layer that the model holds as an attribute",
    (Group.WEIGHTS, None): (
        "the file holds other weights: save after the last `fit`, into a version of its own; the state of a stateful RNN is in "
        "no file of Keras: call its `reset_state` before you save"
    ),
    (Group.ASSETS, None): "save the whole model as `.keras`: weights alone do not carry vocabularies and statistics",
    (Group.COMPILE, None): ("save the compiled model as `.keras`; give custom losses, metrics and schedules a full `get_config`"),
    (Group.OPTIMIZER, None): (
        "save the compiled model with its built optimizer as `.keras`; without its state training starts its moments anew"
    ),
    (Group.RANDOM_STATE, None): (
        "Keras stores no seed generator: keep the version's evidence and the policy `random_state: version`"
    ),
    (
        Group.PREDICTIONS,
        Outcome.UNCHECKED,
    ): "give `save` a probe that the model can be called on: batch size, dtypes and structure as it is trained with",
    (Group.PREDICTIONS, None): (
        "look at the rows of weights, assets and structure first; where they are the same, `call` depends on something "
        "that `get_config` does not return"
    ),
    (Group.DETERMINISM, None): "give every random operation a seed, or keep it out of inference",
    (Group.RELOCATION, Outcome.UNCHECKED): UNHELD,
    (Group.RELOCATION, None): "the model reads something beside its artifact by path: save it with the model",
    (Group.AGREEMENT, Outcome.BROKEN): (
        "save in a format that can do what the policy requires (`.keras` resumes), or set `requires` to infer"
    ),
    (Group.AGREEMENT, None): "one of the artifacts is of another moment: save all formats of a version at once",
    (Group.ROUND_TRIP, Outcome.UNCHECKED): UNHELD,
    (Group.ROUND_TRIP, None): "the reloaded model does not survive being saved: look at custom classes' `get_config`",
    (
        Group.RESUME,
        Outcome.UNCHECKED,
    ): (
        "give `save` a compiled model, a probe with targets on which it can train, and one step or more; of a model that is only "
        "to infer, let the policy say so (`requires: {version: infer}`)"
    ),
    (Group.EXPECTATIONS, Outcome.UNCHECKED): "mend the suite: it must name columns and rows that there are",
    (Group.EXPECTATIONS, None): "the policy holds, and a suite of your own does not: mend the model, or change what it expects",
    (Group.RESUME, None): (
        "look at the rows of optimizer and compile first; where they are the same, a loss, schedule or layer keeps state "
        "that is not saved"
    ),
}


UNSEEDED_REMEDY = "use keras.random with a SeedGenerator in the place of tf.random: its state is kept, and put back"

UNLOOKED = "mend what is named first: nothing of this was looked at before that"


def unlooked(row: Row) -> bool:
    """Whether the row stands for a whole group of which nothing was looked at."""
    return row.outcome is Outcome.UNCHECKED and not row.subject


def remedy(row: Row) -> str:
    """How to mend what the row found."""
    if unlooked(row) and row.group is not Group.EVIDENCE:
        return UNLOOKED
    if UNSEEDED in row.detail:
        return UNSEEDED_REMEDY
    return (
        _REMEDIES.get((row.group, row.outcome))
        or _REMEDIES.get((row.group, None))
        or _REMEDIES[Group.EVIDENCE, Outcome.UNCHECKED]
    )
