"""A training step of each family against a plain PyTorch loop of the same network: one thread, then all.

The plain loop is what one would write: torch.nn's modules (nanoGPT's blocks, `transformers`' BERT with SDPA),
fused AdamW, torch's own clipping. Both see the same batches and take turns; a figure is the best of `ROUNDS`
rounds, in processor time, which for one thread is the time on the clock of an idle machine; with as many
threads as there are cores it is the time on the clock itself, which says little where others use them too.
The plain loop gets its batches ready-made, ours draws and pads them inside the step; "batches given" is ours
without that.
"""

from __future__ import annotations

import math
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nlptui.config import config_from_dict
from nlptui.data.readers import TaggedWord
from nlptui.nn import Batch, build_model
from nlptui.nn.layers import sinusoids
from nlptui.tasks import task_for
from nlptui.tasks.base import id_array
from nlptui.tasks.language_model import RunningText
from nlptui.tokenizers import build_tokenizer
from nlptui.train import loop
from nlptui.train.build import Parts
from nlptui.train.recipe import recipe_from_dict
from nlptui.train.run import RunDirectory

ROUNDS, STEPS = 7, 4
Step = Callable[[], None]


# The same words and texts for both: random ones, as many and as long as in the shipped recipes.


def words(rng: random.Random, count: int) -> list[str]:
    """Made-up words, short ones more often."""
    return ["".join(rng.choices("etaoinshrdlu", k=1 + int(rng.expovariate(0.3)))) for _ in range(count)]


def tagging_recipe(arch: str) -> dict[str, Any]:
    """The shape of the shipped English taggers."""
    return {
        "arch": arch, "task": "tagging", "d_embed": 100, "d_hidden": 128, "bidirectional": True,
        "d_char": 24, "d_char_feature": 64, "char_kernel": 3,
    }  # fmt: skip


GPT_SHAPE = {
    "arch": "gpt", "task": "language_model", "context": 128, "activation": "gelu",
    "d_model": 128, "n_layers": 4, "n_heads": 4, "d_ff": 512,
}  # fmt: skip
BERT_SHAPE = {
    "arch": "bert", "task": "pretraining", "context": 96,
    "d_model": 192, "n_layers": 4, "n_heads": 4, "d_ff": 768,
}  # fmt: skip


TRANSFORMER_SHAPE = {
    "arch": "transformer", "task": "translation", "context": 64, "d_model": 192, "n_layers": 2, "n_heads": 4,
    "d_ff": 768,
}  # fmt: skip


def tagging_parts(arch: str) -> Parts:
    """A tagger and 400 made-up sentences of 5 to 40 words from 10,000."""
    rng = random.Random(0)
    vocabulary = words(rng, 10_000)
    tags = [f"T{i}" for i in range(17)]
    sentences = [
        [TaggedWord(rng.choice(vocabulary), rng.choice(tags), True) for _ in range(rng.randint(5, 40))]
        for _ in range(400)
    ]
    tokenizer = build_tokenizer("words", [vocabulary], characters=True)
    return parts_of(
        tagging_recipe(arch) | {"labels": tags}, tokenizer, lambda task: [task.example(s) for s in sentences]
    )


def gpt_parts() -> Parts:
    """A character GPT and 100,000 random characters."""
    rng = random.Random(0)
    letters = "".join(map(chr, range(33, 98)))
    tokenizer = build_tokenizer("characters", [letters])
    text = "".join(rng.choices(letters, k=100_000))
    return parts_of(GPT_SHAPE, tokenizer, lambda task: [RunningText(id_array(tokenizer.encode_ids(text)))])


def bert_parts() -> Parts:
    """A BERT with 6,000 tokens and a book of made-up sentences of 8 to 30 words."""
    rng = random.Random(0)
    vocabulary = sorted({*words(rng, 40_000)})[:5995]
    tokenizer = build_tokenizer("words", [vocabulary], template="cls_sep")
    text = "\n".join(
        " ".join(rng.choices(vocabulary, k=rng.randint(8, 30))).capitalize() + "." for _ in range(2000)
    )
    return parts_of(BERT_SHAPE, tokenizer, lambda task: [task.book(text)])


