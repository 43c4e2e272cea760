"""The description of a model: one frozen dataclass for each architecture, and it *is* `config.json`.

Knows nothing of torch, weights or training. An unknown key is an error that names the key and the file.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible

TASKS = (
    "tagging",
    "classification",
    "language_model",
    "pretraining",
    "translation",
    "question_answering",
    "skip_gram",
)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """What every model has, whatever its architecture."""

    ARCHS: ClassVar[tuple[str, ...]] = ()
    MAY_BE_ZERO: ClassVar[tuple[str, ...]] = (
        "vocab_size", "n_chars", "target_vocab_size", "entries", "n_classes", "n_features", "suffix", "refit",
    )  # fmt: skip
    """Sizes that may be 0: not known yet, or not wanted."""

    name: str = ""
    """The model's name in the list, equal to its folder's name."""
    arch: str = ""
    """One of rnn lstm gru transformer bert gpt word2vec hmm crf rules."""
    task: str = "language_model"
    """What the model is for, one of TASKS; it decides which heads the network has."""
    language: str = "en"
    """The language it was trained on: en, zh, or en-zh for a translator."""
    vocab_size: int = 0
    """Rows of the token embedding."""
    labels: tuple[str, ...] = ()
    """Names of the classes, in the order of the head's rows; empty where the output is a vocabulary."""
    context: int = 512
    """The longest sequence of tokens that it reads, special tokens included."""
    dropout: float = 0.0
    """Share of values that training drops; 0 when the model is run."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Metric name → value on the test split."""
    baselines: dict[str, float] = field(default_factory=dict)
    """Baseline name → value of the same metric on the same split."""
    data: dict[str, Any] = field(default_factory=dict)
    """The recipe's [data] table: which corpus and splits it was trained and measured on."""

    def __post_init__(self) -> None:
        if self.arch not in self.ARCHS:
            raise UserError(
                _("unknown arch {arch!r}: choose one of {known}").format(
                    arch=self.arch, known=", ".join(self.ARCHS)
                )
            )
        if self.task not in TASKS:
            raise UserError(
                _("unknown task {task!r}: choose one of {known}").format(
                    task=self.task, known=", ".join(TASKS)
                )
            )
        self._check_sizes()

    def _check_sizes(self) -> None:
        for item in dataclasses.fields(self):
            value, least = getattr(self, item.name), 0 if item.name in self.MAY_BE_ZERO else 1
            if item.type == "int" and value < least:
                raise UserError(
                    _("{key} is {value}, but must be at least {least}").format(
                        key=item.name, value=value, least=least
                    )
                )
        if not 0.0 <= self.dropout < 1.0:
            raise UserError(_("dropout is {value}, but must be in [0, 1)").format(value=self.dropout))
        width, heads = getattr(self, "d_model", 0), getattr(self, "n_heads", 1)
        if width % heads:
            words = _("d_model is {width}, but must be a multiple of n_heads, which is {heads}")
            raise UserError(words.format(width=width, heads=heads))

    def to_dict(self) -> dict[str, Any]:
        """The content of `config.json`."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in dataclasses.asdict(self).items()}

    def write(self, path: Path) -> None:
        """Write `config.json` at `path`, whole or not at all."""
        scratch = path.with_name(path.name + ".part")
        scratch.write_text(json.dumps(self.to_dict(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        os.replace(scratch, path)

    @staticmethod
    def read(path: Path) -> ModelConfig:
        """The config in the file at `path`. Raises UserError that names the file and the key at fault."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(_("{path}: no such file; a model folder needs one").format(path=path)) from None
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise UserError(
                _("{path}: not readable as JSON ({error})").format(path=path, error=visible(str(error)))
            ) from None
        if not isinstance(content, dict):
            raise UserError(_('{path}: a JSON object is needed, with a key "arch"').format(path=path))
        return config_from_dict(content, where=str(path))


