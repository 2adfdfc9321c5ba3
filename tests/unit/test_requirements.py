"""What the image is made of: every package that is needed, by version and hash, from nowhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "requirements.txt").read_text(encoding="utf-8")
PINNED = dict(re.findall(r"^([a-z0-9._-]+)==(\S+)(?: ; [^\\\n]+)? \\\n", TEXT, re.MULTILINE))


def named(requirement: str) -> str:
    """The name of a package as the file has it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", requirement)[0]).lower()


def test_everything_that_is_needed_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    missing = {named(one) for one in needed} - {named(one) for one in PINNED}
    assert not missing, "run scripts/lock"


def test_every_package_has_a_hash() -> None:
    blocks = re.split(r"\n(?=\S)", TEXT.strip())
    assert len(blocks) == len(PINNED) > 20
    for block in blocks:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block


def test_the_file_names_no_place_to_fetch_from() -> None:
    lines = [line.split("#")[0].rstrip(" \\") for line in TEXT.splitlines()]
    allowed = re.compile(
        r"([a-z0-9._-]+==[\w.+!-]+( ; [\w!=<>. \"']+)?)|( +--hash=sha256:[0-9a-f]{64})|"
    )
    assert [line for line in lines if not allowed.fullmatch(line)] == []
