"""What to do about a row that does not pass: one sentence each, by what the row tells of its cause, else by group and outcome."""

import re

from reloadgate.comparison import Outcome, Row
from reloadgate.evidence import UNSEEDED, Group
from reloadgate.formats import own

UNHELD = "mend what is said of loading and of predictions first: what is loaded once more is held against the first"

LAMBDA_REMEDY = (
    "write the lambda as a function that is registered with `@keras.saving.register_keras_serializable`: Keras loads no lambda "
    "from a file, and of one that it is made to load none of what it takes from around it"
)
REGISTER = (
    "where a class or function is not found, register it with `@keras.saving.register_keras_serializable`, name its module under "
    "`imports` and the folder of that under `code_path`"
)
ASSETS_REMEDY = "save the whole model as `.keras`: weights alone do not carry vocabularies and statistics"
TAKE_BACK = "take the version back from where you keep it (with DVC: `git checkout dvc.lock && dvc checkout --force`)"
BASE_CONFIG = (
    "begin `get_config` with `super().get_config()`, which returns the name, `dtype`, `trainable` and what else is the base's"
)

_REMEDIES: dict[tuple[Group, Outcome | None], str] = {
    (Group.EVIDENCE, Outcome.UNCHECKED): (
        "save with `reloadgate.save`, or call `reloadgate.record` in the training process, then run `reloadgate reload` again"
    ),
    (Group.EVIDENCE, Outcome.BROKEN): (
        "this is a fault of reloadgate, not of the model: please report it; the other models were judged all the same"
    ),
    (Group.EVIDENCE, None): f"somebody changed the evidence: {TAKE_BACK}, or train again",
    (Group.INSPECT, None): f"the file is damaged: {TAKE_BACK}, or train again",
    (Group.INTEGRITY, None): f"{TAKE_BACK}; if its bytes were meant to change, save them as another version",
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
        f"{REGISTER}; a loader must need nothing of the training process, and know its files by name: the version's `evidence/` "
        "lies beside them"
    ),
    (Group.STRUCTURE, None): (
        "give the class a `get_config` that returns every argument of its constructor; a builder or loader of your own gives the "
        "same ones"
    ),
    (
        Group.WEIGHTS,
        Outcome.EXTRA,
    ): "load into the architecture that was saved: the reloaded model, or the file, has a variable that the saved model had not",
    (
        Group.WEIGHTS,
        Outcome.SWAPPED,
    ): "hold the layers under names or in an order that does not depend on how they are made",
    (
        Group.WEIGHTS,
        Outcome.MISSING,
    ): "create the variable with `self.add_weight`, in a layer that the model holds as an attribute",
    (Group.WEIGHTS, None): (
        "the file holds other weights, or the loader restored none of them: save after the last `fit`, into a version of its "
        "own, and let a loader assert that it restored all. A TensorFlow checkpoint holds nothing that lies in a list or dict"
    ),
    (Group.ASSETS, None): ASSETS_REMEDY,
    (Group.COMPILE, None): ("save the compiled model as `.keras`; give custom losses, metrics and schedules a full `get_config`"),
    (Group.OPTIMIZER, None): (
        "save the compiled model with its built optimizer as `.keras`; without its state training starts its moments anew"
    ),
    (Group.OPTIMIZER, Outcome.DIFFERS): (
        "the file holds the optimizer of another moment, or the loader restored nothing of it: save the compiled model as "
        "`.keras`, after the last `fit`, into a version of its own"
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
    (Group.RELOCATION, None): (
        "something of the model is not in its artifact: where the rows of structure and weights name nothing, it reads a file by "
        "path, which is to be saved with the model, or draws something at random when it is made"
    ),
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
        "look at the rows of weights, optimizer and compile first; where they are the same, a loss, schedule or layer keeps "
        "state that is not saved"
    ),
}


UNSEEDED_REMEDY = "use keras.random with a SeedGenerator in its place: the state of that is kept, and put back"

BUILD = (
    "make the variables where loading finds them: build the layers in the model's own `build`, or call the model once before its "
    "weights are read. Keras fills what is built, and says nothing of the rest"
)

