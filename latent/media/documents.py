"""Bytes of a text file in, readable text and a title out.

In `latent` like `decode`, because both rooms are handed files. Knows nothing about models, passages
or the catalog.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from dataclasses import dataclass
from html.parser import HTMLParser

from latent.errors import UnsupportedMediaError

HTML = frozenset({".html", ".htm"})
SUFFIXES = frozenset({".txt", ".md", ".rst"}) | HTML
"""How names of texts end."""

LONGEST_TITLE = 200

BOMS = (  # UTF-32 before UTF-16, whose mark it begins with
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
DECLARED = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
NOT_OF_PAGES = frozenset(
    {"utf-7", "unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined"}
    | {"utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"}
)
"""Encodings that a page cannot declare: browsers do not know them, or could not read so far."""
CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
MARKDOWN_TITLE = re.compile(r"^ {0,3}#{1,6}[ \t]+(\S.*)$", re.MULTILINE)
RST_TITLE = re.compile(r"^(\S.*)\n([=\-~#*^\"'`+])\2{2,}[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Document:
    """What a text file says. Offsets of passages count characters of `text`."""

    text: str
    title: str | None = None


def document(content: bytes, *, name: str, suffix: str) -> Document:
    """Read a text file: UTF-8, UTF-16 or UTF-32 with a mark, else Windows-1252; HTML as text.

    Raises:
        UnsupportedMediaError: it is binary, or says nothing.
    """
    text = _decoded(content, name, is_html=suffix in HTML)
    if suffix in HTML:
        found = _from_html(text, name)
    else:
        pattern = {".md": MARKDOWN_TITLE, ".rst": RST_TITLE}.get(suffix)
        match = pattern.search(text) if pattern else None
        found = Document(text, _title(_heading(match, suffix)) if match else None)
    if not found.text.strip():
        raise UnsupportedMediaError(f"{name}: empty: there is no text in it")
    return found


def _decoded(content: bytes, name: str, *, is_html: bool) -> str:
    text = _by_mark(content, name)
    if text is None:
        text = _by_trial(content, is_html=is_html)
    sample = text[:65536]
    if "\0" in text or len(CONTROL.findall(sample)) > len(sample) / 50:
        raise UnsupportedMediaError(f"{name}: binary: it holds no readable text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _by_mark(content: bytes, name: str) -> str | None:
    for mark, encoding in BOMS:
        if content.startswith(mark):
            try:
                return content[len(mark) :].decode(encoding)
            except UnicodeDecodeError as error:
                raise UnsupportedMediaError(f"{name}: it says {encoding} but is not") from error
    return None


def _by_trial(content: bytes, *, is_html: bool) -> str:
    declared = DECLARED.search(content[:4096]) if is_html else None
    encodings = ["utf-8", "cp1252"]
    if declared:
        encodings.insert(0, declared[1].decode("ascii", "replace"))
    for encoding in encodings:
        try:
            if codecs.lookup(encoding).name in NOT_OF_PAGES:
                continue
            return content.decode(encoding)
        except (LookupError, ValueError):  # an encoding that is unknown, or not this one
            continue
    return content.decode("latin-1")  # every byte is a character there


def _title(text: str) -> str | None:
    return " ".join(text.split())[:LONGEST_TITLE] or None


def _heading(match: re.Match[str], suffix: str) -> str:
    """The words of a heading; in Markdown, `#` behind a space at its end closes it."""
    words = match[1].rstrip()
    bare = words.rstrip("#") if suffix == ".md" else words
    return bare if bare != bare.rstrip() else words


# --- HTML -----------------------------------------------------------------------------------

SILENT = frozenset({"script", "style", "template", "noscript", "svg", "iframe", "object"})
BLOCK = re.compile(
    "address|article|aside|blockquote|body|br|caption|dd|details|div|dl|dt|fieldset|figcaption|"
    "figure|footer|form|h[1-6]|header|hr|html|li|main|nav|ol|option|p|pre|section|summary|table|"
    "tbody|td|tfoot|th|thead|tr|ul"
)
PARAGRAPH = re.compile("p|h[1-6]|article|section|table")


def _from_html(markup: str, name: str) -> Document:
    reader = _Reader()
    try:
        reader.feed(_closed(markup))
        reader.close()
    except (AssertionError, ValueError) as error:  # the standard parser on malformed declarations
        raise UnsupportedMediaError(f"{name}: the HTML cannot be read: {error}") from error
    return Document(reader.text(), _title(reader.title))


def _closed(markup: str) -> str:
    """The markup without beginnings that have no end; the parser would look for it each time."""
    for opening, end, words in (("<!--", "-->", " "), ("<", ">", "&lt;")):
        after = markup.rfind(end) + 1
        markup = markup[:after] + markup[after:].replace(opening, words)
    return markup


class _Reader(HTMLParser):
    """Collects what a browser would show, a line for each block, a blank one round paragraphs."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self._parts: list[str] = []
        self._silent: list[str] = []
        self._open: Counter[str] = Counter()  # the same by name: a list is slow to look through
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in SILENT:
            self._silent.append(tag)
            self._open[tag] += 1
        elif tag == "title" and not self._silent:
            self._in_title = not self.title
        else:
            self._break(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._open[tag]:
            inner = ""
            while inner != tag:
                inner = self._silent.pop()
                self._open[inner] -= 1
        elif tag == "title":
            self._in_title = False
        else:
            self._break(tag)

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        if self._in_title:
            self.title += data
        else:
            self._parts.append(data.replace("\n", " "))

    def _break(self, tag: str) -> None:
        if BLOCK.fullmatch(tag):
            self._parts.append("\n\n" if PARAGRAPH.fullmatch(tag) else "\n")

    def text(self) -> str:
        """The text: spaces made single, never more than one blank line."""
        lines = (" ".join(line.split()) for line in "".join(self._parts).split("\n"))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
