"""Equations in Unicode text, such as ``A₁ = 1 / (1 + e^(−Z₁))``, as MathML, which browsers typeset without any help."""

import re
from collections import deque
from html import escape

__all__ = ["mathml"]

_TOKEN = re.compile(r"[A-Za-zα-ωΑ-ΩΣ]+|[0-9.]+|[₀-₉]+|_\w|\S")
_SUPERSCRIPTS = {"ᵀ": "<mi>⊤</mi>", "²": "<mn>2</mn>", "³": "<mn>3</mn>", "′": "<mo>′</mo>"}
_PLAIN = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_OPEN, _CLOSE = "<mrow><mo>(</mo>", "<mo>)</mo></mrow>"


def mathml(equation: str) -> str:
    """Return a ``<math>`` element for an equation in the notation of this package.

    ``x / y`` becomes a fraction of the two things beside the stroke, ``^`` raises what follows it, ``√`` covers it;
    round brackets around what is covered, raised or divided are for the text alone and go.
    """
    return f'<math display="block">{_row(deque(_TOKEN.findall(equation)))}</math>'


def _row(tokens: deque[str]) -> str:
    """Everything up to a closing bracket or the end."""
    parts: list[str] = []
    while tokens and tokens[0] != ")":
        if tokens[0] == "/":
            tokens.popleft()
            parts[-1] = f"<mfrac>{_bare(parts[-1])}{_bare(_atom(tokens))}</mfrac>"
            continue
        atom = _atom(tokens)
        if parts and not parts[-1].endswith("</mo>") and not atom.startswith(("<mo>", _OPEN)):
            parts.append('<mspace width="0.2em"/>')  # X W is a product, and reads better with a gap
        parts.append(atom)
    return "".join(parts)


def _atom(tokens: deque[str]) -> str:
    """One symbol, number, root or bracketed row, with what stands below and above it."""
    base = _base(tokens)
    below = above = ""
    while tokens and (tokens[0] in _SUPERSCRIPTS or tokens[0] == "^" or tokens[0][0] in "_₀₁₂₃₄₅₆₇₈₉"):
        token = tokens.popleft()
        if token == "^":
            above = _bare(_atom(tokens))
        elif token in _SUPERSCRIPTS:
            above = _SUPERSCRIPTS[token]
        else:
            below = _symbol(token.translate(_PLAIN).removeprefix("_"))
    if below and above:
        return f"<msubsup>{base}{below}{above}</msubsup>"
    return f"<msub>{base}{below}</msub>" if below else f"<msup>{base}{above}</msup>" if above else base


def _base(tokens: deque[str]) -> str:
    token = tokens.popleft()
    if token == "(":
        inner = _row(tokens)
        tokens.popleft()
        return f"{_OPEN}{inner}{_CLOSE}"
    if token == "√":
        return f"<msqrt>{_bare(_base(tokens))}</msqrt>"
    return _symbol(token)


def _symbol(token: str) -> str:
    if token[0].isdigit() or token == "½":
        return f"<mn>{token}</mn>"
    if token == "Σ" or not token.isalpha():
        return f"<mo>{escape(token)}</mo>"
    if token[0] == "d" and len(token) == 2:  # dW, dγ: the gradient's d stands upright
        return f'<mrow><mi mathvariant="normal">d</mi><mi>{token[1]}</mi></mrow>'
    return f"<mi>{token}</mi>"


def _bare(element: str) -> str:
    if element.startswith(_OPEN) and element.endswith(_CLOSE):
        return f"<mrow>{element[len(_OPEN) : -len(_CLOSE)]}</mrow>"
    return element
