"""Trace-all of a GPT against a plain `transformers` forward of the same network, one thread.

Four layers of width 128, 32 tokens; the same weights on the same ids, in turns, and of each the best of
`ROUNDS` rounds. The plain forward is as fast as it comes: SDPA, no cache, no outputs but the logits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from nlptui.config import GPTConfig
from nlptui.nn import OFF, Batch
from nlptui.nn.gpt import GPT
from nlptui.trace import Recorder
from tests.parity import weights

VOCAB, WIDTH, LAYERS, HEADS, TOKENS = 256, 128, 4, 4, 32
ROUNDS = 1000


def networks() -> tuple[GPT, GPT2LMHeadModel]:
    """The same GPT-2 twice: ours and `transformers`'."""
    torch.manual_seed(0)
    sizes = {"n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "n_positions": TOKENS, "vocab_size": VOCAB}
    options = {"attn_implementation": "sdpa", "use_cache": False, "bos_token_id": 0, "eos_token_id": 0}
    plain = GPT2LMHeadModel(GPT2Config(**sizes, **options))
    sizes = {"d_model": WIDTH, "n_layers": LAYERS, "n_heads": HEADS, "context": TOKENS, "vocab_size": VOCAB}
    ours = GPT(GPTConfig(arch="gpt", d_ff=4 * WIDTH, **sizes))
    ours.load_state_dict(weights.gpt2(plain.transformer.state_dict(), LAYERS))
    return ours.eval(), plain.eval()


def best_of(calls: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Milliseconds a call, the best round of each; the calls take turns within a round."""
    best = dict.fromkeys(calls, float("inf"))
    for _round in range(ROUNDS):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            best[name] = min(best[name], (time.perf_counter() - started) * 1e3)
    return best


def run() -> dict[str, Any]:
    """Times, ratios and the number of activations; the logits of both agree or it raises."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            return _measure()
    finally:
        torch.set_num_threads(threads)


def _measure() -> dict[str, Any]:
    ours, plain = networks()
    ids = torch.randint(0, VOCAB, (1, TOKENS))
    parameters = dict(ours.named_parameters())

    def trace_all() -> Recorder:
        recorder = Recorder(parameters)
        ours(Batch(ids), recorder)
        return recorder

    difference = (ours(Batch(ids), OFF)["logits"] - plain(ids).logits).abs().max().item()
    if difference > 1e-4:
        raise RuntimeError(f"the two networks differ by {difference:.1e}: nothing to compare")
    calls = {"plain": lambda: plain(ids), "trace": trace_all, "off": lambda: ours(Batch(ids), OFF)}
    times = best_of(calls)
    return {
        "transformers forward, ms": times["plain"],
        "trace-all, ms": times["trace"],
        "forward with the recorder off, ms": times["off"],
        "trace-all / transformers (aim ≤ 1.3)": times["trace"] / times["plain"],
        "recorder off / transformers": times["off"] / times["plain"],
        "activations recorded (at least 74)": len(trace_all().activations),
        "max |Δ| of the logits": difference,
    }


if __name__ == "__main__":
    for key, value in run().items():
        print(f"{key:<44} {value:.4g}")
