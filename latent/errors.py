"""Everything that can go wrong, by name.

    NearfieldError
      InputError              the caller can mend it
        UnreadableImageError    the bytes are no picture we can decode
        ImageTooLargeError      more bytes or pixels than the limit allows
        FetchError              a picture at a URL that is not fetched, or cannot be
        UnsupportedMediaError   a kind of file, or a modality, this model does not take
        UnknownItemError        no item with that id
        UnknownCollectionError  no collection with that name
        UnknownConceptError     no concept with that name
        MissingKeyError         no key with that name
        SourceMissingError      a file or folder that was named is not there
        FilterError             a filter that cannot be understood
      SpaceMismatchError      item and collection are of different spaces
      ModelUnavailableError   the weights are not here and cannot be fetched
      StoreError              the catalog or the index failed
        NewerCatalogError       a newer version of Nearfield wrote the catalog
        StorageFullError        there is no room left to write
      AccessError             whoever asks is not let in
        UnknownKeyError         no key was sent, or none that is known
        NotAllowedError         the key is known, but not for this
      OverloadedError         too much work at once; try again later
        RateLimitError          more requests than the key may make

The message is for people: it says what happened and what to do next. `code` is for programs and
never changes. Which HTTP status a class gets is decided in `service/problems.py`.
"""

from __future__ import annotations


class NearfieldError(Exception):
    """Anything Nearfield refuses or fails at; `str(error)` is one line for people."""

    code = "error"


class InputError(NearfieldError):
    """The caller asked for something that cannot be done, and can mend it."""

    code = "invalid_input"


class UnreadableImageError(InputError):
    """The bytes are no picture that can be decoded."""

    code = "unreadable_image"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: not a readable picture: {reason}")
        self.name = name
        self.reason = reason


class ImageTooLargeError(InputError):
    """A picture, or a request body, beyond the limit on bytes or pixels."""

    code = "image_too_large"


class FetchError(InputError):
    """A picture at a URL that is not fetched, or cannot be."""

    code = "not_fetched"


class UnsupportedMediaError(InputError):
    """A kind of file, or a modality, that is not taken here."""

    code = "unsupported_media"


class UnknownItemError(InputError):
    """No item with that id in the collection."""

    code = "unknown_item"

    def __init__(self, collection: str, item_id: str) -> None:
        super().__init__(f"collection {collection!r} has no item {item_id!r}")


class UnknownCollectionError(InputError):
    """No collection with that name."""

    code = "unknown_collection"

    def __init__(self, name: str, known: list[str] | None = None) -> None:
        hint = f"; there are: {', '.join(known)}" if known else "; make it with 'nearfield index'"
        super().__init__(f"there is no collection {name!r}{hint}")


class UnknownConceptError(InputError):
    """No concept with that name in the collection."""

    code = "unknown_concept"

    def __init__(self, collection: str, name: str) -> None:
        super().__init__(
            f"collection {collection!r} has no concept {name!r}; mark items to learn it"
        )


class MissingKeyError(InputError):
    """No key with that name."""

    code = "missing_key"


class SourceMissingError(InputError):
    """A file or folder that was named is not there; nothing was removed because of it."""

    code = "source_missing"


class FilterError(InputError):
    """A filter that cannot be understood."""

    code = "invalid_filter"


class SpaceMismatchError(NearfieldError):
    """Item and collection are of different spaces; the message names both."""

    code = "space_mismatch"


class ModelUnavailableError(NearfieldError):
    """The model cannot be loaded; the message says what was tried and what to do."""

    code = "model_unavailable"


class StoreError(NearfieldError):
    """The catalog or the index failed."""

    code = "store_failed"


class NewerCatalogError(StoreError):
    """A newer version of Nearfield wrote the catalog; it was left alone."""

    code = "newer_catalog"


class StorageFullError(StoreError):
    """There is no room left to write; what was acknowledged is safe."""

    code = "storage_full"


class AccessError(NearfieldError):
    """Whoever asks is not let in."""

    code = "no_access"


class UnknownKeyError(AccessError):
    """No key was sent, or none that is known."""

    code = "unknown_key"


class NotAllowedError(AccessError):
    """The key is known, but it is not for this."""

    code = "not_allowed"


class OverloadedError(NearfieldError):
    """More work than can be done now; `retry_after` is in seconds."""

    code = "overloaded"

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimitError(OverloadedError):
    """More requests than the key may make in this time."""

    code = "rate_limited"
