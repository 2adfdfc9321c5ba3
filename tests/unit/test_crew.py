"""Who gets a connection, when a worker is started anew, and the line between both processes."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from latent.errors import StoreError
from latent.settings import Settings
from service.entrance.channel import Channel, Word
from service.entrance.crew import LONGEST_PAUSE, Crew, Post, by_room, pause_after, shared_out


def post(number: int, *, connections: int = 0, given: int = 0, is_ready: bool = True) -> Post:
    return Post(number, is_up=True, is_ready=is_ready, connections=connections, given=given)


def numbers(posts: list[Post]) -> list[int]:
    return [one.number for one in by_room(posts)]


def test_a_connection_goes_to_whoever_has_the_fewest() -> None:
    assert numbers([post(0, connections=2), post(1), post(2, connections=1)]) == [1, 2, 0]


def test_among_those_who_have_as_many_whoever_had_fewer_so_far_is_next() -> None:
    assert numbers([post(0, given=3), post(1, given=1), post(2, given=2)]) == [1, 2, 0]


def test_who_is_not_warm_gets_none_while_another_is() -> None:
    cold, warm, gone = post(0, is_ready=False), post(1, connections=9), Post(2)
    assert numbers([cold, warm, gone]) == [1]
    assert numbers([cold, gone]) == [0]
    assert numbers([gone]) == []


def test_what_keeps_dying_is_started_more_and_more_rarely() -> None:
    pauses = [0.0]
    for _ in range(8):
        pauses.append(pause_after(0.5, pauses[-1]))
    assert pauses[1:] == [1, 2, 4, 8, 16, 30, 30, 30]
    assert pauses[-1] == LONGEST_PAUSE
    assert pause_after(60, 30) == 0


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_threads_and_those_who_may_wait_are_shared_out(workers: int) -> None:
    each = shared_out(Settings(threads=4, max_waiting=256), workers)
    assert each.threads == max(1, 4 // workers)
    assert each.max_waiting == 256 // workers


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_where_no_process_can_be_started_now_it_is_tried_again(
    listener: socket.socket, tmp_path: Path
) -> None:
    """The system may be short of memory, which is why the one before has ended."""
    crew = Crew(1, "{}", listener, tmp_path, program=[str(tmp_path / "missing")])
    with pytest.raises(StoreError, match="No such file"):  # nobody ever served
        crew._start(crew._posts[0])
    crew._has_begun = True
    for pause in (1.0, 2.0):
        crew._start(crew._posts[0])
        post = crew._posts[0]
        assert (post.process, post.channel, post.pause) == (None, None, pause)
        assert post.again > time.monotonic()
    crew._stop()


def test_a_connection_that_nobody_takes_waits_for_who_comes_next(
    listener: socket.socket, tmp_path: Path
) -> None:
    crew = Crew(1, "{}", listener, tmp_path)
    ours, theirs = socket.socketpair()
    theirs.close()
    crew._posts[0].channel, crew._posts[0].is_up = Channel(ours), True
    clients = [socket.create_connection(listener.getsockname()) for _ in range(5)]
    began = time.monotonic()
    crew._deal()
    assert time.monotonic() - began < 0.5  # it is to be heard who is gone, and that all is to end
    assert crew._patience() is not None  # its end was noticed, and has yet to be heard
    ours.close()

    ours, theirs = socket.socketpair()
    crew._posts[0].channel, crew._posts[0].is_up = Channel(ours), True
    crew._deal()
    taken = [one for one in Channel(theirs).taken() if isinstance(one, socket.socket)]
    assert sorted(one.getpeername() for one in taken) == sorted(
        one.getsockname() for one in clients
    )
    for one in [*taken, *clients, ours, theirs]:
        one.close()
    crew._stop()


def test_that_one_ended_before_it_was_ready_is_said_to_those_who_wait_for_it(
    listener: socket.socket, tmp_path: Path
) -> None:
    """Also to those who come later, until all are ready."""
    crew = Crew(2, "{}", listener, tmp_path, program=["false"])
    ours, theirs = socket.socketpair()
    waiting, gone = crew._posts
    waiting.channel, crew._has_begun = Channel(ours), True
    waiting.is_up = waiting.is_ready = True
    crew._start(gone)
    assert gone.process is not None
    gone.process.wait()
    crew._bury(gone)
    assert list(Channel(theirs).taken()) == [Word.LOST]
    Channel(theirs).say(Word.UP)
    crew._listen_to(waiting)
    assert list(Channel(theirs).taken()) == [Word.LOST]
    crew._posts[1].is_ready, crew._posts[1].channel = True, Channel(theirs)
    crew._is_ready(waiting)
    crew._posts[1].channel = None
    Channel(theirs).say(Word.UP)
    crew._listen_to(waiting)
    assert Word.LOST not in list(Channel(theirs).taken())
    ours.close()
    theirs.close()
    crew._stop()


# --- the line -----------------------------------------------------------------------------------


@pytest.fixture
def line() -> Iterator[tuple[Channel, Channel]]:
    first, second = (Channel(end) for end in socket.socketpair())
    yield first, second
    first.close()
    second.close()


def test_words_arrive_in_their_order(line: tuple[Channel, Channel]) -> None:
    crew, worker = line
    for word in (Word.UP, Word.READY, Word.LEFT, Word.LEFT):
        worker.say(word)
    assert list(crew.heard()) == [Word.UP, Word.READY, Word.LEFT, Word.LEFT]
    assert list(crew.heard()) == []


def test_connections_arrive_open_each_with_its_own_word(line: tuple[Channel, Channel]) -> None:
    crew, worker = line
    pairs = [socket.socketpair() for _ in range(3)]
    for ours, _ in pairs:
        assert crew.give(ours)
        crew.say(Word.GO)
        ours.close()
    taken = list(worker.taken())
    assert [one is Word.GO for one in taken] == [False, True] * 3
    for (_, theirs), given in zip(pairs, taken[::2], strict=True):
        assert isinstance(given, socket.socket)
        with given, theirs:
            given.sendall(b"hello")
            assert theirs.recv(5) == b"hello"


def test_where_nobody_reads_there_is_no_room_and_no_word_is_lost(
    line: tuple[Channel, Channel],
) -> None:
    crew, worker = line
    said = 0
    while not worker._owed:
        worker.say(Word.LEFT)
        said += 1
    worker.say(Word.LEFT)
    heard = list(crew.heard())
    while len(heard) < said + 1:
        worker.say(Word.UP)
        heard += crew.heard()
    assert heard.count(Word.LEFT) == said + 1


def test_that_the_other_is_gone_is_heard(line: tuple[Channel, Channel]) -> None:
    crew, worker = line
    worker.say(Word.LEFT)
    worker.close()
    heard = crew.heard()
    assert list(heard) == [Word.LEFT]
    with pytest.raises(EOFError):
        list(crew.heard())
    with socket.socket() as connection, pytest.raises(EOFError):
        crew.give(connection)


def test_who_takes_no_more_is_given_none_and_heard_as_before(
    line: tuple[Channel, Channel],
) -> None:
    crew, worker = line
    with socket.socket() as connection:
        assert crew.give(connection)
        worker.take_no_more()
        with pytest.raises(EOFError):
            crew.give(connection)
        taken = worker.taken()
        given = next(taken)
        assert isinstance(given, socket.socket)
        given.close()
        with pytest.raises(EOFError):
            next(taken)
    worker.say(Word.LEFT)
    assert list(crew.heard()) == [Word.LEFT]


def test_who_is_given_connections_hears_it_too(line: tuple[Channel, Channel]) -> None:
    crew, worker = line
    crew.close()
    with pytest.raises(EOFError):
        list(worker.taken())
