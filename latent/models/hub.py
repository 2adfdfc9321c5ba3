"""Loading from the model hub without minutes of retries when it cannot be reached.

Knows the hub's library and nothing about models.
"""

from __future__ import annotations

import logging
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import constants

PATIENCE = 3.0
"""Seconds the hub has to answer."""


@contextmanager
def one_try() -> Iterator[None]:
    """Ask the hub once whether it is there; if not, let its library use its cache alone.

    The library by itself retries every file five times, for half a minute and more. What it logs
    meanwhile is silenced: it comes again in the error that is raised.
    """
    was_offline, was_disabled = constants.HF_HUB_OFFLINE, logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        constants.HF_HUB_OFFLINE = was_offline or not _answers(constants.ENDPOINT)
        yield
    finally:
        constants.HF_HUB_OFFLINE = was_offline
        logging.disable(was_disabled)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PATIENCE):
            return True
    except urllib.error.HTTPError:
        return True  # whoever refuses is there
    except (OSError, ValueError):
        return False
