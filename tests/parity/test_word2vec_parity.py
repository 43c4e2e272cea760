"""Skip-gram against its equations in numpy: scores, loss and gradients, and against torch's own products."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from nlptui.config import Word2VecConfig
from nlptui.nn import Batch, build_model
from nlptui.nn.word2vec import SkipGram
from nlptui.tasks.skip_gram import pair_losses
from nlptui.trace import Recorder

VOCAB, WIDTH, ROWS, PAIRS, NOISE = 23, 7, 10, 4, 5
PRECISIONS = pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)], ids=["fp32", "fp64"]
)


def made(dtype: torch.dtype) -> tuple[SkipGram, Batch]:
    """A network with random tables, and rows of pairs with their noise; words come more than once."""
    torch.manual_seed(3)
    config = Word2VecConfig(arch="word2vec", task="skip_gram", vocab_size=VOCAB, d_embed=WIDTH)
    model = build_model(config)
    assert isinstance(model, SkipGram)
    model = model.to(dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.randn_like(parameter)
    ids, contexts = torch.randint(VOCAB, (2, ROWS, PAIRS))
    return model, Batch(ids, contexts=contexts, noise=torch.randint(VOCAB, (ROWS, NOISE)))


def by_hand(v: Any, u: Any, batch: Batch) -> tuple[float, Any, Any]:
    """The mean of −log σ(u·v) − Σ log σ(−uₖ·v), and its gradients: (σ(u·v) − t) u for v, the same v for u."""
    assert batch.contexts is not None and batch.noise is not None
    loss, gv, gu = 0.0, np.zeros_like(v), np.zeros_like(u)
    for row, pair in np.ndindex(ROWS, PAIRS):
        c = int(batch.ids[row, pair])
        for met, w in [(1, int(batch.contexts[row, pair])), *((0, w) for w in batch.noise[row].tolist())]:
            sigma = 1 / (1 + np.exp(-(u[w] @ v[c])))
            loss -= np.log(sigma if met else 1 - sigma)
            gv[c] += (sigma - met) * u[w]
            gu[w] += (sigma - met) * v[c]
    return loss / ROWS / PAIRS, gv / ROWS / PAIRS, gu / ROWS / PAIRS


@PRECISIONS
def test_loss_and_gradients(dtype: torch.dtype, tolerance: float) -> None:
    model, batch = made(dtype)
    loss = pair_losses(model(batch)["logits"]).mean()
    loss.backward()
    v, u = (
        table.weight.detach().double().numpy() for table in (model.token_embedding, model.context_embedding)
    )
    expected, gv, gu = by_hand(v, u, batch)
    assert loss.item() == pytest.approx(expected, rel=tolerance, abs=tolerance)
    for table, gradient in ((model.token_embedding, gv), (model.context_embedding, gu)):
        np.testing.assert_allclose(table.weight.grad.double().numpy(), gradient, rtol=0, atol=tolerance)


@PRECISIONS
def test_scores_are_torchs_products(dtype: torch.dtype, tolerance: float) -> None:
    model, batch = made(dtype)
    assert batch.contexts is not None and batch.noise is not None
    words = torch.cat([batch.contexts[..., None], batch.noise[:, None].expand(-1, PAIRS, -1)], -1)
    with torch.no_grad():
        v, u = F.embedding(batch.ids, model.token_embedding.weight), model.context_embedding.weight
        rows = F.embedding(words, u).flatten(0, 1)
        chosen = torch.bmm(rows, v.flatten(0, 1)[..., None]).view(ROWS, PAIRS, 1 + NOISE)
        ours = model(batch)["logits"]
        torch.testing.assert_close(ours, chosen, rtol=tolerance, atol=tolerance)
        whole = model(Batch(batch.ids))["logits"]
        torch.testing.assert_close(whole, v @ u.T, rtol=tolerance, atol=tolerance)
        torch.testing.assert_close(whole.gather(-1, words), ours, rtol=tolerance, atol=tolerance)


@PRECISIONS
def test_on_record_the_numbers_are_the_same(dtype: torch.dtype, tolerance: float) -> None:
    model, batch = made(dtype)
    ids = batch.ids
    recorder = Recorder(dict(model.named_parameters()))
    with torch.no_grad():
        outputs = model(Batch(ids), recorder)
        torch.testing.assert_close(outputs["logits"], model(Batch(ids))["logits"], rtol=0, atol=0)
    v, u = (
        table.weight.detach().double().numpy() for table in (model.token_embedding, model.context_embedding)
    )
    scores = v[ids.numpy()] @ u.T
    shares = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    for name, expected in (("token_embed", v[ids.numpy()]), ("logits", scores), ("probs", shares)):
        found = recorder.activations[name].value.double().numpy()
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())
    assert list(recorder.activations) == ["token_embed", "logits", "probs"]
