"""What `nlptui tokenize` prints: tokens, ids alone, or the steps that led to them.

Lines that came together are written together, so that a long pipe costs what its tokens cost. Loads no torch.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from nlptui.cli_output import dumps, dumps_plain, write_line
from nlptui.text import visible


def print_ids(tokenizer: Any, lines: Sequence[str]) -> None:
    """The ids of each line on a line, with spaces between them."""
    rows = [" ".join(map(str, row)) for row in tokenizer.framed_ids(lines)]
    sys.stdout.write("\n".join(rows) + "\n")
    sys.stdout.flush()


def print_tokens(tokenizer: Any, name: str, lines: Sequence[str], as_json: bool) -> None:
    """A table of tokens for each line, or a line of JSON."""
    from nlptui.cli_show import token_lines, tokens_of

    written: list[str] = []
    for line in lines:
        tokens = tokens_of(tokenizer.encode(line))
        if as_json:
            written.append(dumps_plain({"text": line, "tokenizer": name, "tokens": tokens}))
        else:
            written += token_lines(tokens)
    sys.stdout.write("\n".join(written) + "\n")
    sys.stdout.flush()


def print_steps(
    tokenizer: Any, name: str, lines: Sequence[str], as_json: bool, how: tuple[int, float, int, int]
) -> None:
    """The steps of each line, and the drawn segmentations where some are asked for."""
    from dataclasses import asdict

    from nlptui.cli_output import text_width
    from nlptui.engine.tokenizer import replay, sample
    from nlptui.views.segmentation import step_lines

    best, alpha, count, seed = how
    for line in lines:
        steps = replay(tokenizer, line, best, alpha)
        drawn = sample(tokenizer, line, alpha, count, seed) if count else []
        if as_json:
            value = {"text": line, "tokenizer": name, "steps": asdict(steps)}
            write_line(dumps(value | ({"sampled": [asdict(one) for one in drawn]} if count else {})))
            continue
        for shown in step_lines(steps, drawn, text_width()):
            write_line(visible(shown))
