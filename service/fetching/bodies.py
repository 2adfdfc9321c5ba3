"""The URLs in a body give way to the pictures at them, before it becomes a question.

Knows nothing about how they are fetched.
"""

from __future__ import annotations

from pydantic import BaseModel

from latent.errors import InputError
from service.embedding.pictures import data_url
from service.fetching.fetch import Fetcher
from service.schemas import things_in


async def fetch_into(body: BaseModel, fetcher: Fetcher) -> None:
    """Put pictures in the place of the URLs that may be fetched.

    Raises:
        InputError: the first that was not fetched, or they are too many.
    """
    if not fetcher.is_on:
        return
    things = [one for one in things_in(body) if fetcher.fetches(one.image)]
    found = await fetcher.fetch_all([str(one.image) for one in things])
    for one, content in zip(things, found, strict=True):
        if isinstance(content, InputError):
            raise content
        one.image = data_url(content)