@dataclass(frozen=True, kw_only=True)
class RecurrentConfig(ModelConfig):
    """An RNN, LSTM or GRU over token embeddings, with a head for labels or for the next token."""

    ARCHS: ClassVar[tuple[str, ...]] = ("rnn", "lstm", "gru")

    d_embed: int = 100
    """Width of a token's embedding."""
    d_hidden: int = 128
    """Width of the hidden state of one direction."""
    n_layers: int = 1
    """Layers stacked on each other."""
    bidirectional: bool = False
    """Whether a second chain reads the text from its end."""
    n_chars: int = 0
    """Size of the character vocabulary; 0: no character features."""
    d_char: int = 24
    """Width of a character's embedding."""
    d_char_feature: int = 64
    """Filters of the character convolution, which are the width of a token's character feature."""
    char_kernel: int = 3
    """Characters that one filter sees."""
    pooling: str = "max"
    """How a sequence becomes one vector, for a sequence label: cls, mean, max or attention."""
    crf: bool = False
    """Whether a tagger chooses the tags of a sentence together, by a CRF over the scores of its head."""
    segmenter: str = ""
    """The model that cuts raw text into words first; empty: the tokenizer's own rules do."""
    embed_std: float = 0.1
    """Spread of a new token embedding; from a small one, large steps may saturate a tanh before it learns."""
    forget_bias: float = 0.0
    """Where an LSTM's forget gate begins, so that it keeps what it was told: its bias (Gers et al. 2000,
    Jozefowicz et al. 2015); 0: small random numbers, as torch does."""


@dataclass(frozen=True, kw_only=True)
class BertConfig(ModelConfig):
    """A post-LN encoder with token, position and segment embeddings."""

    ARCHS: ClassVar[tuple[str, ...]] = ("bert",)

    d_model: int = 192
    """Width of the residual stream."""
    n_layers: int = 4
    """Blocks."""
    n_heads: int = 4
    """Attention heads in each block; they divide d_model."""
    d_ff: int = 768
    """Width of the feed-forward layer's middle."""
    n_segments: int = 2
    """Rows of the segment embedding."""
    norm_eps: float = 1e-12
    """Added to the variance in each LayerNorm."""
    pooling: str = "cls"
    """How a sequence becomes one vector: cls (first token, dense, tanh), mean, max or attention."""
    poolings: tuple[str, ...] = ()
    """Of a classifier: poolers that stand on one encoder, each with a head of its own; `pooling` is the one
    in use. Empty: that one alone."""
    deep_supervision: float = 0.0
    """While a network learns to answer questions: the weight in the loss of the answers that its head would
    give after each block but the last (Lee et al. 2015). They teach the lower blocks to find names, which the
    upper ones build on."""


@dataclass(frozen=True, kw_only=True)
class GPTConfig(ModelConfig):
    """A causal decoder: pre-LN as GPT-2, or post-LN as GPT-1."""

    ARCHS: ClassVar[tuple[str, ...]] = ("gpt",)

    d_model: int = 128
    """Width of the residual stream."""
    n_layers: int = 4
    """Blocks."""
    n_heads: int = 4
    """Attention heads in each block; they divide d_model."""
    d_ff: int = 512
    """Width of the feed-forward layer's middle."""
    activation: str = "gelu_tanh"
    """Between the feed-forward layer's two matrices: gelu_tanh (GPT-2's approximation) or gelu."""
    norm_order: str = "pre"
    """pre: LayerNorm before each part, and one at the end (GPT-2); post: after each sum (GPT-1)."""
    norm_eps: float = 1e-5
    """Added to the variance in each LayerNorm."""
    bias: bool = True
    """Whether linear layers and LayerNorms have biases."""


@dataclass(frozen=True, kw_only=True)
class TransformerConfig(ModelConfig):
    """The encoder–decoder of 2017: post-LN, sinusoidal or learned positions."""

    ARCHS: ClassVar[tuple[str, ...]] = ("transformer",)

    target_vocab_size: int = 0
    """Rows of the target embedding; 0: source and target share one vocabulary and one embedding."""
    d_model: int = 192
    """Width of the residual stream."""
    n_layers: int = 2
    """Blocks of the encoder, and of the decoder."""
    n_heads: int = 4
    """Attention heads; they divide d_model."""
    d_ff: int = 768
    """Width of the feed-forward layer's middle."""
    positions: str = "sinusoidal"
    """sinusoidal or learned."""
    beams: int = 1
    """Translations that the search keeps at each step; 1: greedy, the likeliest next token."""
    length_power: float = 1.0
    """A translation's log-probability is divided by its length to this power before two are compared."""
    norm_eps: float = 1e-5
    """Added to the variance in each LayerNorm."""


@dataclass(frozen=True, kw_only=True)
class Word2VecConfig(ModelConfig):
    """Two vectors a word, as a centre and as a context: skip-gram with negative sampling."""

    ARCHS: ClassVar[tuple[str, ...]] = ("word2vec",)

    d_embed: int = 100
    """Width of a word's vector."""
    window: int = 5
    """Words on each side that count as company; each centre draws its own reach from 1 to this."""
    negatives: int = 5
    """Noise words that are drawn for each pair of centre and context."""
    subsample: float = 1e-3
    """Words whose share of the text is above it are skipped at random, the frequent ones most; 0: none."""


