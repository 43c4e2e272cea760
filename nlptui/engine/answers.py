"""What the engine answers with, as plain values: what the command line prints with `--json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nlptui.engine.generation import Step
from nlptui.tokenizers import Encoding

EMPTY_OUTPUTS: dict[str, dict[str, Any]] = {
    "tagging": {"tags": []},
    "classification": {"labels": []},
    "language_model": {"candidates": []},
    "pretraining": {"candidates": []},
    "question_answering": {"spans": []},
    "translation": {"text": "", "tokens": []},
    "skip_gram": {"candidates": []},
}
"""Of each task, the output for a text without tokens."""


def token_list(encoding: Encoding) -> list[dict[str, Any]]:
    """The tokens as the command line prints them; special tokens have no place in the text."""
    return [
        {"id": i, "text": token, "start": place[0] if place else None, "end": place[1] if place else None}
        for i, token, place in zip(encoding.ids, encoding.tokens, encoding.offsets, strict=True)
    ]


def written_output(steps: Sequence[Step]) -> dict[str, Any]:
    """The output of a task whose answer is a text."""
    return {
        "text": "".join(step.text for step in steps),
        "tokens": [{"id": step.id, "text": step.text, "logprob": step.logprob} for step in steps],
    }
