"""A clock adds up what each step took, whatever becomes of it."""

from __future__ import annotations

import pytest

from latent.clock import Clock
from service.seen.timing import STAGES, Timings


def test_a_step_that_is_measured_twice_adds_up() -> None:
    clock = Clock()
    with clock.measure("search"):
        pass
    once = clock.seconds["search"]
    with clock.measure("search"), clock.measure("fetch"):
        pass
    assert clock.seconds["search"] > once >= 0
    assert set(clock.seconds) == {"search", "fetch"}


def test_a_step_that_fails_is_counted_and_its_error_goes_on() -> None:
    clock = Clock()
    with pytest.raises(KeyError), clock.measure("search"):
        raise KeyError
    assert clock.seconds["search"] > 0


def test_timings_tell_every_stage_in_milliseconds() -> None:
    timings = Timings()
    timings.seconds["embed"] = 0.0123456
    assert dict(timings.took_ms()) == {**dict.fromkeys(STAGES, 0.0), "embed": 12.346}


def test_what_several_share_is_shared_out_evenly() -> None:
    whole, some = Timings(), [Timings(), Timings()]
    whole.seconds["search"] = 1.0
    some[0].seconds["search"] = 0.5
    whole.share(some)
    assert [one.seconds["search"] for one in some] == [1.0, 0.5]
