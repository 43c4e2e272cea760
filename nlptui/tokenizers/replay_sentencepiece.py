"""SentencePiece, step by step: its BPE, its unigram lattice, its word and character models.

Follows bpe_model.cc, unigram_model.cc and sentencepiece_processor.cc of the library to the letter, the
rounding to float32 included, so that ties fall as they fall there. Normalisation is the library's own.
"""

from __future__ import annotations

import heapq
import math
import random
import struct
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.tokenizers.base import Tokenizer
from nlptui.tokenizers.replay import (
    Change,
    Fallback,
    Merge,
    MergedWord,
    Node,
    Normalised,
    Replay,
    Segmentation,
    TriedWord,
    Try,
)
from nlptui.tokenizers.sentencepiece import SPACE, SentencePieceTokenizer
from nlptui.tokenizers.sentencepiece_model import Model, read_model

UNKNOWN_PENALTY = 10.0
"""How much less likely than the least likely piece a character outside the vocabulary is."""
SYMBOL_BONUS = 0.1
"""What each byte of a symbol that the user defined scores, after the first."""
_FAR = 100_000.0
"""Where a score is too large for a float to tell two ways apart: the library counts from 0 again there."""


def float32(value: float) -> float:
    """`value` as a C float holds it."""
    rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    return rounded


def replayer(tokenizer: Tokenizer) -> Callable[[str, int, float], Replay]:
    """The steps of a SentencePiece tokenizer."""
    assert isinstance(tokenizer, SentencePieceTokenizer)
    return Steps(tokenizer.model, tokenizer.processor.normalize)


def sampler(tokenizer: Tokenizer) -> Callable[[str, float, int, int], list[Segmentation]]:
    """Draws segmentations of a unigram model."""
    assert isinstance(tokenizer, SentencePieceTokenizer)
    return Steps(tokenizer.model, tokenizer.processor.normalize).samples


class _Pair(NamedTuple):
    """Two neighbours that make a piece, in the order in which they are merged."""

    cost: float
    left: int
    order: int
    right: int
    size: int