def transformer_parts() -> Parts:
    """A translator with 4,000 tokens on either side, and 400 made-up pairs of 4 to 12 words."""
    rng = random.Random(0)
    vocabulary = sorted({*words(rng, 20_000)})[:4000]
    tokenizer = build_tokenizer("words", [vocabulary], template="bos_eos")
    pairs = [[" ".join(rng.choices(vocabulary, k=rng.randint(4, 12))) for _ in range(2)] for _ in range(400)]
    return parts_of(TRANSFORMER_SHAPE, tokenizer, lambda task: [task.example(*pair) for pair in pairs])


def parts_of(model: dict[str, Any], tokenizer: Any, examples: Callable[[Any], list[Any]]) -> Parts:
    """What the loop trains: no corpus is needed."""
    torch.manual_seed(0)
    content = model | {"vocab_size": tokenizer.vocab_size}
    if tokenizer.char_vocab_size:
        content["n_chars"] = tokenizer.char_vocab_size
    config = config_from_dict(content, where="benchmark")
    task = task_for(config, tokenizer)
    return Parts(config, tokenizer, build_model(config), task, examples(task), [])


# Ours: the loop itself.


def trainer_of(parts: Parts, batch_size: int, folder: Path, precision: str = "fp32") -> loop.Trainer:
    """A trainer at its first step."""
    recipe = recipe_from_dict(
        {
            "name": "benchmark",
            "data": {"corpus": "none"},
            "tokenizer": {"kind": "words"},
            "model": {"arch": parts.config.arch, "task": parts.config.task},
            "train": {
                "steps": 10**6, "batch_size": batch_size, "device": "cpu", "schedule": "constant",
                "precision": precision,
            },
        },
        where="benchmark",
    )  # fmt: skip
    trainer = loop.Trainer(RunDirectory(folder), recipe, mock.Mock(), mock.Mock())
    with mock.patch.object(loop, "build", lambda *_: parts):
        trainer.prepare()
    return trainer


# Theirs: the networks from torch.nn, and the loop that one writes.


class PlainTagger(nn.Module):
    """Embedding and character convolution, torch.nn's recurrent layer on packed sequences, a linear head."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.words = nn.Embedding(config.vocab_size, config.d_embed)
        self.characters = nn.Embedding(config.n_chars, config.d_char, padding_idx=0)
        self.conv = nn.Conv1d(config.d_char, config.d_char_feature, config.char_kernel, padding="same")
        core = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[config.arch]
        self.core = core(
            config.d_embed + config.d_char_feature, config.d_hidden, batch_first=True, bidirectional=True
        )
        self.head = nn.Linear(2 * config.d_hidden, len(config.labels))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, batch: Batch) -> Tensor:
        assert batch.chars is not None
        embedded = self.characters(batch.chars.flatten(0, 1)).transpose(1, 2)
        blank = (batch.chars.flatten(0, 1) == 0)[:, None]
        feature = self.conv(embedded).masked_fill(blank, -math.inf).amax(2)
        feature = feature.masked_fill(blank.all(2), 0.0).unflatten(0, batch.ids.shape)
        x = self.dropout(torch.cat([self.words(batch.ids), feature], -1))
        if batch.mask is None:
            return self.head(self.dropout(self.core(x)[0]))  # type: ignore[no-any-return]
        packed = pack_padded_sequence(x, batch.mask.sum(1), batch_first=True, enforce_sorted=False)
        hidden, _lengths = pad_packed_sequence(self.core(packed)[0], batch_first=True)
        return self.head(self.dropout(hidden))  # type: ignore[no-any-return]


class PlainBlock(nn.Module):
    """nanoGPT's block: one matrix for queries, keys and values; fused attention."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = nn.Dropout(dropout)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.join = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.gelu = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in self.qkv(self.norm1(x)).split(x.shape[2], 2)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.dropout(self.join(mixed.transpose(1, 2).contiguous().view_as(x)))
        return x + self.dropout(self.down(self.gelu(self.up(self.norm2(x)))))  # type: ignore[no-any-return]


