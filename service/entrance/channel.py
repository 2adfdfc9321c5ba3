"""The line between the process that takes connections and one that serves them.

Words are single bytes. One of them brings a connection along, which the system hands over to the
other process (SCM_RIGHTS). Knows nothing about HTTP.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum

_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
AT_ONCE = 4_096  # words read at once


class Word(bytes, Enum):
    """What is said: by a worker `UP`, `READY`, `LEFT`; to a worker `TAKE`, `GO`, `LOST`."""

    UP = b"u"  # it takes connections
    READY = b"r"  # and it is warm
    LEFT = b"l"  # a connection has ended
    TAKE = b"t"  # here is a connection
    GO = b"g"  # all workers are ready
    LOST = b"x"  # one of them has ended before it was, and is started again


class Channel:
    """One end of the line; never waits. Belongs to one thread."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._owed = b""

    def fileno(self) -> int:
        """For those who wait until something was said."""
        return self._end.fileno()

    def close(self) -> None:
        self._end.close()

    def take_no_more(self) -> None:
        """Have the other end give nothing more; what it gave before can be taken yet."""
        with suppress(OSError):  # nobody is there any more
            self._end.shutdown(socket.SHUT_RD)

    def say(self, word: Word) -> None:
        """Say a word; what there is no room for is said together with the next one."""
        self._owed += word
        try:
            self._owed = self._owed[self._end.send(self._owed) :]
        except OSError:  # full for now, or nobody is there any more, which is heard by `heard`
            return

    def give(self, connection: socket.socket) -> bool:
        """Hand a connection over; gives whether there was room for it.

        Raises:
            EOFError: the other one is gone, or takes no more.
        """
        try:
            return bool(socket.send_fds(self._end, [Word.TAKE], [connection.fileno()]))
        except ConnectionError as error:
            raise EOFError from error
        except OSError:
            return False

    def heard(self) -> Iterator[Word]:
        """What was said since the last time.

        Raises:
            EOFError: the other one is gone.
        """
        try:
            said = self._end.recv(AT_ONCE)
        except BlockingIOError:
            return
        except OSError as error:
            raise EOFError from error
        if not said:
            raise EOFError
        for byte in said:
            yield Word(bytes([byte]))

    def taken(self) -> Iterator[Word | socket.socket]:
        """As `heard`, where connections may come as well. Raises as `heard`."""
        while True:
            try:
                # One at a time, so that each connection comes with its own word.
                said, given, _, _ = socket.recv_fds(self._end, 1, 1, _CLOSE_ON_EXEC)
            except BlockingIOError:
                return
            except OSError as error:
                raise EOFError from error
            if not said:
                raise EOFError
            word = Word(said)
            if word is not Word.TAKE:
                yield word
            elif given:
                yield socket.socket(fileno=given[0])
            else:  # this process may open no more, and the system has closed it
                self.say(Word.LEFT)
