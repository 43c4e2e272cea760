"""The same network with other weights than the trained ones, to hold beside it: `NAME@before`, and so on.

    before       what training started from: the recipe's seed, config and initialiser, as `train` makes them
    exploding    the same, each recurrent matrix multiplied until its spectral radius is RADIUS

The spectral radius is the largest |eigenvalue|; where it is below 1 a linear recurrence forgets, above 1 it
explodes. W_hh of an LSTM or a GRU is one square matrix for each gate, and each gets a factor of its own.
Source: Pascanu et al. 2013, "On the difficulty of training recurrent neural networks".
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nlptui.config import CLASSICAL, ModelConfig
from nlptui.engine import checkpoint
from nlptui.engine.library import find_model
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.nn import build_model
from nlptui.text import visible

RADIUS = 5.0
"""Of the exploding weights: squashing holds back what lies a little above 1 (tanh′ and σ′ are below 1)."""
RECIPE_FILE = "recipe.toml"


@dataclass(frozen=True)
class Weights:
    """What was done to the weights of a network that does not run with the trained ones."""

    state: str
    """before or exploding."""
    seed: int
    """Where the random numbers start."""
    init: str = ""
    """The model that training started from, where its weights fit; empty: none."""
    radius: float = 0.0
    """The spectral radius of each recurrent matrix, where they were multiplied."""
    factors: tuple[float, ...] = ()
    """By what they were multiplied, in the order of layers, directions and gates."""


def untrained(path: Path, config: ModelConfig, state: str) -> tuple[nn.Module, Weights]:
    """The network of the model folder `path` in that state. Raises UserError where it cannot be in it."""
    if config.arch in CLASSICAL:
        message = _("{model} was counted or written, not trained from random weights: it has no @{state}")
        raise UserError(message.format(model=visible(path.name), state=state))
    seed, init = _start(path)
    model = fresh(config, seed)
    if init:
        start_from(model, init)
    if state == "before":
        return model, Weights(state, seed, init)
    layers = getattr(model, "layers", None)
    if not isinstance(layers, nn.RNNBase):
        raise UserError(
            _("{model} has no recurrent matrices that could explode; there is {other}").format(
                model=visible(path.name), other=visible(f"{path.name}@before")
            )
        )
    return model, Weights(state, seed, init, RADIUS, scale_recurrence(layers, RADIUS))


def _start(path: Path) -> tuple[int, str]:
    """Seed and init of the recipe in the folder; 0 and none where there is no recipe."""
    file = path / RECIPE_FILE
    try:
        recipe: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return 0, ""
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(
            _("{file}: not readable as TOML ({error})").format(
                file=visible(str(file)), error=visible(str(error))
            )
        ) from None
    return int(recipe.get("seed", 0)), str(recipe.get("init", ""))


def fresh(config: ModelConfig, seed: int) -> nn.Module:
    """A new network from this seed; the random numbers of everything else go on as if nothing had been."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_model(config)


def start_from(model: nn.Module, name: str) -> tuple[int, int]:
    """Copy the weights of the model `name` wherever name and shape agree; the rest stays as it was made.

    How many were copied, and of how many. Raises UserError where none fits.
    """
    source, _config, _tokenizer = checkpoint.load(find_model(name))
    given, wanted = source.state_dict(), model.state_dict()
    # The one pooler of a model goes to the place that it has among several.
    prefix, pooling = "pooler.", getattr(source.config, "pooling", "")
    given |= {f"poolers.{pooling}.{k[len(prefix) :]}": v for k, v in given.items() if k.startswith(prefix)}
    fitting = {
        key: value for key, value in given.items() if key in wanted and value.shape == wanted[key].shape
    }
    if not fitting:
        raise UserError(_("init = {name}: none of its weights fits this model").format(name=name))
    model.load_state_dict(fitting, strict=False)
    return len(fitting), len(wanted)


@torch.no_grad()
def scale_recurrence(layers: nn.RNNBase, radius: float) -> tuple[float, ...]:
    """Multiply each square matrix of each W_hh until its spectral radius is `radius`; by what, in order."""
    factors = []
    for name, weight in layers.named_parameters():
        if not name.startswith("weight_hh"):
            continue
        for matrix in torch.split(weight, layers.hidden_size):
            factor = radius / float(torch.linalg.eigvals(matrix.double()).abs().max())
            matrix.mul_(factor)
            factors.append(factor)
    return tuple(factors)
