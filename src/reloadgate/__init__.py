"""reloadgate: a model is not saved until a fresh process has reloaded it and proved that it is the same model.

The package, from the top down; each layer knows only those below it.

    cli                  argv to one verb to exit code; the only place that prints or exits
    sweep                versions of other git revisions (`revisions`), verified
    releasing            a tag of GTO's on a version that passed, as the commit has it; `remote`: whether it was pushed
    drill                damage done on purpose to copies of versions, to see that the gate would notice
    verifying, gate      compositions of the verbs
    history              what became of every model from commit to commit, out of git and DVC
    recording            `save` and `record`: evidence in the training process
    restoring, callbacks `restore`: everything back; `SaveVersions`: verified versions during training, and exact resume
    reload               evidence again, in a fresh process for every artifact
    compare              the facts: a row for every single thing looked at (`rows`, and `*_rows`)
    judge                comparison and policy to verdict: pure; `expectations` says the same to Great Expectations, table by
                         table (`tables`, `checkpoints`), and `suites` are the user's own
    report, terminal     verdict, metrics and pages, set to ERROR first and better only at the end; the table that ends a run
    page, exhibits, pictures     the page that people read, the arrays behind its rows, SVG
    drift                how far a version is from another revision's: information, and no verdict
    reuse                evidence of earlier reloads, where everything it came from is the same
    adoption             `init`: what a repository needs, put beside what is there, by `insertion`
    engine, live         where reloads run; the observer, the only code besides `formats` and `callbacks` that imports Keras
    formats, project     the forms of an artifact; what `params.yaml` and the records name
    inspection                                what an artifact is, before anything loads it: no TensorFlow, nothing of it runs
    evidence, comparison, policy, verdict, probe, arrays      nouns: frozen, strict when read
    nouns, places, files, settings, progress, errors          how records are kept and settings read, and where

`recording` and `verifying` are not called `record` and `verify`, because the package gives these names to functions.

Importing the package costs nothing: TensorFlow is imported by what observes a model, Great Expectations by what asks it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reloadgate.callbacks import SaveVersions
    from reloadgate.policy import Policy
    from reloadgate.recording import record, save
    from reloadgate.restoring import restore
    from reloadgate.verifying import verify

__all__ = ["Policy", "SaveVersions", "record", "restore", "save", "verify"]

_HOMES = {
    "Policy": "reloadgate.policy",
    "SaveVersions": "reloadgate.callbacks",
    "record": "reloadgate.recording",
    "restore": "reloadgate.restoring",
    "save": "reloadgate.recording",
    "verify": "reloadgate.verifying",
}


def __getattr__(name: str) -> Any:
    """The public functions, imported when they are first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'reloadgate' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
