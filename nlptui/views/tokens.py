"""What the tokenizer made of the text: tokens with ids, offsets and segments.

Knows nothing of what the model does with them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nlptui.locale import N_, _
from nlptui.text import UNKNOWN
from nlptui.views.figure import Figure, Source, Token, Tokens
from nlptui.views.view import State, View, titled, words_of

if TYPE_CHECKING:
    from nlptui.trace import Trace


def token_row(
    title: str, encoding: Any, source: Source | None = None, labels: tuple[str, ...] = ()
) -> Tokens:
    """The tokens of an Encoding, by their strings, or by `labels`."""
    tokens = []
    for i, text in enumerate(labels or encoding.tokens):
        start, end = encoding.offsets[i] or (None, None)
        tokens.append(
            Token(
                text=text,
                id=encoding.ids[i],
                start=start,
                end=end,
                special=encoding.special[i],
                segment=encoding.segments[i],
            )
        )
    return Tokens(title, tuple(tokens), source)


def ids_source(trace: Trace, name: str) -> Source | None:
    """Where a token's id can be opened, if the run kept its inputs."""
    return Source(name, (0, "row")) if name in trace else None


def read_source(trace: Trace) -> Source | None:
    """What the model reads of a token: its id; a CRF, which reads no ids, the feature that is the word
    itself; a model of rules, the rule that decided on it.
    """
    if "ids" not in trace and "features" in trace:
        names = trace.labels("features", "feature")
        return Source("features", (0, "row", names.index("word") if "word" in names else 0))
    return ids_source(trace, "ids") or ids_source(trace, "rule")


def own_row(trace: Trace) -> Tokens:
    """The tokens of a run, each opening to what the model reads of it; no ids where the model reads none."""
    row = token_row(_("tokens"), trace.encoding, read_source(trace), words_of(trace))
    if "ids" in trace or not ("features" in trace or "rule" in trace):
        return row
    return replace(row, tokens=tuple(replace(token, id=None) for token in row.tokens))


def target_row(trace: Trace) -> Tokens:
    """What the decoder was given, as far as the trace knows it: strings and ids."""
    texts = trace.labels("target_ids", "tgt")
    ids = trace.array("target_ids")[0].tolist()
    tokens = tuple(Token(text, int(id)) for text, id in zip(texts, ids, strict=True))
    return Tokens(_("the decoder's tokens"), tokens, ids_source(trace, "target_ids"))


def draw(trace: Trace, state: State) -> Figure:
    """One row of tokens, and one of the decoder's where there is a decoder."""
    encoding = trace.encoding
    parts = [own_row(trace)]
    if "target_ids" in trace.inputs:
        parts.append(target_row(trace))
    caption = _("{n} tokens, {m} characters").format(
        n=len(encoding.tokens), m=len(encoding.text) + len(encoding.pair or "")
    )
    if trace.truncated:
        caption = titled(caption, _("The text is longer than the model reads; only its beginning was used."))
    unknown = [token for token, word in zip(encoding.tokens, words_of(trace), strict=True) if token != word]
    if unknown:
        words = _("{mark} behind a token: it is not in the vocabulary, and the model reads {token}.")
        caption = titled(caption, words.format(mark=UNKNOWN, token=unknown[0]))
    return Figure("tokens", _(VIEW.title), tuple(parts), caption)


VIEW = View("tokens", 1, N_("Tokens"), applies=lambda thing: True, draw=draw)
