"""The networks. `build_model` makes the one that a config describes; `OFF` records nothing."""

from __future__ import annotations

from torch import nn

from nlptui.config import (
    BertConfig,
    GPTConfig,
    ModelConfig,
    RecurrentConfig,
    TransformerConfig,
    Word2VecConfig,
)
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.nn.batch import Batch
from nlptui.text import visible
from nlptui.trace import OFF

__all__ = ["OFF", "Batch", "build_model"]


def build_model(config: ModelConfig) -> nn.Module:
    """A network with fresh weights from torch's generator. Raises UserError for settings that do not fit."""
    from nlptui.nn.bert import Bert
    from nlptui.nn.gpt import GPT
    from nlptui.nn.recurrent_model import RecurrentModel
    from nlptui.nn.transformer import Transformer
    from nlptui.nn.word2vec import SkipGram

    check_settings(config)
    try:
        if isinstance(config, RecurrentConfig):
            return RecurrentModel(config)
        if isinstance(config, BertConfig):
            return Bert(config)
        if isinstance(config, GPTConfig):
            return GPT(config)
        if isinstance(config, TransformerConfig):
            return Transformer(config)
        if isinstance(config, Word2VecConfig):
            return SkipGram(config)
    except (ValueError, RuntimeError) as error:
        raise UserError(str(error)) from None
    raise UserError(_("no network for arch {arch!r}").format(arch=visible(config.arch)))


def check_settings(config: ModelConfig) -> None:
    """Raise UserError, in the reader's language, for settings that the networks refuse with a ValueError."""
    from nlptui.nn.pooling import POOLINGS

    kernel = getattr(config, "char_kernel", 1)
    if getattr(config, "n_chars", 0) and kernel % 2 == 0:
        raise UserError(_("char_kernel must be odd, not {kernel}").format(kernel=kernel))
    if getattr(config, "crf", False) and (config.task != "tagging" or not config.labels):
        raise UserError(
            _("crf = true is for a tagger: {task} has no tags to choose").format(task=config.task)
        )
    several = getattr(config, "poolings", ())
    if several:
        _check_poolings(config, several)
    choices = {
        "pooling": POOLINGS if config.task in ("classification", "pretraining") else (),
        "norm_order": ("pre", "post"),
        "activation": ("gelu", "gelu_tanh"),
        "positions": ("sinusoidal", "learned"),
    }
    for key, known in choices.items():
        value = getattr(config, key, None)
        if known and value is not None and value not in known:
            raise UserError(
                _("{key} {value!r} is unknown; choose one of {known}").format(
                    key=key, value=visible(value), known=", ".join(known)
                )
            )


def _check_poolings(config: ModelConfig, several: tuple[str, ...]) -> None:
    from nlptui.nn.pooling import POOLINGS

    unknown = [name for name in several if name not in POOLINGS]
    if unknown or config.task != "classification" or len(set(several)) < len(several):
        raise UserError(
            _("poolings = {names}: a classifier can have each of {known} once").format(
                names=visible(", ".join(several)), known=", ".join(POOLINGS)
            )
        )
    pooling: str = getattr(config, "pooling", "")
    if pooling not in several:
        raise UserError(
            _("pooling {pooling!r} is not one of the model's poolings: {known}").format(
                pooling=visible(pooling), known=", ".join(several)
            )
        )
