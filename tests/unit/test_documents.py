"""Text files of every encoding become readable text; what is no text says so."""

from __future__ import annotations

import codecs
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent.errors import UnsupportedMediaError
from latent.media.documents import Document, document


def read(content: bytes, suffix: str = ".txt") -> Document:
    return document(content, name="it" + suffix, suffix=suffix)


@pytest.mark.parametrize(
    "content",
    [
        "Grüße, 犬".encode(),
        codecs.BOM_UTF8 + "Grüße, 犬".encode(),
        codecs.BOM_UTF16_LE + "Grüße, 犬".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "Grüße, 犬".encode("utf-16-be"),
        codecs.BOM_UTF32_LE + "Grüße, 犬".encode("utf-32-le"),
    ],
)
def test_unicode_is_read_whatever_its_form(content: bytes) -> None:
    assert read(content).text == "Grüße, 犬"


def test_old_western_files_are_read() -> None:
    assert read("“Grüße” – 5 €".encode("cp1252")).text == "“Grüße” – 5 €"


def test_bytes_that_no_code_page_has_still_become_text() -> None:
    assert read(b"caf\xe9 \x81").text == "café \x81"


def test_line_ends_are_the_same_everywhere() -> None:
    assert read(b"one\r\ntwo\rthree").text == "one\ntwo\nthree"


@pytest.mark.parametrize("content", [b"", b" \n\t\r\n ", codecs.BOM_UTF8])
def test_a_file_that_says_nothing_is_empty(content: bytes) -> None:
    with pytest.raises(UnsupportedMediaError, match="empty"):
        read(content)


@pytest.mark.parametrize(
    "content",
    [
        b"text \x00 text",
        b"\x89PNG\r\n\x1a\n\x00\x00",
        bytes(range(1, 32)) * 9,
        b"\xff\xfea\x00\x00",
    ],
)
def test_a_binary_file_is_refused(content: bytes) -> None:
    with pytest.raises(UnsupportedMediaError):
        read(content)


@pytest.mark.parametrize(
    ("content", "suffix", "title"),
    [
        (b"intro\n\n# Two dogs #\n\nthey play", ".md", "Two dogs"),
        (b"no heading", ".md", None),
        (b"========\nTwo dogs\n========\n\nthey play", ".rst", "Two dogs"),
        (b"Two dogs\n~~~~~~~~\n\nthey play", ".rst", "Two dogs"),
        (b"# not a heading", ".txt", None),
    ],
)
def test_a_heading_is_the_title(content: bytes, suffix: str, title: str | None) -> None:
    assert read(content, suffix).title == title


def test_html_is_read_as_a_browser_shows_it() -> None:
    page = b"""<!DOCTYPE html><html><head><title>Two &amp; dogs</title>
      <style>p {color: red}</style><script>alert("no")</script></head>
      <body><h1>Dogs</h1><p>They <b>play</b>
      in&nbsp;the snow.</p><ul><li>one<li>two</ul><template>hidden</template></body></html>"""
    found = read(page, ".html")
    assert found.title == "Two & dogs"
    assert found.text == "Dogs\n\nThey play in the snow.\n\none\ntwo"


def test_html_may_declare_its_encoding() -> None:
    page = '<meta charset="koi8-r"><p>собака</p>'.encode("koi8-r")
    assert read(page, ".html").text == "собака"


def test_html_with_an_unknown_encoding_is_read_all_the_same() -> None:
    assert read(b'<meta charset="martian"><p>dog</p>', ".htm").text == "dog"


def test_html_without_text_is_empty() -> None:
    with pytest.raises(UnsupportedMediaError, match="empty"):
        read(b"<html><script>only()</script></html>", ".html")


@given(st.text(st.sampled_from("<>!-/[]&;'\"=abp \n"), max_size=80))
def test_no_markup_raises_anything_but_our_error(markup: str) -> None:
    with contextlib.suppress(UnsupportedMediaError):
        assert read(markup.encode(), ".html").text.strip()


@given(st.binary(max_size=80), st.sampled_from([".txt", ".md", ".rst", ".html"]))
def test_no_bytes_raise_anything_but_our_error(content: bytes, suffix: str) -> None:
    with contextlib.suppress(UnsupportedMediaError):
        assert read(content, suffix).text.strip()


@pytest.mark.parametrize(
    "encoding", ["unicode_escape", "raw_unicode_escape", "utf-7", "punycode", "undefined", "utf-16"]
)
def test_a_page_cannot_declare_what_no_browser_reads(encoding: str) -> None:
    page = f'<meta charset="{encoding}"><p>a \\ud800 +2AA- dog'.encode()
    assert read(page, ".html").text == "a \\ud800 +2AA- dog"


def test_words_behind_a_comment_that_never_ends_are_kept() -> None:
    assert read(b"<p>a dog <!-- and <b>a cat", ".html").text == "a dog and a cat"
    assert read(b"<p>a dog <!-- hidden --> and a <cat", ".html").text == "a dog and a <cat"


@pytest.mark.parametrize(
    "page", [b"<!--" * 200_000, b"<svg>" * 300_000 + b"</style>" * 300_000, b"<a " * 200_000]
)
def test_hostile_pages_are_read_in_a_time_that_ends(page: bytes) -> None:
    assert read(b"<p>a dog</p>" + page, ".html").text.startswith("a dog")


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("# A dog", "A dog"),
        ("## A dog ##  ", "A dog"),
        ("# C#", "C#"),
        ("# a" + "#" * 1_000_000 + "b", "a" + "#" * 199),
    ],
)
def test_a_markdown_heading_is_the_title(line: str, title: str) -> None:
    assert read(f"{line}\n\ntext".encode(), ".md").title == title
