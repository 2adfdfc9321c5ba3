"""Where keys are asked for, and who is kept out without them."""

from __future__ import annotations

import pytest

from latent.errors import InputError
from latent.settings import Settings
from service.guard.browsers import is_ours
from service.guard.guard import Guard, is_loopback, require_keys
from service.guard.keyring import Keyring
from service.guard.keys import new_key
from service.guard.scopes import OPEN, STRICTEST, Need, Scope, declares, need_of, needs

HERE = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost"]
ELSEWHERE = ["0.0.0.0", "::", "", "192.168.1.5", "10.0.0.1", "::ffff:10.0.0.1", "fe80::1", "."]


@pytest.mark.parametrize("host", HERE)
def test_this_machine_alone(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ELSEWHERE)
def test_whatever_is_not_surely_this_machine_can_be_reached(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ELSEWHERE)
def test_no_public_address_without_keys(settings: Settings, host: str) -> None:
    public = settings.model_copy(update={"host": host})
    with pytest.raises(InputError, match="nearfield keys create NAME"):
        require_keys(public)
    require_keys(public.model_copy(update={"without_keys": True}))
    Keyring.of(settings).add(new_key("web", Scope.READ)[0])
    require_keys(public)


def test_an_empty_file_of_keys_is_no_keys(settings: Settings) -> None:
    public = settings.model_copy(update={"host": "0.0.0.0"})
    Keyring.of(settings).add(new_key("web", Scope.READ)[0])
    Keyring.of(settings).remove("web")
    with pytest.raises(InputError, match="there are no keys"):
        require_keys(public)


def test_where_clients_reach_it_counts_not_what_it_listens_on(settings: Settings) -> None:
    inside = settings.model_copy(update={"host": "0.0.0.0", "published": "127.0.0.1"})
    require_keys(inside)
    outside = settings.model_copy(update={"host": "127.0.0.1", "published": "0.0.0.0"})
    with pytest.raises(InputError, match="other machines"):
        require_keys(outside)


def test_a_rate_limit_that_is_none_is_refused_at_the_start(settings: Settings) -> None:
    with pytest.raises(InputError, match="no rate"):
        Guard.of(settings.model_copy(update={"rate_limit": "often"}))


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8000",
        "a.localhost",
        "127.0.0.1:80",
        "[::1]:8000",
        "search:8000",
        "192.168.1.5",
    ],
)
def test_addresses_and_names_nobody_else_can_own_are_ours(host: str) -> None:
    assert is_ours(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "evil.example.",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "[evil",
        "a@evil.example",
        "127.0.0.1@evil.example",
        "1.2.3",
    ],
)
def test_names_that_anybody_can_let_lead_here_are_not(host: str) -> None:
    assert not is_ours(host)


def test_what_an_endpoint_declares_is_what_it_needs() -> None:
    for scope in Scope:
        assert need_of(needs(scope)) == Need(scope)
        assert need_of(needs(scope, of_all=True)) == Need(scope, of_all=True)
    assert need_of(OPEN) is None


def test_an_endpoint_that_declares_nothing_needs_everything() -> None:
    for forgotten in (None, {}, {"x": 1}):
        assert not declares(forgotten)
        assert need_of(forgotten) == STRICTEST
