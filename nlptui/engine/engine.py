"""The engine: one model, loaded; a text goes in, and a trace, an answer or a continuation comes out.

Knows nothing of screens or of the command line.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nlptui.config import CLASSICAL, ModelConfig
from nlptui.edits import Edit, UnfitEdit, with_means
from nlptui.engine import checkpoint, edited, translating, word_vectors, writing
from nlptui.engine.analyses import PREFIX as ANALYSIS
from nlptui.engine.analyses import analyse
from nlptui.engine.analyses.asked import Watch, unwatched
from nlptui.engine.answers import EMPTY_OUTPUTS, token_list, written_output
from nlptui.engine.check import differences, invented_batch, lattice_differences
from nlptui.engine.devices import pick_device
from nlptui.engine.generation import Step, steps_of
from nlptui.engine.inputs import batch_of
from nlptui.engine.library import find_state
from nlptui.engine.segmenter import segmenter_for, wants_words, words_by_rule
from nlptui.engine.untrained import Weights, untrained
from nlptui.errors import UserError
from nlptui.formula import Derivation, explain
from nlptui.locale import _
from nlptui.near_names import did_you_mean
from nlptui.nn import OFF
from nlptui.sampling import PLAIN, Sampling
from nlptui.tasks import load_examples, task_for
from nlptui.text import visible
from nlptui.tokenizers import Encoding, Tokenizer
from nlptui.trace import Recorder, Trace

NSP_LABELS = ("next", "not next")
PAIR_TASKS = ("pretraining", "question_answering", "classification")


class Engine:
    """One loaded model and everything that can be asked of it."""

    def __init__(
        self, model: nn.Module, config: ModelConfig, tokenizer: Tokenizer, path: Path, device: str = "cpu"
    ) -> None:
        self.model = model.to(device).eval()
        self.config = config
        self.tokenizer = tokenizer
        self.path = path
        self.device = device
        self.task = task_for(config, tokenizer)
        self.task.segment = segmenter_for(config)
        self.name = config.name or path.name
        self.weights: Weights | None = None
        """What was done to the weights; None: they are the trained ones."""
        self._edits: tuple[Edit, ...] = ()
        self._edited: dict[str, edited.EditedParameter] = {}
        """Of an engine with edited parameters: those edits, and what they made."""
        self._last: Engine | None = None
        """The engine with edited parameters that was asked for last."""

    @classmethod
    def load(cls, name_or_path: str | Path, device: str = "auto", pooling: str | None = None) -> Engine:
        """The model called so, or in that folder. Raises UserError that names the file and key at fault.

        pooling: of a model that has several poolers, the one to use instead of its config's. `NAME@before` is
        the model as it was before training; see `untrained`.
        """
        path, state = (name_or_path, "") if isinstance(name_or_path, Path) else find_state(name_or_path)
        model, config, tokenizer = checkpoint.load(path)
        weights = None
        if state:
            model, weights = untrained(path, config, state)
        # Tables are looked up in float64, which is nothing for a GPU.
        device = "cpu" if config.arch in CLASSICAL else pick_device(device)
        engine = cls(model, config, tokenizer, path, device)
        if weights is not None:
            engine.name, engine.weights = f"{engine.name}@{state}", weights
        if pooling is not None:
            engine.pooling = pooling
        return engine

    @property
    def pooling(self) -> str:
        """The pooler in use; empty where the model has none. Set it to use another of `poolings`."""
        return str(getattr(self.config, "pooling", "")) if self.poolings else ""

    @pooling.setter
    def pooling(self, name: str) -> None:
        if name not in self.poolings:
            raise UserError(
                _("{model} has no pooler {name!r}; choose one of {known}").format(
                    model=visible(self.name), name=visible(name), known=", ".join(self.poolings) or _("none")
                )
            )
        self._last = None
        self.model.pooling = name  # type: ignore[assignment]
        self.config = replace(self.config, pooling=name)  # type: ignore[call-arg]

    def pooled_by(self, name: str) -> Engine:
        """The same model, its weights shared, with another of its poolers in use. Raises UserError."""
        other = copy.copy(self)
        other._last = None
        other.model = copy.copy(self.model)
        other.pooling = name
        return other

    def with_edited(self, edits: Sequence[Edit | str]) -> Engine:
        """The same model with these edits of its parameters in force in all that it is asked; itself without
        any. All other weights are shared, and this one's stay as they are.

        Raises UserError for an edit that fits nothing, or is of what a run computes.
        """
        changes = _parsed(edits)
        parameters = self.parameters
        for edit in changes:
            if edit.name not in parameters:
                words = _("{name} is no parameter, and no other edits hold for every text; {hint}")
                hint = did_you_mean(edit.name, list(parameters))
                raise UserError(words.format(name=visible(edit.name), hint=hint))
        return self._with_edited(changes)

    def _with_edited(self, edits: tuple[Edit, ...]) -> Engine:
        if not edits:
            return self
        if self._last is None or not edited.same_edits(self._last._edits, edits):
            other = copy.copy(self)
            other._edits, other._last = edits, None
            with torch.no_grad():
                other._edited = edited.edited_parameters(self.model, self.parameters, edits)
                other.model = edited.with_edited(self.model, other._edited)
            self._last = other
        return self._last

    def _ran(self, trace: Trace) -> Engine:
        """The engine that `trace` ran in: where parameters are edited, the one with their edits."""
        return trace.engine if len(trace.activation_edits) < len(trace.edits) else self

    @property
    def editable(self) -> dict[str, tuple[str, ...]]:
        """The parameters that can be edited, by name: their axes."""
        return edited.editable(self.model, self.parameters)

    @property
    def poolings(self) -> tuple[str, ...]:
        """The poolers that the model was trained with; empty where it makes no one vector of a text."""
        if self.config.task not in ("classification", "pretraining"):
            return ()
        several: tuple[str, ...] = getattr(self.config, "poolings", ())
        single: str = getattr(self.config, "pooling", "")
        return several or ((single,) if single else ())

    @property
    def parameters(self) -> dict[str, Tensor]:
        """Every parameter and fixed table, by name."""
        return {**dict(self.model.named_parameters()), **dict(self.model.named_buffers())}

    def encode(self, text: str, pair: str | None = None) -> Encoding:
        """The tokens that the model reads of `text`, cut to its context; UserError for a pair it cannot
        read.
        """
        if pair is not None and not (self.config.arch == "bert" and self.config.task in PAIR_TASKS):
            message = _("{name} reads one text, not a pair; leave the second text out")
            raise UserError(message.format(name=visible(self.name)))
        if self.task.segment is not None:
            (words,) = self.task.segment([text])
            encoding = self.tokenizer.encode_words(words, text=text, max_length=self.config.context)
        elif wants_words(self.config):
            words = words_by_rule(text, self.config.context + 1)
            encoding = self.tokenizer.encode_words(words, text=text, max_length=self.config.context)
        else:
            encoding = self.tokenizer.encode(text, pair, max_length=self.config.context)
        if self.config.arch in ("crf", "rules"):
            # They read the words themselves: none is unknown, and ids mean nothing.
            encoding = replace(encoding, tokens=tuple(map(encoding.surface, range(len(encoding)))))
        return encoding

    # -- tracing

    def trace(
        self,
        text: str,
        edits: Sequence[Edit | str] | None = None,
        only: Sequence[str] | None = None,
        *,
        pair: str | None = None,
        target: str | Sequence[int] | None = None,
    ) -> Trace:
        """Run `text` and write down everything, with `edits` made on the way, or before it of parameters.

        only: globs of names to keep. target: for a translator, what to force on the decoder, as text or ids;
        without it the decoder reads what it wrote without edits of activations, and the output is what it
        would write at each position. A mean over positions is one of the run without these, too.
        Raises UserError, for an edit that fits nothing UnfitEdit.
        """
        if target is not None and self.config.task != "translation":
            message = _("{name} writes no translation; leave out what the decoder has read")
            raise UserError(message.format(name=visible(self.name)))
        changes = _parsed(edits or ())
        if not changes:
            return self._traced(text, (), only, pair, target)
        _refuse_answers(changes, self._scores_before_probs)
        of_parameters = edited.named(changes, self.parameters)
        engine = self._with_edited(of_parameters)
        if any(edit.op == "mean" and edit not in of_parameters for edit in changes):
            names = [edit.name for edit in changes]
            plain = engine._traced(text, of_parameters, names, pair, target)
            changes = with_means(changes, plain)
        return engine._traced(text, changes, only, pair, target)

    def _traced(
        self,
        text: str,
        changes: tuple[Edit, ...],
        only: Sequence[str] | None,
        pair: str | None,
        target: str | Sequence[int] | None,
    ) -> Trace:
        """The run with edits that carry their tensors; those of parameters are this engine's own."""
        encoding = self.encode(text, pair)
        blank = Trace(
            {},
            config=self.config,
            encoding=encoding,
            text=text,
            pair=pair,
            model=self.name,
            edits=changes or self._edits,
        )
        blank.engine, blank.weights = self, self.weights
        blank.truncated = encoding.truncated
        before, inputs = edited.recorded(self._edited)
        blank.parameters, blank.inputs = {**self.parameters, **before}, inputs
        blank.output = dict(EMPTY_OUTPUTS[self.config.task])
        if encoding.ids:
            return self._recorded(blank, only, target)
        for edit in blank.activation_edits:
            problem = _("the text is empty: nothing was run that {edit} could change")
            raise UnfitEdit(problem.format(edit=visible(str(edit))), edit)
        return blank

    def _recorded(
        self, trace: Trace, only: Sequence[str] | None, target: str | Sequence[int] | None
    ) -> Trace:
        started = time.perf_counter()
        translates = self.config.task == "translation"
        target_ids = translating.target_ids(self, trace.encoding, target) if translates else None
        recorder = Recorder(trace.parameters, trace.activation_edits, only)
        with torch.no_grad():
            outputs = self.model(batch_of(trace.encoding, self.device, target_ids), recorder)
        trace.seconds = time.perf_counter() - started
        recorder.check_edits()
        trace.activations, trace.inputs = recorder.activations, {**recorder.inputs, **trace.inputs}
        if target_ids is None:
            trace.output = self._decoded(outputs, trace.encoding)
        else:
            # What a beam chose is not the likeliest token at each position; after an edit only that is known.
            searched = getattr(self.config, "beams", 1) > 1 and not trace.activation_edits
            forced = list(target_ids[1:]) if searched or target is not None else None
            end = self.tokenizer.specials["eos"]
            trace.output = written_output(
                steps_of(
                    outputs["logits"][0, : self.config.context - 1].cpu(), self.tokenizer.decode, end, forced
                )
            )
        trace.label_sets = self._labels(trace.encoding, target_ids)
        return trace

    def _decoded(self, outputs: dict[str, Tensor], encoding: Encoding) -> dict[str, Any]:
        return self.task.decode({name: value.cpu() for name, value in outputs.items()}, encoding)

    def _labels(self, encoding: Encoding, target_ids: tuple[int, ...] | None) -> dict[str, tuple[str, ...]]:
        vocabulary = tuple(self.tokenizer.vocabulary())
        unknown = self.tokenizer.specials.get("unk")
        tokens = encoding.labels(None if unknown is None else vocabulary[unknown])
        sets = {
            "tokens": tokens,
            "src": tokens,
            "vocab": vocabulary,
            "label": self.config.labels,
            "tag": self.config.labels,
            "tag_next": self.config.labels,
            "feature": tuple(getattr(self.config, "features", ())),
            "evidence": tuple(getattr(self.model, "features", ())) or vocabulary,
            "rule": tuple(getattr(self.model, "rule_names", ())),
            "nsp_label": NSP_LABELS,
        }
        if target_ids is not None:
            sets["tgt"] = tuple(vocabulary[i] for i in target_ids)
        return sets

    @property
    def _scores_before_probs(self) -> str:
        """What decides where `probs` only tell."""
        if self.config.arch == "rules":
            return "rule"
        lattice = getattr(self.config, "crf", False) or self.config.arch in CLASSICAL
        return "emission" if lattice else "logits"

    # -- answers

    def predict(self, text: str, pair: str | None = None) -> dict[str, Any]:
        """{"model", "text", "tokens", "output"}, with "pair" and "truncated" where they apply."""
        encoding = self.encode(text, pair)
        answer: dict[str, Any] = {"model": self.name, "text": text, "tokens": token_list(encoding)}
        if pair is not None:
            answer["pair"] = pair
        if encoding.truncated:
            answer["truncated"] = True
        return answer | {"output": self._output(encoding)}

    def _output(self, encoding: Encoding) -> dict[str, Any]:
        if not encoding.ids:
            return dict(EMPTY_OUTPUTS[self.config.task])
        if self.config.task == "translation":
            return written_output(translating.translation(self, encoding))
        with torch.no_grad():
            return self._decoded(self.model(batch_of(encoding, self.device), OFF), encoding)

    def analyse(self, trace: Trace, *names: str, watch: Watch = unwatched) -> Trace:
        """Put the analyses that `names` begin with, such as "analysis.rollout", into `trace`, and return it.

        `watch(done, pieces)` is called in the course of long ones and may raise, which ends them. Raises
        UserError for one that is unknown, or that this model has nothing for.
        """
        for name in names:
            analyse(self._ran(trace), trace, name, watch)
        return trace

    def target(self, name: str) -> int:
        """The number of a token or label of the output: `name` is that number, or its text.

        Raises UserError for a text that is none of them.
        """
        if name.isdecimal():
            return int(name)
        found = self.config.labels.index(name) if name in self.config.labels else None
        found = self.tokenizer.find(name) if found is None and not self.config.labels else found
        if found is None:
            raise UserError(
                _("{model} has no token or label {name!r} in its output").format(
                    model=visible(self.name), name=visible(name)
                )
            )
        return found

    def explain(self, trace: Trace, name: str, index: Sequence[int]) -> Derivation:
        """How the element of `name` at `index` (batch included) was made. Raises UserError if unknown."""
        if name.startswith(ANALYSIS) and name not in trace:
            self.analyse(trace, name)
        return explain(trace, name, tuple(index))

    def neighbours(self, word: str, top: int = 10) -> list[dict[str, Any]]:
        """[{"id", "text", "similarity"}]: the `top` tokens whose embeddings point most nearly as `word`'s.

            similarity = e_w · e_x / (|e_w| |e_x|)        the cosine of the angle between two rows

        word: a token of the vocabulary, which is left out, as special tokens are; of a translator, of the
        source. Raises UserError for one that is not there.
        """
        return word_vectors.neighbours(self, word, top)

    def cosines(self, words: Sequence[str]) -> np.ndarray:
        """The cosines of the embeddings of all `words` with each other, words × words; 1 with themselves.

        The words are those that `neighbours` takes. Raises UserError for one that is not there.
        """
        return word_vectors.cosines(self, words)

    def check(self, reference: nn.Module | None = None) -> dict[str, float]:
        """Part → max |Δ| of our step-by-step numbers from torch's fused ones, over max(1, max |value|).

        reference: the network to run fused; by default a copy of this one.
        """
        if self.config.arch in CLASSICAL:
            return lattice_differences(self.model, self.tokenizer, self.config.language)
        batch = invented_batch(self.config).to(self.device)
        return differences(self.model, (reference or copy.deepcopy(self.model)).eval(), batch)

    def evaluate(self, split: str = "test", batch_size: int = 32) -> dict[str, Any]:
        """{"model", "split", "metrics", "baselines"} on a split of the corpora the model was trained on."""
        examples = load_examples(self.config.data, split, self.tokenizer, self.config)
        train = self.task.load_for_baselines(self.config.data)
        return {
            "model": self.name,
            "split": split,
            "metrics": self.task.metrics(self.model, examples, self.device, batch_size),
            "baselines": self.task.baselines(train, examples),
        }

    # -- generation

    def generate(
        self,
        prompt: str,
        max_tokens: int = 100,
        temperature: float = PLAIN.temperature,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int = 0,
        cache: bool = True,
    ) -> Iterator[Step]:
        """Tokens that follow `prompt` (or translate it), one by one. Raises UserError if the model cannot.

        cache: keep keys and values, or the recurrent state, between steps; the numbers are the same without.
        """
        return writing.steps_after(self, prompt, max_tokens, Sampling(temperature, top_k, top_p, seed), cache)

    def next_step(self, trace: Trace, sampling: Sampling, token: int | None = None) -> Step | None:
        """The token after the end of `trace`: `token`, or the one that `sampling` chooses.

        None where that is the end of the text. Of a character that takes several tokens the text comes whole,
        with the id of its last token. Raises UserError if the model writes no text.
        """
        return writing.step_after(self._ran(trace), trace, sampling, token)

    def prompt_used(self, prompt: str) -> str | None:
        """The end of `prompt` that the first token is written from, where the model cannot read all of it."""
        return writing.prompt_used(self, prompt)


def _parsed(edits: Sequence[Edit | str]) -> tuple[Edit, ...]:
    return tuple(Edit.parse(edit) if isinstance(edit, str) else edit for edit in edits)


def _refuse_answers(edits: Sequence[Edit], scores: str) -> None:
    """Raise UnfitEdit for an edit of probabilities, which nothing is computed from; `scores` will do."""
    for edit in edits:
        if edit.name.split(".")[-1] == "probs":
            logits = f"{edit.name.removesuffix('probs')}{scores}"
            message = _("{name} is where the run ends: nothing would change; edit {logits} instead")
            raise UnfitEdit(message.format(name=visible(edit.name), logits=visible(logits)), edit)
