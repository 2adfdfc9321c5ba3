"""JSON as RFC 8259 has it: no NaN, no Infinity, and only text that can be written down.

Knows nothing about what is in it.
"""

from __future__ import annotations

import json
import math
from typing import NoReturn

import orjson
from pydantic_core import from_json

from latent.items import JSON

MOST_VALUES = 5_000_000  # numbers of a thousand long vectors; each takes tens of bytes when read


def read(content: bytes | str) -> JSON:
    """The value.

    Raises:
        json.JSONDecodeError: it is no JSON; says why in few words.
    """
    if len(content) > MOST_VALUES and _commas(content) > MOST_VALUES:
        raise _error(f"it holds more than {MOST_VALUES} values")
    try:
        # The one refuses what could not be written again, the other keeps whole numbers of any
        # size; both together take a fifth of the time that the standard library does.
        orjson.loads(content)
        value: JSON = from_json(content, allow_inf_nan=False)
    except ValueError as error:
        _refuse_for_a_reason(content)
        raise _error("it is nested too deeply" if "limit" in str(error) else str(error)) from error
    return value


def _refuse_for_a_reason(content: bytes | str) -> None:
    """Read at leisure, for the sake of a reason that people understand."""
    try:
        value: JSON = json.loads(content, parse_constant=_refuse, parse_float=_finite)
        if _may_hold_halves(content):
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError:
        raise
    except RecursionError as error:
        raise _error("it is nested too deeply") from error
    except UnicodeError as error:
        raise _error("its text is no valid Unicode") from error
    except ValueError as error:  # an integer of thousands of digits
        raise _error(str(error)) from error


def _commas(content: bytes | str) -> int:
    """About as many as there are values; counting them reads a gigabyte in a second."""
    return content.count(b",") if isinstance(content, bytes) else content.count(",")


def _may_hold_halves(content: bytes | str) -> bool:
    r"""Whether there is an escape such as `\ud800`: half a character, if it stands alone.

    Text may hold the half itself: the command line does, where its bytes are no UTF-8.
    """
    if isinstance(content, bytes):
        return b"\\ud" in content.lower()
    return "\\ud" in content.lower() or not content.isascii()


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _error(f"{digits[:20]} is more than a number can be")
    return number


def _refuse(name: str) -> NoReturn:
    raise _error(f"{name} is no JSON number")


def _error(message: str) -> json.JSONDecodeError:
    return json.JSONDecodeError(message, "", 0)