@dataclass(frozen=True, kw_only=True)
class HMMConfig(ModelConfig):
    """A hidden Markov model: tables of counts, smoothed."""

    ARCHS: ClassVar[tuple[str, ...]] = ("hmm",)

    smoothing: str = "witten_bell"
    """Of words: witten_bell (as many new words as a tag has different ones) or add_k."""
    add_k: float = 0.1
    """What is added to each count of tags that may follow each other, and of classes of rare words."""
    suffix: int = 4
    """Characters of an unknown word's end that its class may go by; 0: its shape alone."""
    rare: int = 5
    """How often a word may come that classes of unknown words are learned from."""
    class_words: int = 10
    """Rare words that a suffix must have to be a class."""
    segmenter: str = ""
    """The model that cuts raw text into words first; empty: the tokenizer's own rules do."""
    entries: int = 0
    """Pairs of a word and a tag that were seen; found by training."""
    n_classes: int = 0
    """Classes of unknown words; found by training."""


@dataclass(frozen=True, kw_only=True)
class CRFConfig(ModelConfig):
    """A linear-chain conditional random field over readable features."""

    ARCHS: ClassVar[tuple[str, ...]] = ("crf",)

    features: tuple[str, ...] = ("bias", "word", "ends3", "shape", "before", "after")
    """Templates of features, from `classical.features`."""
    min_count: int = 2
    """How often a feature must come in train."""
    l2: float = 1.0
    """What the sum of the squared weights is multiplied by in the loss, which sums over sentences."""
    prune: float = 0.0
    """Weights of features that are smaller than this are dropped at the end."""
    refit: int = 0
    """Of the steps of L-BFGS, how many are made after that with the weights that are left."""
    segmenter: str = ""
    """The model that cuts raw text into words first; empty: the tokenizer's own rules do."""
    entries: int = 0
    """Pairs of a feature and a tag that have a weight; found by training."""
    n_features: int = 0
    """Features that have a weight, and one more that stands for none; found by training."""


@dataclass(frozen=True, kw_only=True)
class RulesConfig(ModelConfig):
    """Ordered regular expressions, or a dictionary, in `rules.toml`; nothing is trained."""

    ARCHS: ClassVar[tuple[str, ...]] = ("rules",)

    segmenter: str = ""
    """The model that cuts raw text into words first; empty: the tokenizer's own rules do."""


CONFIG_CLASSES: tuple[type[ModelConfig], ...] = (
    RecurrentConfig,
    BertConfig,
    GPTConfig,
    TransformerConfig,
    Word2VecConfig,
    HMMConfig,
    CRFConfig,
    RulesConfig,
)
CLASSICAL = ("hmm", "crf", "rules")
"""Those that were there before the networks; they read words as strings."""
ARCHS = tuple(arch for cls in CONFIG_CLASSES for arch in cls.ARCHS)


def config_class(arch: str, where: str) -> type[ModelConfig]:
    """The dataclass for `arch`. Raises UserError that names `where` it was asked for."""
    for cls in CONFIG_CLASSES:
        if arch in cls.ARCHS:
            return cls
    raise UserError(
        _("{where}: unknown arch {arch!r}; choose one of {known}").format(
            where=where, arch=visible(str(arch)), known=", ".join(ARCHS)
        )
    )


def config_from_dict(content: dict[str, Any], where: str) -> ModelConfig:
    """The config that `content` describes; `where` (a file) is named in every error."""
    cls = config_class(content.get("arch", ""), where)
    hints = get_type_hints(cls)
    known = {item.name for item in dataclasses.fields(cls)}
    for key, value in content.items():
        if key not in known:
            raise UserError(
                _("{where}: unknown key {key!r}; {arch} knows {known}").format(
                    where=where, key=visible(str(key)), arch=content["arch"], known=", ".join(sorted(known))
                )
            )
        if not _fits(value, hints[key]):
            raise UserError(
                _("{where}: key {key!r} has the value {value}, which is not of type {type}").format(
                    where=where,
                    key=key,
                    value=visible(json.dumps(value, ensure_ascii=False, default=str))[:80],
                    type=_type_name(hints[key]),
                )
            )
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}
    try:
        return cls(**values)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def _fits(value: Any, hint: Any) -> bool:
    origin = get_origin(hint) or hint
    if origin is tuple:
        return isinstance(value, (list, tuple)) and all(isinstance(item, get_args(hint)[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(item, get_args(hint)[1]) for item in value.values())
    if hint is Any:
        return True
    if origin is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if origin is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, origin)


def _type_name(hint: Any) -> str:
    return str(getattr(get_origin(hint) or hint, "__name__", hint))
