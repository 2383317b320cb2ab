"""How a training worker hears that its process is told to end, and gets to save before it does."""

import contextlib
import ctypes
import signal
import threading
from collections.abc import Callable, Iterator

INSTALL_TIMEOUT_S = 60.0
"""The main thread of a Ray worker runs Python whenever it is polled, several times a second."""
_kept: list[object] = []
"""Calls that the interpreter may still make."""


@contextlib.contextmanager
def told_to_end() -> Iterator[threading.Event]:
    """An event that is set by the first SIGTERM while the block lasts; a second one ends the process as ever.

    Works from threads, where Ray runs the training loop.
    """
    told, before = threading.Event(), signal.getsignal(signal.SIGTERM) or signal.SIG_DFL

    def note(*_: object) -> None:
        told.set()
        signal.signal(signal.SIGTERM, before)

    _in_main_thread(lambda: signal.signal(signal.SIGTERM, note))
    try:
        yield told
    finally:
        _in_main_thread(lambda: signal.signal(signal.SIGTERM, before))


def _in_main_thread(act: Callable[[], object]) -> None:
    """Do it in the main thread, the only one that may say what a signal does. Without effect if that one is stuck."""
    if threading.current_thread() is threading.main_thread():
        act()
        return
    done = threading.Event()

    def call(_: object) -> int:
        act()
        done.set()
        return 0

    pending = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(call)
    _kept.append(pending)
    if ctypes.pythonapi.Py_AddPendingCall(pending, None) == 0 and done.wait(INSTALL_TIMEOUT_S):
        _kept.remove(pending)