_CAUSES: dict[Group, tuple[tuple[str, str], ...]] = {
    Group.INSPECT: (
        (
            r"\[(undeclared-class|lambda|pickle|graph-operation|nonfinite|missing-optimizer|symlink|too-\w+)\]",
            "the file is whole, and holds what is not loaded unasked: do what the row says of it, and save the version again; "
            "where the file is not yours, load it nowhere",
        ),
    ),
    Group.INTEGRITY: (("changed while the loader ran", "let the loader unpack and write into a temporary folder of its own"),),
    Group.LOAD: (
        (
            "looking at it broke",
            "this is no fault of the model: do what the message says, or report it to reloadgate with the model's code",
        ),
        (
            "^the reloading process broke|^it ended the process",
            "your modules, builder and loader may end no process (`sys.exit`, `os._exit`), and take no more time and memory than "
            "`engine.limits` in params.yaml allows",
        ),
        ("Python lambda", LAMBDA_REMEDY),
        (
            "File not found|No such file|FileNotFoundError",
            f"a file is not there, or is cut: {TAKE_BACK}; a loader must open what lies below the directory that it is given",
        ),
        (
            "Skipping variable loading for optimizer",
            "have the optimizer built on the same variables on both sides: build it before `load_weights`, `compile` again where "
            "`trainable` changed, and give `compile` a `LossScaleOptimizer` where the policy is mixed_float16",
        ),
        (
            "variables, but received|could not be loaded|of the target variable|incompatible tensor with shape",
            "the file holds other variables than the model that reads it. Of `*.weights.h5`: build the same model before its "
            "weights are loaded, or save the whole as `.keras`. Of `.keras`: a layer that lies in a model within the model and "
            "outside of that comes back as two, and what was changed in a layer once it was made comes back as it was made: use "
            "a layer at one level, and give its constructor what it is to be",
        ),
        ("__tensor__|__numpy__", "let `get_config` return plain numbers and lists, and make the tensor in the constructor"),
        (
            "Unrecognized keyword arguments|could not be deserialized properly",
            "let the constructor take what `get_config` returns, and hand what it does not know to the base (`**kwargs`)",
        ),
        (r"is used \d+ times", f"{BASE_CONFIG}: one name for all is none"),
        (
            "is not a KerasSaveable subclass",
            "`.h5` reads no loss or metric that `compile` was given by name: save as `.keras`, or give `compile` the objects",
        ),
        (
            "Unresolved object in checkpoint|not yet been built|object has no attribute '(kernel|gamma|embeddings)'",
            "build before you restore: call the model once on some rows, and `optimizer.build`, in what loads it",
        ),
        (r"[Uu]nknown |[Cc]ould not locate|not found|not registered|No module named|has no function", REGISTER),
        (
            r"\.py, line \d+\)$",
            "your code broke at the line that is named: it must need nothing of the training process, as globals, arguments, "
            "variables of the environment and files beside it are",
        ),
    ),
    Group.STRUCTURE: (
        (
            "had its own `",
            "let the builder or loader set it again; better, make it a method of a class that is registered, and load into that",
        ),
        (
            "^the model's own `",
            "keep what the method reads in a weight, or let `get_config` return it and the constructor take it",
        ),
        ("came back without its variables", BUILD),
        (
            r"\.dtype$",
            "give the layers within a layer their `dtype` in its constructor (`dtype=self.dtype_policy`, or a policy that "
            "`get_config` returns), and begin `get_config` with `super().get_config()`",
        ),
        (
            r"^loss/\d+\.",
            "compile the loaded model again with the loss as it was, or train with a registered loss of your own, whose "
            "`get_config` gives this back: Keras 3.15.1 forgets `delta` of Huber and `axis` of CosineSimilarity",
        ),
        ("the steps move this Python attribute", "keep it in a weight (`self.add_weight`), which every artifact holds"),
        ("HashTable|[Tt]able .*not initialized", ASSETS_REMEDY),
        (
            r" when trained \(",
            "give regularizers and constraints to the layer's constructor: one that is set on a built layer is in no file, or in "
            "the layer's configuration and not in what was trained",
        ),
        (
            "is another after the reload, as",
            "give this setting what it was in training, in the builder or loader that makes the model again",
        ),
        ("another version of reloadgate", "save or record the version again with this version of reloadgate"),
        (
            "not one of its `variables`",
            "take an optimizer whose state is all in its `variables`: of this one a part is in no file of Keras",
        ),
        (
            "of an optimizer that is not the model's own",
            "hold the optimizer as an attribute of the model, and build it (`optimizer.build(variables)`, in its `build`) "
            "before its state is read: what is not built yet when a file is loaded gets nothing of it",
        ),
        (
            "^untracked/(train|test) step",
            "where a layer or the model has it, make it with `self.add_weight`; what a loss, a schedule or an optimizer has "
            "of its own is in no file: let `get_config` return its present value, or compute it from `optimizer.iterations`",
        ),
        (
            "which Keras does not track",
            "create the variable with `self.add_weight`, in a layer that the model holds as an attribute, a list or a dict",
        ),
        (
            "^(train|test) step ",
            "mend what is said of compile and optimizer first; where they are the same, the loss, the optimizer, a metric or the "
            "model's class depends on something that its `get_config` does not return",
        ),
        (
            " wiring$",
            "hold the layers under names or in an order that does not depend on how they are made, and let `get_config` return "
            "what says which goes where",
        ),
        (
            " (operations|constants)$",
            "let `get_config` return all that `call` depends on; save adapted layers whole, as `.keras`; where a lambda or "
            "function takes a value from around it, write a layer with that value as an argument",
        ),
    ),
    Group.WEIGHTS: (
        ("came back without its variables", BUILD),
        ("is the name of another variable", BASE_CONFIG),
        (
            "came back with the values of",
            "restore variables by names of their own: `sorted` puts 10 before 2, and Keras numbers names anew in every process",
        ),
        ("came back with another role", "set `trainable` as it was, and call `compile` after that, in what loads the model"),
        ("/states/", "the state of a stateful RNN is in no file of Keras: call its `reset_state` before you save"),
        (
            "/replicas/",
            "have the replicas hold the same before you save: `BatchNormalization(synchronized=True)`, or an aggregation for the "
            "variable",
        ),
        (
            "not stored/",
            "Keras' saver goes past this variable: hold its layer as an attribute of the model, under no name that Keras uses "
            "itself (`_layers`), and let a `save_own_variables` of the class' own leave nothing out; of LoRA the base and what "
            "was added are stored as one: merge before you save, or keep `lora_kernel_a` and `lora_kernel_b` yourself",
        ),
    ),
    Group.PREDICTIONS: ((r"Lambda\.call\(\)", LAMBDA_REMEDY),),
    Group.COMPILE: (("LossScaleOptimizer", "give `compile` a `LossScaleOptimizer` around the optimizer, also when you train"),),
    Group.RANDOM_STATE: (("whose state nobody keeps", UNSEEDED_REMEDY),),
    Group.RELOCATION: (
        (
            "^an empty directory",
            "let the loader read the version that it is given, and fail where nothing is: a checkpoint's `restore(None)` does "
            "nothing, and says nothing",
        ),
        (
            "outside of the version",
            "copy the file into the version and let the loader read it there; code and what belongs to it goes below `code_path`",
        ),
        (
            "in another order, as after a checkout",
            "what the rows of structure and weights name is made anew by every load; where they name nothing, the loader chooses "
            "a file by its time, which no checkout keeps: choose by name or number",
        ),
        ("given another directory", "let the loader build every path from the directory that it is given"),
    ),
    Group.RESUME: (
        (r"Lambda\.call\(\)", LAMBDA_REMEDY),
        (
            "no trainable variable moved",
            "probe with rows and targets on which the model trains; where its learning rate is 0, or a loss scale skips every "
            "step, no step shows anything",
        ),
        (
            "is not compiled",
            "compile the model before you save; of one that is only to infer, let the policy say so (`requires: {version: "
            "infer}`, of a loader `{own: infer}`)",
        ),
        (
            "AttributeError: '.*' object has no attribute",
            "what sets this attribute did not run, or had not what it takes: for arguments of a `compile` of your own write "
            "`get_compile_config` and `compile_from_config`, for those of a constructor `get_config`",
        ),
        ("^.* by name$", "name the metric or the output layer, in the training code and in what loads the model"),
        (
            "Unknown variable",
            "the optimizer came back for other variables: save the compiled model as `.keras` (`.h5` gives back none that can go "
            "on), and `compile` again after `trainable` changed",
        ),
    ),
}
"""By group: what a row tells of its cause, as a pattern in its subject, detail or what was seen, and what to do about that."""

_OF_LOADERS = {
    Group.COMPILE: "let the loader compile the model as in training, or load it compiled (without `compile=False`)",
    Group.OPTIMIZER: (
        "let the loader restore the optimizer: load the model compiled (without `compile=False`), or keep the optimizer's state "
        "beside the weights, of the same moment, and load it back (docs/own-loader.md)"
    ),
}
"""Of what the user's own code saves and loads, in whatever form."""

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
        _of_cause(row)
        or (_OF_LOADERS.get(row.group) if row.artifact == own.FILE else None)
        or _REMEDIES.get((row.group, row.outcome))
        or _REMEDIES.get((row.group, None))
        or _REMEDIES[Group.EVIDENCE, Outcome.UNCHECKED]
    )


def _of_cause(row: Row) -> str | None:
    told = "\n".join((row.subject, row.detail, row.seen))
    return next((mend for cause, mend in _CAUSES.get(row.group, ()) if re.search(cause, told, re.MULTILINE)), None)
