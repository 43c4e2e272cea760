"""The steps of a tokenizer as lines of words: normalisation, merges, tries, lattice, best segmentations.

Knows nothing of how a step was found: it gets a replay (`nlptui.tokenizers.replay`) and puts it into words.
The same lines stand on the screen and behind `nlptui tokenize --steps`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len

from nlptui.locale import _
from nlptui.text import visible
from nlptui.views.cells import clip, fit

MARK = {True: "✓", False: "✗"}
MOST = 2000
"""Steps that are written out; what is left out is counted."""


@dataclass(frozen=True)
class Step:
    """One line: what happens, and what there is afterwards."""

    text: str
    after: tuple[str, ...] = ()
    """The pieces after this step."""
    look: str = ""
    """bold for a heading, accent for what is taken, faint for what is not."""
    between: str = "│"
    """What keeps the pieces apart."""

    @property
    def shown(self) -> str:
        """The pieces side by side, each of them visible."""
        return self.between.join(map(_chip, self.after))


def steps_of(replay: Any, drawn: Sequence[Any] = ()) -> list[Step]:
    """All steps of a replay, under headings."""
    steps = [*_normalisation(replay.normalised, replay.nfkc)]
    if replay.words:
        steps += _merges(replay.words)
    if replay.tried:
        steps += _tries(replay.tried, replay.kind)
    if replay.nodes:
        steps += _lattice(replay.nodes)
    if replay.best:
        steps.append(Step(_("the best segmentations: score, probability"), look="bold"))
        steps += map(_segmentation, replay.best)
    if drawn:
        steps.append(Step(_("drawn segmentations: score, probability"), look="bold"))
        steps += map(_segmentation, drawn)
    for fallback in replay.fallbacks:
        words = _("{piece} is not in the vocabulary: its bytes stand for it")
        steps.append(Step(words.format(piece=_quoted(fallback.piece)), fallback.bytes, "accent"))
    if replay.tokens:
        steps.append(Step(_("tokens: id, place in the text, and what stands there"), look="bold"))
        steps += _placed(replay.tokens, replay.normalised.before)
    if len(steps) > MOST:
        left = len(steps) - MOST
        steps = [*steps[:MOST], Step(_("… and {n} more steps").format(n=left), look="faint")]
    ids = " ".join(map(str, replay.ids))
    return [*steps, Step(_("ids: the library's own"), look="bold"), Step(ids or "–")]


def _quoted(text: str) -> str:
    return f"“{visible(text)}”"


def _normalisation(normal: Any, nfkc: Any) -> Iterator[Step]:
    yield Step(_("normalisation"), look="bold")
    if normal.before == normal.after or not normal.changes:
        yield Step(_("nothing changes"), (normal.after,) if normal.before != normal.after else (), "faint")
    else:
        yield from _changes(normal, "accent")
        yield Step(_("afterwards"), (normal.after,))
    if nfkc is not None:
        yield Step(_("NFKC, which this tokenizer leaves out, would change"), look="bold")
        yield from _changes(nfkc, "faint")
        yield Step(_("afterwards"), (nfkc.after,), "faint")


def _changes(normal: Any, look: str) -> Iterator[Step]:
    for change in normal.changes:
        codes = " ".join(f"U+{ord(letter):04X}" for letter in change.before[:8])
        after = _quoted(change.after) if change.after else _("nothing")
        yield Step(f"{change.start}–{change.end}  {_quoted(change.before)} → {after}  {codes}", look=look)


def _merges(words: Sequence[Any]) -> Iterator[Step]:
    for word in words:
        yield Step(_("merges of {word}").format(word=_quoted("".join(word.start))), word.start, "bold")
        for merge in word.merges:
            said = _("rank {rank}: {left} + {right} → {both}").format(
                rank=merge.rank, left=visible(merge.left), right=visible(merge.right),
                both=visible(merge.left + merge.right),
            )  # fmt: skip
            yield Step(said, merge.symbols)
        if word.merges and word.tokens != word.merges[-1].symbols:
            yield Step(_("pieces that are not to be used go back to what they were made of"), word.tokens)


def _tries(words: Sequence[Any], kind: str) -> Iterator[Step]:
    if kind == "written":
        yield Step(_("the model reads each as it is written; nothing is looked up"), look="bold")
        yield from (Step(visible(word.word) or "␣") for word in words)
        return
    if kind == "lookup":
        yield Step(_("each is looked up in the vocabulary"), look="bold")
    for word in words:
        if kind != "lookup":
            yield Step(_("longest match in {word}").format(word=_quoted(word.word)), look="bold")
        for one in word.tries:
            known = one.id is not None
            words_of = f"{MARK[known]} {visible(one.piece) or '␣'}" + (f"  {one.id}" if known else "")
            yield Step(words_of.replace(" \u2581", " ▁"), look="accent" if known else "faint")
        if kind != "lookup":
            yield Step("→", word.tokens)


def _lattice(nodes: Sequence[Any]) -> Iterator[Step]:
    yield Step(_("lattice: place, log-probability, best score up to there; ● on the best path"), look="bold")
    width = max(cell_len(visible(node.piece)) for node in nodes)
    for node in nodes:
        piece = fit(visible(node.piece), min(width, 24))
        text = f"{'●' if node.best else '·'} {node.start:>3}–{node.end:<3} {piece}"
        yield Step(f"{text} {node.score:9.4f} {node.total:10.4f}", look="accent" if node.best else "")


def _placed(tokens: Sequence[Any], text: str) -> Iterator[Step]:
    width = max(cell_len(visible(one.token)) for one in tokens)
    for one in tokens:
        piece = fit(visible(one.token).replace(" ", "␣"), min(width, 24))
        yield Step(f"{one.id:>7}  {one.start:>3}–{one.end:<3}  {piece}", (text[one.start : one.end],))


def _segmentation(way: Any) -> Step:
    return Step(f"{way.score:10.4f}  {way.probability:8.4f}", way.pieces)


def chips(pieces: Sequence[str]) -> str:
    """Pieces side by side, each of them visible and apart from the next."""
    return "│".join(map(_chip, pieces))


def _chip(piece: str) -> str:
    return visible(piece).replace(" ", "␣")


def step_lines(replay: Any, drawn: Sequence[Any], width: int) -> Iterator[str]:
    """The steps as plain text, for a terminal or a pipe."""
    for step in steps_of(replay, drawn):
        indent = "" if step.look == "bold" else "  "
        line = f"{indent}{step.text}"
        # Ids and single steps are written whole; a row of pieces ends where the terminal does.
        yield clip(f"{line}   {step.shown}", max(width, 40)) if step.after else line
