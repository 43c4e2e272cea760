"""The card of a trained model, README.md in its folder, written from what was measured.

Knows nothing of torch or of how the numbers came about. What people wrote under "What was tried" is kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from nlptui.classical.schemes import is_bmes
from nlptui.config import CLASSICAL, CRFConfig, HMMConfig, ModelConfig, Word2VecConfig
from nlptui.data import own, registry
from nlptui.train.recipe import Recipe, TrainConfig

TRIED = "## What was tried"

_ARCHITECTURES = {
    "rnn": "recurrent network (tanh)",
    "lstm": "LSTM",
    "gru": "GRU",
    "bert": "BERT (Transformer encoder, post-LN)",
    "gpt": "GPT (causal Transformer decoder)",
    "transformer": "Transformer encoder–decoder",
    "word2vec": "word2vec (two tables of word vectors)",
    "hmm": "hidden Markov model",
    "crf": "conditional random field",
    "rules": "set of ordered rules",
}
_TASKS = {
    "tagging": "gives every word a tag",
    "classification": "gives a text one label",
    "language_model": "predicts the next token",
    "pretraining": "fills in masked tokens and says whether one text follows another",
    "translation": "translates sentences",
    "question_answering": "finds the answer to a question in a passage",
    "skip_gram": "tells the words around a word from noise (skip-gram with negative sampling)",
}
_BASELINES = {
    "tagging": "the most frequent tag of each word",
    "classification": "the most frequent label for every text; naive Bayes on words and pairs of words",
    "language_model": "the frequency of each token in training",
    "pretraining": "masked tokens from counts of both neighbours; pairs by the words they share",
    "translation": "the source itself, and each of its tokens as the target token that goes with it most; "
    "loss: the frequency of each target token in training",
    "question_answering": "the first or last words of the last sentence that shares a rare word with the "
    "question; and a random token of the passage",
    "skip_gram": "the same pairs judged by the frequency of the candidate word alone",
}
_CHARACTERS = (
    "accuracy: tags on gold words, whose boundaries are given (B/I fixed to gold); segmentation_f1: the "
    "words that the model itself finds among the characters, right where both ends are."
)
_COMPANY = (
    "loss: nats a pair of words that stand near each other, for telling the one that was met from "
    "{negatives} noise words; knowing nothing costs {blank:.3f}."
)
_CUTS = "cuts text into words"
_SEGMENTS = (
    "accuracy: the labels B, M, E, S of characters; segmentation_f1: the words that they mean, right where "
    "both ends are."
)
_ENTITIES = (
    "accuracy: tags on gold words; f1: entities among gold words, right where both ends and the kind are"
)
_RAW = "; raw_f1: the same from raw text, which `{segmenter}` cuts into words, compared by their characters"
_PAIRS = "says whether one sentence entails another, contradicts it or leaves it open"
_SECOND_TEXT = "; naive Bayes on the second text alone, which shows what that gives away"
_OWN = {
    "stories": ("stories", "short stories with questions of our own"),
    "inferences": ("inferences", "pairs of sentences of our own"),
    "recall": ("recall", "texts of our own that tell a fact and ask who it was, some words later"),
}
"""First word of a corpus's name → the module of `nlptui.data` that makes it, and what it is."""
_ANSWERS = "gives the last word of a text, the answer to a question"
_DISTANCES = (
    "accuracy: how often the right answer is the likeliest next token, over all distances alike; loss: nats "
    "an answer. The distance is the number of words and marks between what is told and the question."
)
_UNITS = {
    "tagging": "sentences",
    "classification": "texts",
    "language_model": "texts",
    "pretraining": "texts",
    "translation": "pairs of sentences",
    "question_answering": "questions, each with a passage",
    "skip_gram": "texts",
}
"""What the examples of a task are."""
_LANGUAGES = {"en": "English", "zh": "Chinese", "en-zh": "English and Chinese"}
_AT = "accuracy_at_"
"""What the names of metrics by distance begin with."""
_SHOWN_APART = frozenset({"name", "arch", "task", "language", "labels", "metrics", "baselines", "data"})
_OF_CHARACTERS = frozenset({"n_chars", "d_char", "d_char_feature", "char_kernel"})
"""Fields that mean nothing where a network reads no characters beside the words."""


