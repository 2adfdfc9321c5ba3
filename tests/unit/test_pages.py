"""What holds the pages against the program must itself notice a difference."""

from __future__ import annotations

import pages
import pytest

TABLE = """\
#  score  kind   where          text
1  0.517  text   mine/diary.txt The cat slept.
2  0.430  image  mine/cat.png
"""


def test_commands_are_read_with_their_continuation_and_what_they_print() -> None:
    text = "```console\n$ python - <<'EOF'\n> print(1)\n>\n> EOF\n1\n$ true\n```\n"
    assert pages.typed(text) == [
        pages.Typed("python - <<'EOF'\nprint(1)\n\nEOF", "1"),
        pages.Typed("true", ""),
    ]


def test_headings_inside_of_blocks_are_none() -> None:
    text = "## One\nwords\n```console\n# no heading\n## nor this\n```\n### Two\nmore\n"
    assert list(pages.sections(text)) == ["One", "Two"]


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        ({"a": 1, "b": "…"}, {"a": 1, "b": [2]}),
        ({"a": 1, "…": "…"}, {"a": 1, "b": 2}),
        ([1, "…"], [1, 2, 3]),
        ({"score": 0.998}, {"score": 0.9975}),
    ],
)
def test_an_answer_may_be_anything_where_something_is_left_out(
    shown: object, found: object
) -> None:
    assert not list(pages.differences(shown, found))


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "…": "…"}, {"b": 2}),
        ([1], [1, 2]),
        ([1, 2, "…"], [1]),
        ({"score": 0.95}, {"score": 0.9}),
        ({"failed": False}, {"failed": True}),
    ],
)
def test_an_answer_that_differs_is_noticed(shown: object, found: object) -> None:
    assert list(pages.differences(shown, found))


def test_output_may_have_other_frames_spaces_folders_and_seconds() -> None:
    shown = "┏━━━┓\n│ mine │  5 │ 0.4 │\n└──┘\nmine: /tmp/a/mine/x.png: broken\n"
    assert not pages.surprises(shown, "│ mine │ 5 │  12.1 │\nmine: /var/b/c/x.png: broken")
    assert not pages.surprises(TABLE, TABLE.replace("0.430", "0.431"))
    assert not pages.surprises("…\n2  0.430  image  mine/cat.png\n", TABLE)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("│ mine │ 5 │", "│ mine │ 6 │"),
        (TABLE, TABLE.replace("0.430", "0.440")),
        (TABLE, TABLE.replace("cat.png", "dog.png")),
        (TABLE, TABLE + "3  0.100  image  mine/dog.png\n"),
        (TABLE + "3  0.100  image  mine/dog.png\n", TABLE),
        ("…\n2  0.430  image  mine/dog.png\n", TABLE),
        ("…\ntwo\none\n…", "one\ntwo"),
        ('{"ok": true}', "all is well"),
        ('{"ok": true}', '{"ok": false}'),
    ],
)
def test_output_that_differs_is_noticed(shown: str, printed: str) -> None:
    assert pages.surprises(shown, printed)
