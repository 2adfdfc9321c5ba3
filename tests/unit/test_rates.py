"""How often: no more than the rate in any window, and no less."""

from __future__ import annotations

import pytest

from latent.errors import InputError, RateLimitError
from service.guard.rates import Rates, rate_of


@pytest.mark.parametrize("most", [1, 7, 500])
def test_just_so_many_pass(most: int) -> None:
    """The window is an hour, so that none of them leaves it meanwhile."""
    rates, passed = Rates(), 0
    for _ in range(2 * most + 3):
        try:
            rates.count("one", f"{most}/hour")
            passed += 1
        except RateLimitError as error:
            assert 3_590 <= error.retry_after <= 3_600
    assert passed == most


def test_each_is_counted_for_itself() -> None:
    rates = Rates()
    rates.count("one", "1/hour")
    rates.count("other", "1/hour")
    with pytest.raises(RateLimitError, match="more than 1/hour"):
        rates.count("one", "1/hour")


@pytest.mark.parametrize("text", ["", "many", "5", "0/second", "-1/second", "5/fortnight", "1e3/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="10/second"):
        rate_of(text)