@dataclass(frozen=True)
class Facts:
    """What the card tells beyond config and recipe."""

    parameters: int
    """Numbers in the weights."""
    tokenizer: str
    """The tokenizer's kind."""
    examples: Mapping[str, int]
    """Split → examples."""
    tokens: Mapping[str, int] = field(default_factory=dict, kw_only=True)
    """Split → tokens, where examples are texts of any length."""
    step: int
    """Updates that the weights have behind them."""
    seconds: float
    """How long the run took."""
    half: bool
    """Whether the weights are stored as float16."""
    full_metrics: Mapping[str, float]
    """The same metrics with the weights as float32."""
    dev_metrics: Mapping[str, float]
    """What chose the checkpoint, on dev."""
    split: str = "test"
    """The split that the model was measured on; empty: none was there."""


def write_card(config: ModelConfig, recipe: Recipe, facts: Facts, before: str = "") -> str:
    """The card as Markdown; `before` is the card that it takes the place of."""
    parts = [
        f"# {config.name}",
        _opening(config, facts),
        "## Architecture\n\n" + _architecture(config, facts),
        "## Data\n\n" + _data(config, recipe, facts),
        "## Recipe\n\n" + _recipe(config, recipe, facts),
        "## Results\n\n" + _results(config, facts),
        "## Limits\n\n" + _limits(config, recipe, facts),
        tried(before),
    ]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def tried(card: str) -> str:
    """The part of a card that people wrote: from "What was tried" on."""
    return card[card.index(TRIED) :] if TRIED in card else ""


def _opening(config: ModelConfig, facts: Facts) -> str:
    task = _PAIRS if _judges_pairs(config) else _ANSWERS if _answers(config) else _TASKS[config.task]
    task = _CUTS if is_bmes(config.labels) else task
    language = _LANGUAGES.get(config.language, config.language)
    numbers = "rules" if config.arch == "rules" else "parameters"
    layer = " with a CRF on top" if getattr(config, "crf", False) else ""
    return (
        f"A small {_ARCHITECTURES[config.arch]}{layer} for {language} that "
        f"{task}; {facts.parameters:,} {numbers}, made to be looked into."
    )


def _architecture(config: ModelConfig, facts: Facts) -> str:
    hidden = _SHOWN_APART if getattr(config, "n_chars", 1) else _SHOWN_APART | _OF_CHARACTERS
    settings = {item.name: getattr(config, item.name) for item in fields(config) if item.name not in hidden}
    rows = {"arch": config.arch, "tokenizer": facts.tokenizer}
    rows |= {key: value for key, value in settings.items() if value not in ("", ())}
    if config.labels:
        rows["labels"] = ", ".join(config.labels)
    return _table(("field", "value"), [(key, _value(value)) for key, value in rows.items()])


def _data(config: ModelConfig, recipe: Recipe, facts: Facts) -> str:
    lines = []
    for name in _corpora(recipe):
        entry = _entry(name)
        if name.startswith(own.PREFIX):
            lines.append(f"- `{name}`: a text of one's own.")
            continue
        if entry is None:
            module, what = _OWN.get(name.partition("_")[0], ("generators", "sentences of our own"))
            lines.append(f"- `{name}`: {what}, made by `nlptui.data.{module}`.")
            continue
        lines.append(f"- `{name}`: {entry.title}. Licence: {entry.licence}. {entry.homepage}")
    if share := float(recipe.data.get("swap_entities", 0.0)):
        listed = float(recipe.data.get("gazetteer", 0.0))
        lines.append(
            f"- In training, {share:.0%} of the entities give way to another of their kind"
            + (f", {listed:.0%} of these from lists of our own, `nlptui.data.gazetteer`." if listed else ".")
        )
    counts = _counts(config, facts)
    measured = {
        "test": "the numbers below were measured on test.",
        "dev": "there was no test split, so the numbers below were measured on dev too.",
        "": "neither was there to measure the finished model on.",
    }[facts.split]
    source = "train and these lists" if recipe.data.get("gazetteer") else "train"
    if recipe.model.get("arch") == "rules":
        origin = "The rules were written by hand"
        if is_bmes(config.labels):
            origin += "; the dictionary beside them is of the words of train"
        return "\n".join([*lines, "", f"{counts}. {origin}; {measured}"])
    tokenizer = recipe.tokenizer.get("from")
    learned = (
        f"Weights come from {source} alone, the tokenizer from `{tokenizer}`"
        if tokenizer
        else f"Weights and tokenizer come from {source} alone"
    )
    chosen = "the settings" if config.arch in CLASSICAL else "the choice of the checkpoint"
    if isinstance(config, HMMConfig):
        learned = learned.replace("Weights", "Counts")
    return "\n".join([*lines, "", f"{counts}. {learned}, {chosen} from dev; {measured}"])


