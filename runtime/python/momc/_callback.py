"""Python functions that C calls."""
from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any, Callable, Optional

if TYPE_CHECKING:
    from ._session import Session


class Callback:
    """Around a C call on a session, makes functions that it may call: what one raises ends the
    run, as a true result does, and is raised by the `with` statement.

    ctypes prints and drops what a C call's function raises. So an interrupt, which Python raises
    at any instruction of that function, waits until the function can catch it.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._stopped = False
        self._raised: Optional[BaseException] = None
        self._interrupt: Any = None  # arguments of the handler that is yet to be called
        self._handler: Any = None

    def of(self, kind: Any, body: Callable[..., Any]) -> Any:
        """`body` as a C function of a ctypes kind, whose first argument, a context, is not
        passed on."""
        def call(_: Any, *arguments: Any) -> int:
            try:
                if self._raised is None and body(*arguments):
                    self._stopped = True
                self._take_interrupt()
            except BaseException as problem:
                self._raised, self._stopped = problem, True
            return int(self._stopped)
        return kind(call)

    def __enter__(self) -> "Callback":
        self._session._in_callback = True
        handler = signal.getsignal(signal.SIGINT)
        # Python calls handlers in the main thread only.
        if callable(handler) and threading.current_thread() is threading.main_thread():
            self._handler = handler
            signal.signal(signal.SIGINT, self._keep_interrupt)
        return self

    def __exit__(self, *_: Any) -> None:
        self._session._in_callback = False
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
        # A traceback has this frame: it would keep the session, and itself, through them.
        raised, self._raised = self._raised, None
        try:
            if raised is not None:
                raise raised
            self._take_interrupt()
        finally:
            del raised

    def _keep_interrupt(self, *arguments: Any) -> None:
        self._interrupt = arguments

    def _take_interrupt(self) -> None:
        arguments, self._interrupt = self._interrupt, None
        if arguments is not None:
            self._handler(*arguments)