class PlainGPT(nn.Module):
    """nanoGPT's model, without dropout on attention weights, its head tied to the embedding."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.tokens = nn.Embedding(config.vocab_size, config.d_model)
        self.places = nn.Embedding(config.context, config.d_model)
        self.blocks = nn.Sequential(
            *(PlainBlock(config.d_model, config.n_heads, config.dropout) for _ in range(config.n_layers))
        )
        self.dropout = nn.Dropout(config.dropout)
        self.norm = nn.LayerNorm(config.d_model)
        self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, batch: Batch) -> Tensor:
        x = self.dropout(self.tokens(batch.ids) + self.places(torch.arange(batch.ids.shape[1])))
        return self.head(self.norm(self.blocks(x)))  # type: ignore[no-any-return]


class PlainTransformer(nn.Module):
    """torch.nn's encoder and decoder layers over one embedding, which is the head as well."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        sizes = (config.d_model, config.n_heads, config.d_ff, config.dropout)
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(*sizes, batch_first=True), config.n_layers, enable_nested_tensor=False
        )
        self.decoder = nn.TransformerDecoder(
            nn.TransformerDecoderLayer(*sizes, batch_first=True), config.n_layers
        )
        self.tokens = nn.Embedding(config.vocab_size, config.d_model)
        self.register_buffer("places", sinusoids(config.context, config.d_model))

    def forward(self, batch: Batch) -> Tensor:
        assert batch.target_ids is not None
        blank = None if batch.mask is None else ~batch.mask
        later = nn.Transformer.generate_square_subsequent_mask(batch.target_ids.shape[1])
        memory = self.encoder(self.embed(batch.ids), src_key_padding_mask=blank)
        hidden = self.decoder(
            self.embed(batch.target_ids), memory, later, memory_key_padding_mask=blank, tgt_is_causal=True
        )
        return F.linear(hidden, self.tokens.weight)

    def embed(self, ids: Tensor) -> Tensor:
        return self.tokens(ids) * self.tokens.embedding_dim**0.5 + self.places[: ids.shape[1]]  # type: ignore[index]


def token_loss(key: str) -> Callable[[nn.Module, Any], Tensor]:
    """Cross-entropy of a network's logits with `targets[key]`."""

    def loss(network: nn.Module, made: Any) -> Tensor:
        batch, targets, _tokens = made
        return F.cross_entropy(network(batch).flatten(0, 1), targets[key].flatten())

    return loss


def plain_bert(config: Any) -> nn.Module:
    """`transformers`' BERT for pre-training, of the same sizes, without dropout."""
    from transformers import BertConfig, BertForPreTraining

    return BertForPreTraining(
        BertConfig(
            vocab_size=config.vocab_size, hidden_size=config.d_model, num_hidden_layers=config.n_layers,
            num_attention_heads=config.n_heads, intermediate_size=config.d_ff,
            max_position_embeddings=config.context, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
            attn_implementation="sdpa",
        )
    )  # fmt: skip


def bert_loss(network: nn.Module, made: Any) -> Tensor:
    """`transformers`' own loss; its labels are built once for each batch, outside the step."""
    batch, targets, _tokens = made
    return network(  # type: ignore[no-any-return]
        input_ids=batch.ids,
        attention_mask=targets["attention"],
        token_type_ids=batch.segments,
        labels=targets["labels"],
        next_sentence_label=targets["nsp"],
    ).loss


def with_bert_labels(made: Any) -> Any:
    batch, targets, tokens = made
    labels = torch.full_like(batch.ids, -100).flatten()
    labels[targets["mlm_positions"]] = targets["mlm"]
    mask = torch.ones_like(batch.ids) if batch.mask is None else batch.mask.long()
    return batch, targets | {"labels": labels.view_as(batch.ids), "attention": mask}, tokens


