"""Exceptions for "could not check"; a model that differs is a result and never raises.

ReloadgateError            what, where, and how to mend it
├── UsageError             a flag, a setting or a path is wrong; nothing was checked (exit 2)
├── RefusedError           save or record refused: the version exists, or its place will vanish
├── UnreadableRecordError  evidence, comparison or verdict cannot be read as what it claims to be
├── ObservationError       the model could not be observed at all
├── UnwritableError        no reports can be written where they are to lie
└── EngineError            the processes that reload could not be started or kept
"""


class ReloadgateError(Exception):
    """Something could not be checked. The message says what, where and how to mend it."""

    exit_code = 3


class UsageError(ReloadgateError):
    exit_code = 2


class RefusedError(ReloadgateError):
    exit_code = 2


class UnreadableRecordError(ReloadgateError):
    pass


class ObservationError(ReloadgateError):
    pass


class UnwritableError(ReloadgateError):
    pass


class EngineError(ReloadgateError):
    pass
