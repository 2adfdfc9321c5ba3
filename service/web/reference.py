"""The page at /docs: the OpenAPI document for people, as plain HTML without any script.

Knows nothing about the service but what its document says, and the table of problems.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from service.problems import kinds

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #1d2733; background: #fff }
code, pre { font: 14px/1.45 ui-monospace, monospace }
pre { background: #f2f5f8; padding: .8rem; overflow-x: auto; white-space: pre-wrap;
      word-break: break-all }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #d5dde5 }
h3 b { display: inline-block; min-width: 4.5rem; color: #0b6bcb }
table { border-collapse: collapse; margin: .5rem 0 }
td, th { text-align: left; padding: .25rem .8rem .25rem 0; vertical-align: top;
         border-bottom: 1px solid #e6ebf0 }
@media (prefers-color-scheme: dark) {
  body { color: #dbe4ee; background: #10161d } pre { background: #1a232d }
  h2, td, th { border-color: #2c3947 } h3 b, a { color: #6cb6ff } }
"""


def page(document: Mapping[str, Any]) -> str:
    """The whole page."""
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>"
        f"<p>{escape(document['info'].get('description', ''))}</p>"
        '<p>The same for programs: <a href="/openapi.json">/openapi.json</a>. '
        'What can go wrong: <a href="#problems">problems</a>.</p>'
        f"{''.join(_operations(document))}{_problems()}</body></html>"
    )


def _operations(document: Mapping[str, Any]) -> Iterator[str]:
    """Each operation, under the heading of its tag."""
    by_tag: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for tag in operation.get("tags", ["other"]):
                by_tag.setdefault(tag, []).append(_operation(document, method, path, operation))
    for tag, sections in by_tag.items():
        yield f"<h2>{escape(tag)}</h2>{''.join(sections)}"


def _operation(
    document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]
) -> str:
    said = "".join(
        f"<p>{escape(paragraph)}</p>"
        for paragraph in operation.get("description", "").split("\n\n")
    )
    return (
        f"<h3><b>{escape(method.upper())}</b> <code>{escape(path)}</code></h3>{said}"
        f"{_parameters(operation)}{_body(document, operation)}"
    )


def _parameters(operation: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(given['name'])}</code></td><td>{escape(given['in'])}</td>"
        f"<td>{escape(_kind(given['schema']))}</td>"
        f"<td>{escape(given.get('description', ''))}</td></tr>"
        for given in operation.get("parameters", [])
    )
    return f"<table>{rows}</table>" if rows else ""


def _body(document: Mapping[str, Any], operation: Mapping[str, Any]) -> str:
    """The fields of the request body, and its example."""
    content = operation.get("requestBody", {}).get("content", {})
    found = ""
    for media_type, given in content.items():
        schema = _resolved(document, given["schema"])
        rows = "".join(
            f"<tr><td><code>{escape(name)}</code></td><td>{escape(_kind(field))}</td>"
            f"<td>{escape(field.get('description', ''))}</td></tr>"
            for name, field in schema.get("properties", {}).items()
        )
        found += f"<p>Body: <code>{escape(media_type)}</code></p><table>{rows}</table>"
        for example in schema.get("examples", []):
            found += f"<pre>{escape(json.dumps(example, indent=2))}</pre>"
    return found


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " | ".join(_kind(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"[{_kind(schema.get('items', {}))}, …]"
    return str(schema.get("type", "any"))


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    name = str(schema["$ref"]).rsplit("/", 1)[-1]
    resolved: Mapping[str, Any] = document["components"]["schemas"][name]
    return resolved


def _problems() -> str:
    """Every kind of problem; `type` of a problem leads to its row."""
    rows = "".join(
        f'<tr id="problem-{escape(kind.code)}"><td>{kind.status}</td>'
        f"<td><code>{escape(kind.code)}</code></td><td>{escape(kind.title)}</td></tr>"
        for kind in kinds()
    )
    return (
        '<h2 id="problems">problems</h2><p>Errors are <code>application/problem+json</code> '
        "(RFC 9457) with <code>type, title, status, detail, code, request_id</code>.</p>"
        f"<table><tr><th>status</th><th>code</th><th>title</th></tr>{rows}</table>"
    )
