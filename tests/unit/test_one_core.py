"""A search keeps to one core, unless it was asked otherwise before it began."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

NAME = "OPENBLAS_NUM_THREADS"
SAYS = f"import nearfield, os; print(os.environ[{NAME!r}])"


@pytest.mark.parametrize(("given", "expected"), [(None, "1"), ("3", "3")])
def test_blas_has_one_thread_unless_told_otherwise(given: str | None, expected: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != NAME}
    if given is not None:
        environment[NAME] = given
    said = subprocess.run(
        [sys.executable, "-c", SAYS], env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == expected


def test_it_is_said_before_numpy_is_loaded() -> None:
    probe = (
        "import sys, os, builtins\n"
        "plain = builtins.__import__\n"
        "def watched(name, *given):\n"
        "    if name == 'numpy' and 'numpy' not in sys.modules:\n"
        f"        print(os.environ.get({NAME!r}))\n"
        "    return plain(name, *given)\n"
        "builtins.__import__ = watched\n"
        "import nearfield\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != NAME}
    said = subprocess.run(
        [sys.executable, "-c", probe], env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout.splitlines()[0] == "1"