class Steps:
    """One model, and what it does with a text."""

    def __init__(self, content: bytes, normalize: Callable[..., tuple[str, list[int]]]) -> None:
        self._content = content
        self._normalize = normalize

    @cached_property
    def model(self) -> Model:
        return read_model(self._content)

    def __call__(self, text: str, best: int = 5, alpha: float = 1.0) -> Replay:
        normal, _starts = self.normalised(text)
        written = normal.after
        if self.model.kind == "bpe":
            word, pieces = self._merged(written)
            ids, fallbacks = self._ids(pieces)
            return Replay("bpe", normal, ids, words=(word,), fallbacks=fallbacks)
        if self.model.kind == "unigram":
            nodes = self._lattice(written)
            path = [node for node in nodes if node.best]
            ids, fallbacks = self._ids([(node.piece, node.id) for node in path])
            ways = tuple(self._likeliest(written, nodes, best, alpha))
            return Replay("unigram", normal, ids, nodes=nodes, best=ways, fallbacks=fallbacks)
        pieces = [(word, self._id(word)) for word in self._words(written)]
        ids, fallbacks = self._ids(pieces)
        tried = tuple(
            TriedWord(piece, (Try(0, len(piece), piece, None if n == self.model.unknown else n),), (piece,))
            for piece, n in pieces
        )
        return Replay("lookup", normal, ids, tried=tried, fallbacks=fallbacks)

    # Normalisation, the library's own.

    def normalised(self, text: str) -> tuple[Normalised, list[int]]:
        """The text as the model reads it, and for each of its characters where it begins in `text`."""
        if not text:
            return Normalised("", "", ()), [0]
        after, starts = self._normalize(text, with_offsets=True)
        return Normalised(text, after, tuple(_changes(text, after, starts))), starts

    # What all kinds share: pieces to ids.

    def _id(self, piece: str) -> int:
        return self.model.reserved.get(piece, self.model.pieces.get(piece, self.model.unknown))

    def _ids(self, pieces: list[tuple[str, int]]) -> tuple[tuple[int, ...], tuple[Fallback, ...]]:
        """Ids of pieces: a run of unknown ones is one; with byte fallback, each is its bytes."""
        ids: list[int] = []
        fallbacks = []
        before = False
        for piece, number in pieces:
            unknown = number == self.model.unknown
            if unknown and self.model.byte_fallback:
                bytes_of = tuple(f"<0x{byte:02X}>" for byte in piece.encode("utf-8"))
                ids += [self._id(byte) for byte in bytes_of]
                fallbacks.append(Fallback(piece, bytes_of))
            elif not (unknown and before):
                ids.append(number)
            before = unknown
        return tuple(ids), tuple(fallbacks)

    def _symbols(self, text: str) -> Iterator[tuple[str, bool]]:
        """Characters, and symbols that the user defined, which are never merged."""
        at = 0
        while at < len(text):
            found = next(
                (symbol for symbol in self.model.user_defined if text.startswith(symbol, at)), text[at]
            )
            yield found, found in self.model.user_defined
            at += len(found)

    def _words(self, text: str) -> Iterator[str]:
        """The pieces of word and character models, which are looked up whole."""
        if self.model.kind == "char":
            yield from (symbol for symbol, _is_frozen in self._symbols(text))
            return
        start = 0
        for at in range(1, len(text) + 1):
            if at == len(text) or text[at] == SPACE:
                yield text[start:at]
                start = at

    # BPE.

    def _merged(self, text: str) -> tuple[MergedWord, list[tuple[str, int]]]:
        """The merges, the best score first and from the left, and the pieces with their ids."""
        symbols = [symbol for symbol, _is_frozen in self._symbols(text)]
        frozen = [is_frozen for _text, is_frozen in self._symbols(text)]
        start = tuple(symbols)
        after = [*range(1, len(symbols)), -1]
        before = list(range(-1, len(symbols) - 1))
        agenda: list[_Pair] = []
        made_of: dict[str, tuple[str, str]] = {}

        def offer(left: int, right: int) -> None:
            if left < 0 or right < 0 or frozen[left] or frozen[right]:
                return
            number = self.model.pieces.get(symbols[left] + symbols[right])
            if number is None:
                return
            piece = symbols[left] + symbols[right]
            heapq.heappush(agenda, _Pair(-self.model.scores[number], left, len(agenda), right, len(piece)))
            if number in self.model.unused:
                made_of[piece] = symbols[left], symbols[right]

        for right in range(1, len(symbols)):
            offer(right - 1, right)
        merges = []
        while agenda:
            pair = heapq.heappop(agenda)
            one, other = symbols[pair.left], symbols[pair.right]
            if not one or not other or len(one) + len(other) != pair.size:
                continue
            at = sum(1 for symbol in symbols[: pair.left] if symbol)
            symbols[pair.left], symbols[pair.right] = one + other, ""
            after[pair.left] = after[pair.right]
            if after[pair.right] >= 0:
                before[after[pair.right]] = pair.left
            merges.append(Merge(one, other, round(pair.cost), at, tuple(filter(None, symbols))))
            offer(before[pair.left], pair.left)
            offer(pair.left, after[pair.left])
        pieces = [found for symbol in symbols if symbol for found in self._divided(symbol, made_of)]
        return MergedWord(start, tuple(merges), tuple(piece for piece, _id in pieces)), pieces

    def _divided(self, piece: str, made_of: dict[str, tuple[str, str]]) -> Iterator[tuple[str, int]]:
        """A piece that is marked as unused goes back to the two that it was made of."""
        number = self._id(piece)
        if number in self.model.unused and piece in made_of:
            for part in made_of[piece]:
                yield from self._divided(part, made_of)
        else:
            yield piece, number

    # Unigram.

    def _found(self, text: str) -> Iterator[list[tuple[int, str, int, float]]]:
        """For each place the pieces that begin there: end, piece, id, score; from short to long."""
        model = self.model
        least = float32(model.least_score - UNKNOWN_PENALTY)
        for start in range(len(text)):
            here = []
            for end in range(start + 1, min(len(text), start + model.longest) + 1):
                number = model.pieces.get(text[start:end])
                if number is None or number in model.unused:
                    continue
                score = model.scores[number]
                if text[start:end] in model.user_defined:
                    score = float32(SYMBOL_BONUS * (len(text[start:end].encode("utf-8")) - 1))
                here.append((end, text[start:end], number, score))
            if not here or here[0][0] != start + 1:
                here.append((start + 1, text[start], model.unknown, least))
            yield here

    def _lattice(self, text: str) -> tuple[Node, ...]:
        """All pieces, with the best way through each; Viterbi as in the library's EncodeOptimized."""
        totals: list[float | None] = [0.0] + [None] * len(text)
        came: list[int] = [-1] * (len(text) + 1)
        nodes: list[Node] = []
        left_out = 0.0
        for start, here in enumerate(self._found(text)):
            so_far = totals[start]
            assert so_far is not None
            if abs(so_far) > _FAR:
                left_out += so_far
                totals = [None if known is None else float32(known - so_far) for known in totals]
                so_far = 0.0
            for end, piece, number, score in here:
                total = float32(score + so_far)
                nodes.append(Node(start, end, piece, number, score, total + left_out))
                known = totals[end]
                if known is None or total > known:
                    totals[end], came[end] = total, len(nodes) - 1
        on_path = set()
        at = len(text)
        while at > 0:
            on_path.add(came[at])
            at = nodes[came[at]].start
        return tuple(
            node if number not in on_path else Node(**{**node.__dict__, "best": True})
            for number, node in enumerate(nodes)
        )

    def _likeliest(
        self, text: str, nodes: tuple[Node, ...], count: int, alpha: float
    ) -> Iterator[Segmentation]:
        """The `count` best ways: for each place the best ways to it, each one piece longer than another."""
        if not nodes:
            return
        ways: list[list[tuple[float, int, int]]] = [[(0.0, -1, -1)]] + [[] for _c in text]
        ending: list[list[int]] = [[] for _c in range(len(text) + 1)]
        for number, node in enumerate(nodes):
            ending[node.end].append(number)
        for at in range(1, len(text) + 1):
            offered = (
                (score + nodes[number].score, number, rank)
                for number in ending[at]
                for rank, (score, _node, _rank) in enumerate(ways[nodes[number].start])
            )
            ways[at] = heapq.nsmallest(count, offered, key=lambda way: (-way[0], -nodes[way[1]].end
                                                                        + nodes[way[1]].start))  # fmt: skip
        whole = self._forward(text, nodes, alpha)[-1]
        for score, number, rank in ways[-1]:
            pieces = []
            while number >= 0:
                pieces.append(nodes[number].piece)
                _score, number, rank = ways[nodes[number].start][rank]
            yield Segmentation(tuple(reversed(pieces)), score, math.exp(alpha * score - whole))

    def _forward(self, text: str, nodes: tuple[Node, ...], alpha: float) -> list[float]:
        """log Σ exp(alpha · score) over all ways to each place: the forward algorithm."""
        sums = [0.0] + [-math.inf] * len(text)
        for node in nodes:  # in the order of their starts
            sums[node.end] = _log_add(sums[node.end], sums[node.start] + alpha * node.score)
        return sums

    def samples(self, text: str, alpha: float, count: int, seed: int) -> list[Segmentation]:
        """Forward filtering, backward sampling: each way with probability ∝ exp(alpha · score)."""
        if self.model.kind != "unigram":
            raise UserError(_("only a unigram tokenizer has several segmentations to draw from"))
        written = self.normalised(text)[0].after
        nodes = self._lattice(written)
        if not nodes:
            return []
        sums = self._forward(written, nodes, alpha)
        ending: list[list[Node]] = [[] for _c in range(len(written) + 1)]
        for node in nodes:
            ending[node.end].append(node)
        rng = random.Random(seed)
        found = []
        for _n in range(count):
            at, pieces, score = len(written), [], 0.0
            while at:
                weights = [math.exp(sums[n.start] + alpha * n.score - sums[at]) for n in ending[at]]
                node = rng.choices(ending[at], weights)[0]
                pieces.append(node.piece)
                at, score = node.start, score + node.score
            probability = math.exp(alpha * score - sums[-1])
            found.append(Segmentation(tuple(reversed(pieces)), score, probability))
        return found


def _log_add(a: float, b: float) -> float:
    high, low = max(a, b), min(a, b)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def _changes(text: str, after: str, starts: list[int]) -> Iterator[Change]:
    """What the library wrote differently; "▁" for a space and the one in front are its way to write."""
    if starts and starts[0] > 0:
        yield Change(0, starts[0], text[: starts[0]], "")
    at = 0
    while at < len(after):
        end = at + 1
        while end < len(after) and starts[end] == starts[at]:
            end += 1
        stop = starts[end] if end < len(starts) else len(text)
        before, written = text[starts[at] : stop], after[at:end].replace(SPACE, " ")
        # "▁" is put in front of the text before its first character is read.
        ahead = at == 0 and written.startswith(" ") and written[1:] == before
        if before != written and not ahead and not (at == 0 and written == " " and not before):
            yield Change(starts[at], stop, before, written)
        at = end
    if starts and starts[-1] < len(text):
        yield Change(starts[-1], len(text), text[starts[-1] :], "")
