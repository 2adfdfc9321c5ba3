"""How often a JPEG makes a decoder pass over all of its pixels; too often is refused.

Looks at markers alone, before anything is decoded. Knows nothing about Pillow.
Source: ITU-T T.81, annex B.
"""

from __future__ import annotations

import re

from latent.errors import ImageTooLargeError

MOST_SCANS = 100  # libtiff's limit, too; cameras and tools write up to a dozen

SCAN = b"\xff\xda"  # begins a scan
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # neither a byte nor a restart

BASELINE, EXTENDED, START, END, PRIVATE = 0xC0, 0xC1, 0xDA, 0xD9, 0x01
WITHOUT_LENGTH = frozenset({PRIVATE, 0xD8})
BEFORE_SCANS = frozenset({0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)})
"""Tables, comments and what applications write: what may stand before the first scan."""


def check_scans(name: str, content: bytes) -> None:
    """Refuse a JPEG of very many scans: each is a pass over the pixels, however few its bytes.

    Raises:
        ImageTooLargeError: it has more than `MOST_SCANS`; `name` is for the message.
    """
    # Looking through all bytes of a photo takes a tenth of decoding it, and keeps every other
    # thread waiting; of nearly all photos the first bytes tell.
    if _is_one_scan(content) or content.count(SCAN) <= MOST_SCANS:
        return
    at, scans = 2, 0
    while marker := MARKER.search(content, at):
        at = marker.end()
        kind = marker[0][1]
        if kind == END:  # what is behind it, such as a film, may look like anything
            return
        if kind not in WITHOUT_LENGTH:
            at += int.from_bytes(content[at : at + 2])
        scans += kind == START
        if scans > MOST_SCANS:
            raise ImageTooLargeError(f"{name}: more than {MOST_SCANS} scans of the same picture")


def _is_one_scan(content: bytes) -> bool:
    """Whether the first scan holds all there is of every colour, so that decoders end there.

    So it is where the frame is sequential and the scan has all of its components. Anything out of
    the ordinary on the way is not told.
    """
    at, components = 2, 0
    while content[at : at + 1] == b"\xff":
        head = content[at + 1 : at + 10]  # kind, length, and the beginning of what it holds
        kind, length = head[0] if head else END, int.from_bytes(head[1:3])
        if len(head) < 9 or length < 2:
            return False
        if kind == START:
            return components > 0 and head[3] == components
        if kind in (BASELINE, EXTENDED) and not components:
            components = head[8]
        elif kind not in BEFORE_SCANS:
            return False
        at += 2 + length
    return False