def _start(config: ModelConfig, recipe: Recipe) -> str:
    """The model that it began as."""
    return f"an earlier `{recipe.init}`" if recipe.init == config.name else f"`{recipe.init}`"


def _counts(config: ModelConfig, facts: Facts) -> str:
    """How many examples each split has, and of how many tokens."""
    if not facts.examples:
        return "Examples: not counted"
    units = _units(config).capitalize()
    said = f"{units}: " + ", ".join(f"{split} {count:,}" for split, count in facts.examples.items())
    if facts.tokens:
        what = "characters" if facts.tokenizer == "characters" else "tokens"
        said += f"; {what}: " + ", ".join(f"{split} {count:,}" for split, count in facts.tokens.items())
    return said


def _units(config: ModelConfig) -> str:
    return "pairs of sentences" if _judges_pairs(config) else _UNITS[config.task]


def _recipe(config: ModelConfig, recipe: Recipe, facts: Facts) -> str:
    train = recipe.train
    if config.arch in CLASSICAL:
        return "\n".join(_before_networks(config, facts))
    lines = [
        f"`recipe.toml` beside this file; `nlptui train models/{config.name}/recipe.toml` trains it again.",
        f"{facts.step:,} steps of {train.batch_size} examples, {_optimizer(train)} with a {train.schedule} "
        f"rate from {train.learning_rate:g}, warm-up {train.warmup} steps, "
        f"weight decay {train.weight_decay:g}"
        + (f", clipping at {train.clip:g}" if train.clip else "")
        + (f", weights averaged (decay {train.average:g})" if train.average else "")
        + f", seed {recipe.seed}.",
        f"It took {_duration(facts.seconds)} on {_threads(train.threads)}.",
    ]
    if recipe.init:
        lines.insert(1, f"Its weights start from {_start(config, recipe)}.")
    return "\n".join(lines)


def _before_networks(config: ModelConfig, facts: Facts) -> list[str]:
    """How a model without a network came to be."""
    if config.arch == "rules":
        return [
            "`rules.toml` beside this file was written by hand, for this project; nothing was trained. "
            "Whoever changes it has another model: the file is read whenever the model is loaded."
        ]
    lines = [
        f"`recipe.toml` beside this file; `nlptui train models/{config.name}/recipe.toml` trains it again.",
    ]
    if isinstance(config, HMMConfig):
        lines.append(
            f"Counted in one pass; words smoothed by {config.smoothing}, tags by adding {config.add_k:g}."
        )
    if isinstance(config, CRFConfig):
        lines.append(
            f"{facts.step} iterations of L-BFGS on the likelihood of all sentences, squared weights times "
            f"{config.l2:g}; features that come less than {config.min_count} times are left out"
            + (
                f", and weights below {config.prune:g} before the last {config.refit} iterations."
                if config.prune
                else "."
            )
        )
    return [*lines, f"It took {_duration(facts.seconds)} on one core."]


def _optimizer(train: TrainConfig) -> str:
    if train.optimizer == "adamw":
        return "AdamW"
    return f"Muon for matrices inside (rate {train.matrix_rate:g}) and AdamW"


def _results(config: ModelConfig, facts: Facts) -> str:
    if facts.split != "test":
        return _results_on_dev(config, facts)
    dev = facts.dev_metrics
    rows = [
        (
            name,
            _number(value),
            _number(config.baselines.get(name)),
            *([_number(dev.get(name))] if dev else []),
        )
        for name, value in config.metrics.items()
        if not name.startswith(_AT)
    ]
    head = ("metric", "test", "baseline, test", *(["dev"] if dev else []))
    # Baselines of another kind have names of their own.
    more = {name: value for name, value in config.baselines.items() if name not in config.metrics}
    others = [(name, _number(value)) for name, value in more.items()]
    return "\n\n".join(
        [
            _table(head, rows),
            *([_table(("other baseline", "test"), others)] if others else []),
            *_by_distance(config),
            *_explained(config),
            f"Baseline: {_baseline(config)}. `nlptui evaluate {config.name}` measures both again.",
        ]
    )


def _results_on_dev(config: ModelConfig, facts: Facts) -> str:
    if not facts.dev_metrics:
        return "Nothing was measured: there was no test split."
    rows = [(name, _number(value)) for name, value in facts.dev_metrics.items()]
    parts = [_table(("metric", "dev"), rows), *_explained(config)]
    return "\n\n".join([*parts, "Measured on dev, which also chose the checkpoint: expect less on new text."])


