"""The file that keys are kept in: read whenever it has changed, written whole or not at all.

A file of its own, beside the catalog: the similarity service has no catalog, and a backup or a
copy of the catalog gives no key away. Knows nothing about requests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock

from latent.disk import storage_error, write_whole
from latent.errors import InputError, MissingKeyError, StoreError
from latent.settings import Settings
from service.guard.keys import Key
from service.guard.scopes import Scope

NAME = "keys.json"
FORM = 1  # of the file; another one is refused

Check = Callable[[Sequence[Key]], None]
"""Raises where there must not be these keys and no others."""


class Keyring:
    """The keys in a file, which need not be there. Safe in threads and among processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._keys: Mapping[str, Key] = {}

    @classmethod
    def of(cls, settings: Settings) -> Keyring:
        """The one that the settings name."""
        return cls(settings.keys_file or settings.data / NAME)

    def exists(self) -> bool:
        """Whether there is a file; it may hold no key any more."""
        return self._path.exists()

    def keys(self) -> Mapping[str, Key]:
        """All keys, by id; what was written a moment ago counts.

        Raises:
            StoreError: the file cannot be read.
        """
        try:
            status = self._path.stat()
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
            if seen != self._seen:
                self._keys = _read(self._path.read_bytes())
                self._seen = seen
        except FileNotFoundError:
            self._keys, self._seen = {}, None
        except OSError as error:
            raise storage_error(error, self._path) from error
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{self._path} is damaged, so nobody is let in; "
                "restore it, or remove it and make new keys with 'nearfield keys create'"
            ) from error
        return self._keys

    def add(self, key: Key, *, check: Check = lambda left: None) -> None:
        """Keep one more, if `check` has nothing against what there is then.

        Raises:
            InputError: there is one of that name.
            StoreError: the file cannot be written.
        """
        with self._changing() as keys:
            if any(one.name == key.name for one in keys):
                raise InputError(
                    f"there is a key {key.name!r}; take another name, "
                    f"or first 'nearfield keys revoke {key.name}'"
                )
            check([*keys, key])
            self._write([*keys, key])

    def remove(self, name: str, *, check: Check = lambda left: None) -> None:
        """Let go of the key of that name. The file stays, though it may be empty.

        `check` is asked about what is left, and may raise.

        Raises:
            MissingKeyError: there is none.
            StoreError: the file cannot be written.
        """
        with self._changing() as keys:
            kept = [one for one in keys if one.name != name]
            if len(kept) == len(keys):
                known = ", ".join(sorted(one.name for one in keys)) or "none"
                raise MissingKeyError(f"there is no key {name!r}; there are: {known}")
            check(kept)
            self._write(kept)

    @contextmanager
    def _changing(self) -> Iterator[Sequence[Key]]:
        """The keys, while no other process changes them."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._path.with_name(f"{self._path.name}.lock"))
            with lock:
                yield list(self.keys().values())
        except OSError as error:
            raise storage_error(error, self._path) from error

    def _write(self, keys: Sequence[Key]) -> None:
        """A new file in the place of the old one; only its owner may read it."""
        content = json.dumps({"form": FORM, "keys": [asdict(key) for key in keys]}, indent=1)
        write_whole(self._path, (content + "\n").encode(), is_durable=True, mode=0o600)


def _read(content: bytes) -> dict[str, Key]:
    """The keys in the file, by id. Raises ValueError, KeyError or TypeError if it is damaged."""
    kept: Any = json.loads(content)
    if kept["form"] != FORM:
        raise ValueError("another form")
    keys = [
        Key(
            **{
                **one,
                "scope": Scope(one["scope"]),
                "collections": None if one["collections"] is None else tuple(one["collections"]),
            }
        )
        for one in kept["keys"]
    ]
    return {key.id: key for key in keys}
