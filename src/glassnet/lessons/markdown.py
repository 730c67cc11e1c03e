"""A lesson's Markdown, of which HTML, pictures and headings are not part: they are shown as they stand."""

from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline, image
from markdown_it.token import Token

__all__ = ["LINKS", "links", "parse", "render", "render_line"]

LINKS = ("#", "https://")
"""What a link begins with: a view of the page, or what is elsewhere, which another window shows."""


def render(markdown: str) -> str:
    """Return paragraphs, lists and tables as HTML."""
    return str(_parser().render(markdown))


def render_line(markdown: str) -> str:
    """Return a line as HTML, without a paragraph around it."""
    return str(_parser().renderInline(markdown))


def parse(markdown: str) -> list[Token]:
    """Return what the text consists of, for another form than HTML."""
    return _parser().parse(markdown)


def links(markdown: str) -> list[str]:
    """Return where each link would lead, also those that are not in ``LINKS`` and are shown as they stand."""
    blocks = _parser(any_link=True).parse(markdown)
    tokens = (token for block in blocks for token in block.children or ())
    return [str(token.attrGet("href")) for token in tokens if token.type == "link_open"]


@cache
def _parser(any_link: bool = False) -> MarkdownIt:
    # A heading would be in the wrong place of the page, and a picture from elsewhere would be a request elsewhere.
    parser = MarkdownIt("js-default").disable(["html_block", "html_inline", "heading", "lheading"])
    parser.inline.ruler.at("image", _as_it_stands)
    parser.validateLink = lambda url: any_link or url.startswith(LINKS)  # type: ignore[method-assign]
    parser.add_render_rule("link_open", _open_link)
    return parser


def _as_it_stands(state: StateInline, silent: bool) -> bool:
    """Take a picture for text; if it were not parsed as one, a link would be made of all but its exclamation mark."""
    start = state.pos
    if not image(state, True):
        return False
    if not silent:
        state.pending += state.src[start : state.pos]
    return True


def _open_link(renderer: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    """Open what is elsewhere in another window, so that the lesson stays where it is."""
    token = tokens[index]
    if not str(token.attrGet("href")).startswith("#"):
        token.attrs |= {"target": "_blank", "rel": "noopener noreferrer"}
    return str(renderer.renderToken(tokens, index, options, env))
