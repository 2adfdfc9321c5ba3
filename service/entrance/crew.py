"""Several processes that serve on one port: started, given connections, started anew if they end.

This process alone listens. It gives each connection to the worker that has the fewest, so that
they have equal shares of the clients however few there are, and none waits at one that is gone. It
reads nothing of what is sent. Knows nothing about HTTP.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from latent.errors import InputError, StoreError
from latent.settings import Settings
from service.entrance.channel import Channel, Word
from service.seen.metrics import forget_what_it_watched

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]
WORKER = (sys.executable, "-m", "service.entrance.worker")
ENOUGH = 10.0  # seconds; a worker that lived for less is not started anew at once
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds before it is; each time twice as long
LAST = 9.8  # seconds after being told to stop, in which workers must have ended
AT_ONCE = 64  # connections that are given away before anything else is looked at
FULL = 0.01  # seconds to wait where no worker has room for one more


@dataclass(eq=False, slots=True)
class Post:
    """The place of one worker, and who is there now."""

    number: int
    process: subprocess.Popen[str] | None = None
    channel: Channel | None = None
    is_up: bool = False
    is_ready: bool = False
    connections: int = 0
    given: int = 0
    began: float = 0.0
    pause: float = 0.0
    again: float = 0.0


def shared_out(settings: Settings, workers: int) -> Settings:
    """The settings of each of so many workers: they share the cores, and those who may wait."""
    return settings.model_copy(
        update={
            "threads": max(1, settings.threads // workers),
            "max_waiting": max(1, settings.max_waiting // workers),
        }
    )


def serve(settings: Settings, app: str, listener: socket.socket) -> None:
    """Serve with `settings.workers` processes until told to stop.

    Raises:
        InputError: this system cannot hand connections over.
        StoreError: the service did not start; its log says why.
    """
    if not hasattr(socket, "send_fds"):
        raise InputError("several workers need a Unix; serve with --workers 1")
    with TemporaryDirectory(prefix="nearfield-") as shared:
        given = shared_out(settings, settings.workers)
        words = json.dumps(
            {"settings": given.model_dump(mode="json"), "app": app, "shared": shared}
        )
        Crew(settings.workers, words, listener, Path(shared)).run()


class Crew:
    """Workers, each at its post. `words` are what each is told on its standard input."""

    def __init__(
        self,
        workers: int,
        words: str,
        listener: socket.socket,
        shared: Path,
        *,
        program: Sequence[str] = WORKER,
    ) -> None:
        listener.setblocking(False)
        self._program = program
        self._words = words
        self._listener = listener
        self._shared = shared
        self._posts = [Post(number) for number in range(workers)]
        self._selector = selectors.DefaultSelector()
        self._signals: list[int] = []
        self._is_listening = False
        self._left: socket.socket | None = None  # a connection that nobody has taken yet
        self._has_begun = False  # at least one
        self._have_all_begun = False
        self._is_one_lost = False  # before all had begun

    def run(self) -> None:
        """Until a signal says to stop.

        Raises:
            StoreError: no worker ever began to serve.
        """
        with _signals(self._signals, self._selector):
            try:
                for post in self._posts:
                    self._start(post)
                while not self._signals:
                    self._turn()
            finally:
                self._stop()

    # --- one turn ---------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Wait until there is something to do, and do it."""
        for key, _ in self._selector.select(self._patience()):
            if isinstance(key.data, Post):
                self._listen_to(key.data)
            elif key.fileobj is self._listener:
                self._deal()
            else:
                key.data()
        if self._left is not None:
            self._deal()
        now = time.monotonic()
        for post in self._posts:
            if post.process is None and now >= post.again:
                self._start(post)
        self._listen_if_there_is_anyone()

    def _patience(self) -> float | None:
        """Seconds until there is something to do though nothing was said."""
        due = [post.again - time.monotonic() for post in self._posts if post.process is None]
        if self._left is not None and self._is_anyone_up:
            due.append(FULL)
        return max(0.0, min(due)) if due else None

    def _listen_to(self, post: Post) -> None:
        try:
            for word in self._channel(post).heard():
                if word is Word.UP:
                    post.is_up = self._has_begun = True
                    if self._is_one_lost and not self._have_all_begun:
                        self._channel(post).say(Word.LOST)
                elif word is Word.READY:
                    self._is_ready(post)
                elif word is Word.LEFT:
                    post.connections -= 1
        except EOFError:
            self._bury(post)

    def _is_ready(self, post: Post) -> None:
        """Say so to all once each of them is; to one that was started anew at once."""
        post.is_ready = True
        if self._have_all_begun:
            self._channel(post).say(Word.GO)
        elif all(one.is_ready for one in self._posts):
            self._have_all_begun = True
            for one in self._posts:
                self._channel(one).say(Word.GO)

    @property
    def _is_anyone_up(self) -> bool:
        return any(post.is_up for post in self._posts)

    def _listen_if_there_is_anyone(self) -> None:
        """Connections wait in the system as long as nobody serves, or has room."""
        is_anyone = self._is_anyone_up and self._left is None
        if is_anyone and not self._is_listening:
            self._selector.register(self._listener, selectors.EVENT_READ)
        elif self._is_listening and not is_anyone:
            self._selector.unregister(self._listener)
        self._is_listening = is_anyone

    def _deal(self) -> None:
        """Give away the connections that wait."""
        for _ in range(AT_ONCE):
            if self._left is None:
                try:
                    self._left, _ = self._listener.accept()
                except BlockingIOError:
                    return
                except OSError as error:
                    log.warning("a connection could not be taken: %s", error)
                    time.sleep(FULL)
                    return
            if not self._is_given(self._left):
                return
            self._left.close()
            self._left = None

    def _is_given(self, connection: socket.socket) -> bool:
        for post in by_room(self._posts):
            try:
                is_given = self._channel(post).give(connection)
            except EOFError:  # it ends; that it has ended is heard by `_listen_to`
                post.is_up = False
                continue
            if is_given:
                post.connections += 1
                post.given += 1
                return True
        return False

    # --- workers come and go ----------------------------------------------------------------------

    def _start(self, post: Post) -> None:
        """Start a worker; where the system has no room for another one now, it is tried again.

        Raises:
            StoreError: there is no room, and none of them ever began to serve.
        """
        try:
            post.process, ours = self._started(post.number)
        except OSError as error:
            if not self._has_begun:
                raise StoreError(f"no process can be started: {error.strerror}") from error
            post.pause = pause_after(0.0, post.pause)
            post.again = time.monotonic() + post.pause
            log.warning(
                "worker %d could not be started: %s; it is tried again in %.0f s",
                post.number,
                error.strerror,
                post.pause,
            )
            return
        post.channel, post.began = Channel(ours), time.monotonic()
        self._selector.register(ours, selectors.EVENT_READ, post)
        assert post.process.stdin is not None
        with suppress(OSError), post.process.stdin as stdin:  # it may have ended already
            stdin.write(self._words)

    def _started(self, number: int) -> tuple[subprocess.Popen[str], socket.socket]:
        """A worker, and our end of the line to it. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
            try:
                process = subprocess.Popen(
                    [*self._program, str(theirs.fileno()), str(number)],
                    stdin=subprocess.PIPE,
                    pass_fds=[theirs.fileno()],
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                    text=True,
                )
            except OSError:
                ours.close()
                raise
        return process, ours

    def _bury(self, post: Post) -> None:
        """Let go of a worker that has ended, and say when to start another in its place.

        Raises:
            StoreError: none of them ever began to serve.
        """
        process = post.process
        assert process is not None
        self._selector.unregister(self._channel(post).fileno())
        self._channel(post).close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(FULL)
        process.kill()
        code = process.wait()
        forget_what_it_watched(self._shared, post.number)
        if not self._has_begun:
            raise StoreError("the service did not start; its log above says why")
        now = time.monotonic()
        pause = pause_after(now - post.began, post.pause)
        log.warning(
            "worker %d ended with %d; another is started in %.0f s", post.number, code, pause
        )
        self._posts[post.number] = Post(post.number, pause=pause, again=now + pause)
        if not self._have_all_begun:
            self._is_one_lost = True
            for one in self._posts:
                if one.is_up:
                    self._channel(one).say(Word.LOST)

    def _stop(self) -> None:
        """Tell all to stop, and wait until they have."""
        deadline = time.monotonic() + LAST
        self._listener.close()
        if self._left is not None:
            self._left.close()
        running = [post.process for post in self._posts if post.process is not None]
        for process in running:
            process.terminate()
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                self._wait(process, deadline)
            process.kill()
            process.wait()
        self._selector.close()

    def _wait(self, process: subprocess.Popen[str], deadline: float) -> None:
        """Until it has ended, or somebody has no patience. Raises subprocess.TimeoutExpired."""
        while process.poll() is None:
            if self._signals.count(signal.SIGINT) > 1 or time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(process.args, LAST)
            time.sleep(FULL)

    def _channel(self, post: Post) -> Channel:
        assert post.channel is not None
        return post.channel


def pause_after(lived: float, before: float) -> float:
    """Seconds until another takes the place of a worker that lived for so long.

    `before` is the pause before that one: what keeps dying is started more and more rarely.
    """
    return 0.0 if lived >= ENOUGH else min(LONGEST_PAUSE, max(FIRST_PAUSE, 2 * before))


def by_room(posts: Sequence[Post]) -> list[Post]:
    """Those who can take a connection: whoever has the fewest first, else whoever had the fewest.

    As long as one is warm, those who are not get none.
    """
    able = [post for post in posts if post.is_up]
    warm = [post for post in able if post.is_ready]
    return sorted(warm or able, key=lambda post: (post.connections, post.given))


@contextmanager
def _signals(caught: list[int], selector: selectors.BaseSelector) -> Iterator[None]:
    """Add signals to stop to `caught` while this lasts, and wake up who waits at the selector."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for end in (ours, theirs):
            end.setblocking(False)
        drain: Callable[[], bytes] = lambda: ours.recv(AT_ONCE)  # noqa: E731
        selector.register(ours, selectors.EVENT_READ, drain)

        def catch(number: int, frame: FrameType | None) -> None:
            caught.append(number)

        before = {one: signal.signal(one, catch) for one in (signal.SIGINT, signal.SIGTERM)}
        waking = signal.set_wakeup_fd(theirs.fileno())
        try:
            yield
        finally:
            signal.set_wakeup_fd(waking)
            for number, handler in before.items():
                signal.signal(number, handler)
