"""Where reloads run: a fresh process for every artifact, on this machine's cores (`local`) or on a Dask cluster (`cluster`).

Kinds of process on one machine:

- the caller (`local.LocalEngine`), which imports no TensorFlow;
- one server (`server`), started with an environment of its own and from a module of ours, so that multiprocessing never
  imports the caller's `__main__`; it supervises
- one child an artifact (`child`), forked from a fork server that has imported TensorFlow and Keras and run nothing; where
  there is no fork, a fresh interpreter.

The caller writes a job a line (JSON) to the server's standard input and reads what happens to it, an event a line, from its
standard output. When the caller dies, its pipe closes, and the server kills its children and ends.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from reloadgate.engine.cluster import DaskEngine
from reloadgate.engine.jobs import End, Engine, EngineSettings, Job, Limits
from reloadgate.engine.local import LocalEngine
from reloadgate.engine.other import other_python

__all__ = ["DaskEngine", "End", "Engine", "EngineFor", "EngineSettings", "Job", "Limits", "LocalEngine", "engine_for"]

EngineFor = Callable[[Iterable[str]], AbstractContextManager[Engine]]
"""An engine for versions whose hash seeds were these."""


def engine_for(settings: EngineSettings) -> EngineFor:
    """The engine that the settings name."""
    if settings.scheduler is not None:
        scheduler = settings.scheduler
        return lambda seeds: DaskEngine(scheduler, seeds)
    if settings.python is not None:
        python = settings.python
        return lambda seeds: other_python(python, seeds, settings.children)
    return lambda seeds: LocalEngine(seeds, settings.children)