def _explained(config: ModelConfig) -> list[str]:
    """What the metrics mean, where their names do not say it."""
    if _tags_characters(config):
        return [_CHARACTERS]
    if is_bmes(config.labels):
        return [_SEGMENTS]
    if isinstance(config, Word2VecConfig):
        blank = (1 + config.negatives) * math.log(2)
        return [_COMPANY.format(negatives=config.negatives, blank=blank)]
    if config.task == "tagging" and "O" in config.labels:
        segmenter = getattr(config, "segmenter", "")
        return [_ENTITIES + (_RAW.format(segmenter=segmenter) if segmenter else "") + "."]
    return []


def _by_distance(config: ModelConfig) -> list[str]:
    """Accuracy against distance, where the metrics tell it."""
    distances = [name.removeprefix(_AT) for name in config.metrics if name.startswith(_AT)]
    if not distances:
        return []
    rows = [
        (title, *(_number(values.get(_AT + distance)) for distance in distances))
        for title, values in (("accuracy, test", config.metrics), ("baseline, test", config.baselines))
    ]
    return [_table(("distance", *distances), rows), _DISTANCES]


def _answers(config: ModelConfig) -> bool:
    """Whether a language model was asked for the last token of each text only."""
    return config.task == "language_model" and bool(config.data.get("answer_only"))


def _tags_characters(config: ModelConfig) -> bool:
    """Whether the labels say of each character whether it begins a word (B-) or goes on with it (I-)."""
    joint = bool(config.labels) and all(label.startswith(("B-", "I-")) for label in config.labels)
    return config.task == "tagging" and joint


def _baseline(config: ModelConfig) -> str:
    if _answers(config):
        return "the most frequent answer of train; loss: the frequency of each answer in train"
    if is_bmes(config.labels):
        return "words are the longest matches, from the left, with those of train"
    found = "; words are the longest matches with those of train" if _tags_characters(config) else ""
    return _BASELINES[config.task] + found + (_SECOND_TEXT if _judges_pairs(config) else "")


def _judges_pairs(config: ModelConfig) -> bool:
    """Whether the labels are those of inference."""
    return set(config.labels) == {"entailment", "contradiction", "neutral"}


def _limits(config: ModelConfig, recipe: Recipe, facts: Facts) -> str:
    if config.arch == "rules":
        return f"- It reads at most {config.context} tokens; longer texts are used in part."
    lines = [
        f"- It reads at most {config.context} tokens; longer texts are used in part.",
        f"- All it knows comes from {_learned(config, facts)}"
        + (" and from lists of our own" if recipe.data.get("gazetteer") else "")
        + (f", and from what {_start(config, recipe)} had read" if recipe.init else "")
        + ".",
    ]
    if facts.half and not isinstance(config, HMMConfig):  # counts are whole numbers
        told = {name: value for name, value in config.metrics.items() if not name.startswith(_AT)}
        pairs = {name: (_number(facts.full_metrics[name]), _number(value)) for name, value in told.items()}
        changed = [f"{name} {full} → {half}" for name, (full, half) in pairs.items() if full != half]
        moved = (
            f"; from float32 that moved {', '.join(changed)}"
            if changed
            else ", which moved none of the numbers above"
            if told
            else ""
        )
        lines.append(f"- The weights are stored as float16{moved}.")
    if _answers(config):
        lines.append(
            "- Only answers were asked for in training: what it expects after any other word means nothing, "
            "and it answers with a name that it knows, or not at all."
        )
    closed = [name for name in _corpora(recipe) if (entry := _entry(name)) is not None and not entry.open]
    if closed:
        lines.append(
            f"- The terms of {', '.join(closed)} do not say that weights may be passed on: keep them."
        )
    return "\n".join(lines)


def _learned(config: ModelConfig, facts: Facts) -> str:
    """What there was to learn from; of long texts, how long they are."""
    if "train" in facts.tokens:
        what = "characters" if facts.tokenizer == "characters" else "tokens"
        return f"the {facts.tokens['train']:,} {what} of train"
    if "train" in facts.examples:
        return f"the {facts.examples['train']:,} {_units(config).partition(',')[0]} of train"
    return "train"


def _corpora(recipe: Recipe) -> list[str]:
    corpus = recipe.data["corpus"]
    return [corpus] if isinstance(corpus, str) else list(corpus)


def _entry(name: str) -> registry.Corpus | None:
    return next((entry for entry in registry.corpora() if entry.name == name), None)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _threads(count: int) -> str:
    return "one thread" if count == 1 else f"{count or 'all'} threads"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"
