"""What the pages of the documentation show: blocks of code, commands, and what they print.

Knows nothing about what the pages say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ELISION = "…"  # stands for anything that is not shown
NEARLY = 0.002  # as far as a score may be from the one that is shown

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{2,3} (.*)$", re.MULTILINE)
HIT = re.compile(r"(\d+) +(-?\d\.\d+) +(image|text) +(.*)")
FRAME = re.compile(r"[\s─━│┃┌┐└┘├┤┬┴┼┏┓┗┛┡┩╇╈┳┻╋]+")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: what is in it, in which language."""

    language: str
    text: str


@dataclass(frozen=True)
class Typed:
    """A command of a console block, with its continuation lines, and what it is said to print."""

    command: str
    shown: str


def read(page: str) -> str:
    """The text of a page, by its path from the root."""
    return (ROOT / page).read_text(encoding="utf-8")


def rows_in(text: str) -> dict[str, list[str]]:
    """The cells of every table row that begins with a code word, by that word."""
    lines = text.splitlines()
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines if line[:2] == "| "]
    return {row[0].strip("`"): row for row in cells if row[0].startswith("`")}


def rows_of(page: str) -> dict[str, list[str]]:
    """The same of a whole page, by its path from the root."""
    return rows_in(read(page))


def blocks(text: str) -> list[Block]:
    """The fenced blocks, in order."""
    return [Block(language, content) for language, content in BLOCK.findall(text)]


def sections(text: str) -> dict[str, str]:
    """What stands below each heading, by the heading, down to the next one."""
    parts = HEADING.split(BLOCK.sub(lambda found: found[0].replace("\n#", "\n #"), text))
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def typed(text: str) -> list[Typed]:
    """The commands of all console blocks, in order."""
    return [one for block in blocks(text) if block.language == "console" for one in typed_in(block)]


def typed_in(block: Block) -> list[Typed]:
    """The commands of a block: behind `$ `, continued behind `> `."""
    found = []
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        first, *others = part.splitlines()
        is_more = [line.startswith("> ") or line == ">" for line in others]
        end = is_more.index(False) if False in is_more else len(others)
        lines = [first, *(line[2:] for line in others[:end])]
        found.append(Typed("\n".join(lines), "\n".join(others[end:])))
    return found


def differences(shown: Any, found: Any, where: str = "answer") -> Iterator[str]:
    """How an answer differs from the one that is shown; `…` stands for whatever is there."""
    if shown == ELISION:
        return
    if isinstance(shown, dict) and isinstance(found, dict):
        names = shown.keys() | (set() if ELISION in shown else found.keys())
        for name in sorted(names - {ELISION}):
            if name not in shown or name not in found:
                yield f"{where} {'lacks' if name not in found else 'has also'} {name!r}"
            else:
                yield from differences(shown[name], found[name], f"{where}.{name}")
    elif isinstance(shown, list) and isinstance(found, list):
        is_open = shown[-1:] == [ELISION]
        if len(shown) - is_open > len(found) or (not is_open and len(shown) < len(found)):
            yield f"{where} has {len(found)} entries"
        for number, (one, other) in enumerate(zip(shown, found, strict=False)):
            yield from differences(one, other, f"{where}[{number}]")
    elif isinstance(shown, float) and isinstance(found, float):
        if abs(shown - found) > NEARLY:
            yield f"{where} is {found}, not {shown}"
    elif shown != found:
        yield f"{where} is {found!r}, not {shown!r}"


def surprises(shown: str, printed: str) -> list[str]:
    """What is shown and was not printed so.

    JSON is compared as such; of other output every line, in order. A line `…` stands for any
    lines, and numbers with a decimal point that are no scores, and folders, may be others.
    """
    if not shown.strip():
        return []
    try:
        return list(differences(json.loads(shown), json.loads(printed)))
    except ValueError:
        pass
    wanted, lines = _lines(shown), _lines(printed)
    if ELISION not in wanted:
        pairs = zip_longest(wanted, lines, fillvalue="(nothing)")
        return [f"{line!r} is shown, not {real!r}" for line, real in pairs if not _same(line, real)]
    remaining = iter(lines)
    return [
        f"{line!r} is shown and not printed"
        for line in wanted
        if line != ELISION and not any(_same(line, real) for real in remaining)
    ]


def _lines(text: str) -> list[str]:
    """The lines without frames and with single spaces; empty ones left out."""
    plain = (FRAME.sub(" ", line).strip() for line in text.splitlines())
    return [line for line in plain if line]


def _same(shown: str, real: str) -> bool:
    one, other = HIT.fullmatch(shown), HIT.fullmatch(real)
    if one and other:
        nearly = abs(float(one[2]) - float(other[2])) <= NEARLY
        alike = _masked(one[4]) == _masked(other[4])
        return nearly and alike and (one[1], one[3]) == (other[1], other[3])
    return _masked(shown) == _masked(real)


def _masked(line: str) -> str:
    line = re.sub(r"(?<![\w.:/])/\S*/", "/", line)  # folders of the machine
    return re.sub(r"\d+\.\d+", "0.0", line)
