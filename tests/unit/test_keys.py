"""Keys, and the file they are kept in."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from latent.errors import InputError, MissingKeyError, StoreError
from service.guard.keyring import Keyring
from service.guard.keys import Key, hash_of, id_in, is_key, new_key
from service.guard.scopes import Scope


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "data" / "keys.json")


def made(name: str = "web", scope: Scope = Scope.READ) -> tuple[Key, str]:
    return new_key(name, scope)


def test_a_key_has_256_random_bits_and_is_never_made_twice() -> None:
    secrets = {made()[1] for _ in range(200)}
    assert len(secrets) == 200
    for secret in secrets:
        _, key_id, bits = secret.split("_", 2)
        assert id_in(secret) == key_id
        assert len(bits) == 43  # 256 bits, six in a character


def test_a_key_is_known_by_its_secret_and_by_nothing_near_it() -> None:
    key, secret = made()
    assert is_key(key, secret)
    for other in ("", secret[:-1], secret + "x", secret.upper(), key.hash, made()[1], "ä\udcff"):
        assert not is_key(key, other)
    assert not is_key(None, secret)


def test_the_file_holds_no_secret_and_only_its_owner_may_read_it(
    keyring: Keyring, tmp_path: Path
) -> None:
    key, secret = made()
    keyring.add(key)
    (path,) = (tmp_path / "data").glob("keys.json")
    assert secret.rpartition("_")[2] not in path.read_text()
    assert hash_of(secret) in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_another_process_changes_counts_at_once(keyring: Keyring, tmp_path: Path) -> None:
    other = Keyring(tmp_path / "data" / "keys.json")
    assert not other.keys()
    key, _ = new_key("web", Scope.WRITE, collections=["a", "b"], rate="5/minute")
    keyring.add(key)
    assert other.keys() == {key.id: key}
    other.remove("web")
    assert not keyring.keys()
    assert keyring.exists()


def test_a_name_is_taken_once_and_can_be_had_again(keyring: Keyring) -> None:
    keyring.add(made()[0])
    with pytest.raises(InputError, match="there is a key 'web'"):
        keyring.add(made()[0])
    keyring.remove("web")
    keyring.add(made()[0])
    assert len(keyring.keys()) == 1
    with pytest.raises(MissingKeyError, match="no key 'other'; there are: web"):
        keyring.remove("other")


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "x" * 101, "a\n", "[b]"])
def test_names_are_plain(name: str) -> None:
    with pytest.raises(InputError, match="no name for a key"):
        made(name)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"form": 2, "keys": []}', b'{"form": 1, "keys": [{}]}', b"\xff"]
)
def test_a_damaged_file_lets_nobody_in_and_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"keys\.json is damaged, so nobody is let in"):
        Keyring(path).keys()


def test_a_change_of_a_damaged_file_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(b"{")
    with pytest.raises(StoreError):
        Keyring(path).add(made()[0])
    assert path.read_bytes() == b"{"


def test_a_file_in_a_place_that_is_no_folder_is_an_error_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError):
        Keyring(tmp_path / "file" / "keys.json").add(made()[0])


@pytest.mark.parametrize("given", Scope)
@pytest.mark.parametrize("needed", Scope)
def test_scopes_build_on_each_other(given: Scope, needed: Scope) -> None:
    order = [Scope.READ, Scope.WRITE, Scope.ADMIN]
    assert given.allows(needed) == (order.index(given) >= order.index(needed))
