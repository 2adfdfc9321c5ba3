"""What a stored item looks like, with its pixels where they are at hand: a file, a row, an upload.

Knows nothing about tiers.
"""

from __future__ import annotations

from dataclasses import replace

from latent.collection import Collection
from latent.errors import InputError
from latent.items import Item, Modality
from latent.media.fingerprints import picture_hash
from latent.settings import Settings
from service.checks.looks import SIDE, Look, look_at_item
from service.checks.overlap import small
from service.checks.structure import fine
from service.explore.pictures import picture_of


def look_at_stored(collection: Collection, item: Item, settings: Settings) -> Look:
    """What a stored item looks like; without its pixels if it is gone or another one by now."""
    look = look_at_item(item)
    if item.modality is not Modality.IMAGE:
        return look
    try:
        picture = picture_of(collection, item, SIDE, settings)
    except InputError:  # what is stored must do
        return look
    return replace(
        look,
        picture_hash=item.picture_hash or picture_hash(picture),
        small=small(picture),
        fine=fine(picture),
    )
