"""Models by name, each loaded once and kept.

Knows nothing about how a model is loaded; `registry` does.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable

from latent.models.embedder import Embedder
from latent.settings import Settings
from latent.space import Space


class LoadedModels:
    """Loads on first use. While one model is loading, the others can be had."""

    def __init__(
        self,
        settings: Settings,
        load: Callable[[str, Settings], Embedder],
        *,
        stand_in: Callable[[Space, Settings], str | None] = lambda space, settings: None,
    ) -> None:
        """`stand_in` names a model that places things in a space, sooner than its own would."""
        self._settings = settings
        self._load = load
        self._stand_in = stand_in
        self._names: dict[str, str] = {}
        self._loading: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._loaded: dict[str, Embedder] = {}

    def embedder(self, model: str | None = None) -> Embedder:
        """The model of that name (or the default one); may block while it is loaded.

        Raises:
            ModelUnavailableError: its weights cannot be had.
            InputError: no model is named like that.
        """
        name = model or self._settings.model
        with self._loading[name]:
            if name not in self._loaded:
                self._loaded[name] = self._load(name, self._settings)
            return self._loaded[name]

    def embedder_in(self, space: Space) -> Embedder:
        """A model of that space: what stands in for it if there is such, else the one it names.

        Raises: as `embedder`.
        """
        if space.fingerprint not in self._names:
            self._names[space.fingerprint] = self._stand_in(space, self._settings) or space.model
        return self.embedder(self._names[space.fingerprint])

    def clear(self) -> None:
        """Let go of all models."""
        self._loaded.clear()
        self._names.clear()
