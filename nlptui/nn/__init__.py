"""The networks. `build_model` makes the one that a config describes; `OFF` records nothing."""

from __future__ import annotations

from torch import nn

from nlptui.config import BertConfig, GPTConfig, ModelConfig, RecurrentConfig, TransformerConfig
from nlptui.errors import UserError
from nlptui.nn.batch import Batch
from nlptui.trace import OFF

__all__ = ["OFF", "Batch", "build_model"]


def build_model(config: ModelConfig) -> nn.Module:
    """A network with fresh weights from torch's generator. Raises UserError for settings that do not fit."""
    from nlptui.nn.bert import Bert
    from nlptui.nn.gpt import GPT
    from nlptui.nn.recurrent_model import RecurrentModel
    from nlptui.nn.transformer import Transformer

    try:
        if isinstance(config, RecurrentConfig):
            return RecurrentModel(config)
        if isinstance(config, BertConfig):
            return Bert(config)
        if isinstance(config, GPTConfig):
            return GPT(config)
        if isinstance(config, TransformerConfig):
            return Transformer(config)
    except (ValueError, RuntimeError) as error:
        raise UserError(str(error)) from None
    raise UserError(f"no network for arch {config.arch!r}")
