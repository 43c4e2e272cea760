"""The models of this folder as files: which class each architecture has, and its lists beside the weights.

Knows nothing of configs, weights or tokenizers on the disk, which are as those of every model.
"""

from __future__ import annotations

from pathlib import Path

from torch import nn

from nlptui.classical.crf import ChainCRF
from nlptui.classical.hmm import HMM
from nlptui.classical.rules import RuleTagger
from nlptui.config import CRFConfig, HMMConfig, ModelConfig, RulesConfig


def keeps_weights(config: ModelConfig) -> bool:
    """Whether a model has tables of numbers; rules are all text."""
    return not isinstance(config, RulesConfig)


def read_model(config: ModelConfig, folder: Path) -> nn.Module:
    """The model that `config` describes, its tables still empty. Raises UserError that names the file."""
    if isinstance(config, HMMConfig):
        return HMM.read(config, folder)
    if isinstance(config, CRFConfig):
        return ChainCRF.read(config, folder)
    if isinstance(config, RulesConfig):
        return RuleTagger.read(config, folder)
    raise ValueError(f"{config.arch} is a network")


def write_lists(model: nn.Module, folder: Path) -> None:
    """Write what a model of this folder keeps beside its weights."""
    assert isinstance(model, HMM | ChainCRF | RuleTagger)
    model.write_lists(folder)
