"""Text of strangers made readable: markdown without HTML, JSON in colours. Everything is escaped, nothing is loaded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

Tokens = Sequence[tuple[str, str]]
"""(class, text): `k` key, `s` string, `n` number, `b` literal, empty for the rest."""

_JSON = re.compile(
    r'(?P<k>"(?:[^"\\]|\\.)*"(?=\s*:))|(?P<s>"(?:[^"\\]|\\.)*"?)|(?P<n>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<b>true|false|null)'
)
LAID_OUT_JSON = 200_000
"""Characters beyond which nobody reads the layout."""
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")


class _Renderer(RendererHTML):
    """Images are their description and address: loading one would tell a stranger who reads this, and when."""

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        words = self.renderInlineAsText(token.children or [], options, env)
        source = str(token.attrs.get("src", ""))
        return f'<span class="remote">image “{_escape(words)}” <code>{_escape(source[:300])}</code></span>'


def _engine() -> MarkdownIt:
    engine = MarkdownIt("commonmark", {"html": False, "linkify": False, "maxNesting": 20}, renderer_cls=_Renderer)
    engine.enable(["table", "strikethrough"])
    default = engine.validateLink
    # data: images never get here as images; no other scheme than these has a business in a log
    setattr(engine, "validateLink", lambda url: default(url) and url.startswith(("https://", "http://", "mailto:")))  # noqa: B010 - a method, replaced as the library documents
    engine.add_render_rule("link_open", _link_open)
    return engine


def _link_open(self: Any, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
    tokens[idx].attrSet("rel", "noopener noreferrer nofollow")
    tokens[idx].attrSet("target", "_blank")
    return str(self.renderToken(tokens, idx, options, env))


_ENGINE = _engine()


def markdown(text: str) -> str:
    """HTML that is safe as it stands. Headings become smaller than the page's own."""
    html = _ENGINE.render(visible(text))
    return re.sub(r"<(/?)h[1-6]>", lambda match: f"<{match[1]}h4>", html)


def visible(text: str) -> str:
    """Control characters (terminal escapes, direction overrides) as symbols that can be seen and do nothing."""
    text = CONTROL.sub(
        lambda match: chr(0x2400 + ord(match[0])) if ord(match[0]) < 0x20 else "\N{REPLACEMENT CHARACTER}", text
    )
    return BIDI.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(value: Any) -> str:
    """`{"a": 1, "b": [2, 3]}`."""
    data = msgspec.json.format(msgspec.json.encode(value), indent=0)
    return data.decode("utf-8", "replace")


def lay_out(value: Any, width: int = 76) -> str:
    """JSON as a person would write it: what fits on a line stays on one, the rest is indented."""
    text = one_line(value)
    if len(text) <= width or not isinstance(value, (dict, list)) or not value or len(text) > LAID_OUT_JSON:
        return text
    inner = width - 2
    if isinstance(value, dict):
        items = [f"{one_line(str(name))}: {lay_out(each, inner)}" for name, each in value.items()]
    else:
        items = [lay_out(each, inner) for each in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    lines = ",\n".join(items).replace("\n", "\n  ")
    return f"{opening}\n  {lines}\n{closing}"


def json_tokens(text: str) -> Tokens:
    """Laid-out JSON, or the beginning of some, cut into coloured pieces; joined they are the text."""
    found: list[tuple[str, str]] = []
    at = 0
    for match in _JSON.finditer(text):
        if match.start() > at:
            found.append(("", text[at : match.start()]))
        found.append((match.lastgroup or "", visible(match[0])))
        at = match.end()
    return [*found, ("", visible(text[at:]))]


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
