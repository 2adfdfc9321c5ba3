"""Questions that a collection cannot answer, and passages about another world than photos.

Made of the names of things that captions never mention, of the documentation of Python's standard
library, and of letters drawn at random. Knows nothing about models.
"""

from __future__ import annotations

import importlib
import inspect
import random
import re
import string
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence

FORMS = (
    "{}",
    "a photo of a {}",
    "a {} on a table",
    "a {} in the street",
    "a person holding a {}",
    "a {} on the grass",
    "two {}s",
    "a close-up of a {}",
)
NEAR = (
    "a man riding a {}",
    "children playing with a {}",
    "a {} running across a field",
    "a {} at the beach",
    "a woman beside a {}",
    "a {} in the snow",
)
"""Forms whose other half such photos do show."""
NEAR_PART = 4
MODULES = (
    "argparse asyncio base64 calendar collections configparser csv decimal difflib email fractions"
    " ftplib functools gettext heapq html imaplib inspect itertools json locale logging mailbox"
    " math mimetypes numbers operator os pathlib pickle random re sched secrets select shelve"
    " shutil socket sqlite3 ssl statistics string struct subprocess tarfile tempfile textwrap"
    " threading time timeit tokenize types typing unittest uuid wave weakref zipfile"
)
LEAST_BODY, MOST_BODY = 40, 400  # characters of a passage


def absent(names: Iterable[str], captions: Iterable[str], spared: Iterable[str] = ()) -> list[str]:
    """Those of the names no word of which is in more than one caption or among the `spared`."""
    seen = Counter(word for caption in captions for word in set(words(caption)))
    kept = set(spared)

    def is_absent(name: str) -> bool:
        forms = [form for word in words(name) for form in (word, word.rstrip("s"))]
        return not any(seen[form] > 1 or form in kept for form in forms)

    return [name for name in names if is_absent(name)]


def words(text: str) -> list[str]:
    return re.findall("[a-z]+", text.lower())


def questions(names: Sequence[str], *, seed: int) -> list[str]:
    """Questions for what is named, and some that ask for nothing there is."""
    chance = random.Random(seed)
    named = [form.format(name) for name in names for form in chance.sample(FORMS, 2)]
    near = [chance.choice(NEAR).format(name) for name in names[::NEAR_PART]]
    letters = [
        "".join(chance.choices(string.ascii_lowercase, k=chance.randint(3, 10)))
        for _ in range(len(named) // 8)
    ]
    about = [head for head, _ in chance.sample(passages(), len(named) // 6)]
    return named + near + letters + about


def passages() -> list[tuple[str, str]]:
    """What functions of the standard library do in a line, and all that is said beside it."""
    found: dict[str, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # what is old is documented, too
        for module in MODULES.split():
            for _, thing in inspect.getmembers(importlib.import_module(module), callable):
                head, _, body = (inspect.getdoc(thing) or "").partition("\n")
                body = " ".join(body.split())[:MOST_BODY]
                if len(head) > 20 and len(body) > LEAST_BODY:
                    found.setdefault(head[:200], body)
    return sorted(found.items())
