"""Which failures the project raises: each message says what happened, where, and what to do next."""


class Dt2itError(Exception):
    """A failure that a person can act on. The command line prints its message and exits with `exit_code`."""

    exit_code = 1


class ConfigError(Dt2itError):
    """A setting is unknown, malformed or out of range."""

    exit_code = 2


class StepChanged(Dt2itError):
    """A finished step would now be made differently: its settings or inputs changed under the same name."""

    exit_code = 2


class StageFailed(Dt2itError):
    """A stage met something that is not a fault of one row, or dropped more rows than allowed."""


class StoreError(Dt2itError):
    """A file of a run is missing, damaged or cannot be written."""


class InputError(Dt2itError):
    """Outside data does not have the layout that its format demands; names the file, row and field."""


class Preempted(Dt2itError):
    """A worker was told to end, and has saved what it did; whoever started it may go on from there."""