def plain_step(network: nn.Module, loss: Callable[[nn.Module, Any], Tensor], batches: Iterator[Any]) -> Step:
    """zero_grad, loss, backward, clip, step."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.01, fused=True)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss(network, next(batches)).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    return step


# Side by side.


def cycle(batches: list[Any]) -> Iterator[Any]:
    while True:
        yield from batches


def best_of(steps: dict[str, Step], rounds: int = ROUNDS) -> dict[str, float]:
    """Milliseconds a step, the best round of each; the loops take turns within a round."""
    now = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    best = dict.fromkeys(steps, math.inf)
    for _round in range(rounds):
        for name, step in steps.items():
            started = now()
            for _n in range(STEPS):
                step()
            best[name] = min(best[name], (now() - started) / STEPS * 1e3)
    return best


def compare(
    parts: Parts,
    batch_size: int,
    network: nn.Module,
    loss: Any,
    prepare: Any = lambda made: made,
    half: bool = False,
) -> dict[str, float]:
    """Times of ours, ours with batches given, and the plain loop; with `half`, of ours in bf16 too."""
    ours = sum(parameter.numel() for parameter in parts.model.parameters())
    theirs = sum(parameter.numel() for parameter in network.parameters())
    if abs(ours - theirs) > 0.005 * ours:
        raise RuntimeError(f"{ours} and {theirs} parameters: not the same network")
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        whole, given = trainer_of(parts, batch_size, Path(first)), trainer_of(parts, batch_size, Path(second))
        deals = [whole.learner.dealer.next() for _ in range(STEPS)]
        batches = [(part.batch, part.targets, part.tokens) for deal in deals for part in deal.parts]
        fed = cycle(deals)
        given.learner.dealer.next = lambda: next(fed)  # type: ignore[method-assign]
        # What is drawn inside the step has the sizes of what the others are given.
        stream = whole.learner.dealer.stream
        places = cycle([{**stream.state(), "epoch": 0, "index": i} for i in range(STEPS)])

        def ours_drawing() -> None:
            place = next(places)
            stream.epoch, stream.index = place["epoch"], place["index"]
            whole.update()

        plain = plain_step(network, loss, cycle([prepare(made) for made in batches]))
        steps = {"ours": ours_drawing, "batches given": given.update, "plain": plain}
        if half:
            best_of(steps)
            folder = Path(first) / "half"
            folder.mkdir()
            low = trainer_of(parts, batch_size, folder, "bf16")
            low.learner.dealer.next = lambda: next(fed)  # type: ignore[method-assign]
            return best_of(steps) | best_of({"bf16": low.update}, rounds=1)
        best_of(steps)
        return best_of(steps)


def run() -> dict[str, Any]:
    """Milliseconds and ratios for each family, at one thread; ratios at as many as there are cores."""
    threads, cores = torch.get_num_threads(), os.cpu_count() or 1
    found: dict[str, Any] = {}
    try:
        for count in dict.fromkeys((1, cores)):
            torch.set_num_threads(count)
            for family, other, times in measured():
                note(found, family, times, other, count)
    finally:
        torch.set_num_threads(threads)
    return found


def measured() -> Iterator[tuple[str, str, dict[str, float]]]:
    """Family, what it is held against, and the times."""
    for arch in ("rnn", "lstm", "gru"):
        parts = tagging_parts(arch)
        yield arch, "torch.nn", compare(parts, 32, PlainTagger(parts.config), token_loss("labels"))
    parts = gpt_parts()
    yield "gpt", "nanoGPT's step", compare(parts, 16, PlainGPT(parts.config), token_loss("next"), half=True)
    parts = bert_parts()
    times = compare(parts, 24, plain_bert(parts.config), bert_loss, with_bert_labels)
    yield "bert", "transformers", times
    parts = transformer_parts()
    times = compare(parts, 32, PlainTransformer(parts.config), token_loss("next"))
    yield "transformer", "torch.nn", times


def note(found: dict[str, Any], family: str, times: dict[str, float], other: str, threads: int) -> None:
    if threads > 1:
        found[f"{family}: ours / {other}, {threads} threads"] = times["ours"] / times["plain"]
        return
    found[f"{family}: ours / {other} (aim ≤ 1.0)"] = times["ours"] / times["plain"]
    found[f"{family}: ours with batches given / {other}"] = times["batches given"] / times["plain"]
    if "bf16" in times:
        found[f"{family}: ours in bf16 with batches given / {other} in fp32"] = times["bf16"] / times["plain"]
    found[f"{family}: ours, ms a step"] = times["ours"]
    found[f"{family}: {other}, ms a step"] = times["plain"]


if __name__ == "__main__":
    for key, value in run().items():
        print(f"{key:<52} {value:.4g}", flush=True)
