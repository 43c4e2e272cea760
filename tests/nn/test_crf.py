"""The CRF layer: its loss against all paths written out, what IOB2 forbids, and edits of its lattice."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from nlptui.config import RecurrentConfig
from nlptui.edits import Edit
from nlptui.errors import UserError
from nlptui.nn import Batch, build_model
from nlptui.nn.crf import CRF, allowed_pairs
from tests.nn.families import ENTITIES, batch_for, network, run

LENGTHS = (4, 2, 3)
UNKNOWN = -100


def crf(labels: tuple[str, ...] = ENTITIES) -> CRF:
    torch.manual_seed(3)
    layer = CRF(labels).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter += torch.randn_like(parameter)
    return layer


def labelled() -> tuple[Tensor, Tensor, Tensor]:
    """Emissions of a padded batch, its mask, and proper labels (names: O B-PER I-PER B-LOC I-LOC)."""
    torch.manual_seed(4)
    emission = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    mask = torch.arange(4) < torch.tensor(LENGTHS)[:, None]
    labels = torch.tensor([[0, 1, 2, 2], [3, 4, UNKNOWN, UNKNOWN], [1, 1, 0, UNKNOWN]])
    return emission, mask, labels


def by_hand(layer: CRF, emission: Tensor, labels: list[int], length: int) -> Tensor:
    """−log of the share of all allowed paths that agree with `labels`, by the definition."""
    pairs, starts = allowed_pairs(ENTITIES)
    agreeing, every = [], []
    for path in itertools.product(range(5), repeat=length):
        if not starts[path[0]] or not all(pairs[a, b] for a, b in itertools.pairwise(path)):
            continue
        score = layer.start[path[0]] + layer.end[path[-1]]
        score = score + sum(emission[t, tag] for t, tag in enumerate(path))
        score = score + sum(layer.transition[a, b] for a, b in itertools.pairwise(path))
        every.append(score)
        if all(label in (tag, UNKNOWN) for label, tag in zip(labels, path, strict=False)):
            agreeing.append(score)
    return torch.stack(every).logsumexp(0) - torch.stack(agreeing).logsumexp(0)


@pytest.mark.parametrize("hidden", [[], [(0, 1)], [(0, 0), (0, 3), (2, 1)]], ids=["all", "one", "more"])
def test_the_loss_and_its_gradients_by_hand(hidden: list[tuple[int, int]]) -> None:
    layer = crf()
    emission, mask, labels = labelled()
    for row, t in hidden:
        labels[row, t] = UNKNOWN
    found = layer.loss(emission, labels, mask)
    expected = torch.stack(
        [by_hand(layer, emission[n], labels[n].tolist(), length) for n, length in enumerate(LENGTHS)]
    )
    assert (found - expected).abs().max() <= 1e-12
    wanted = [emission, *layer.parameters()]
    ours, theirs = torch.autograd.grad(found.sum(), wanted), torch.autograd.grad(expected.sum(), wanted)
    for one, other in zip(ours, theirs, strict=True):
        assert (one - other).abs().max() <= 1e-12


def test_padding_is_no_part_of_the_loss() -> None:
    layer, (emission, mask, labels) = crf(), labelled()
    noise = emission + 9 * torch.randn_like(emission).masked_fill(mask[..., None], 0.0)
    assert torch.equal(layer.loss(noise, labels, mask), layer.loss(emission, labels, mask))
    alone = layer.loss(emission[1:2, :2], labels[1:2, :2])
    assert (alone - layer.loss(emission, labels, mask)[1]).abs().max() <= 1e-12


def test_what_iob2_forbids() -> None:
    pairs, starts = allowed_pairs(ENTITIES)
    assert starts.tolist() == [True, True, False, True, False]
    forbidden = {(ENTITIES[a], ENTITIES[b]) for a, b in (~pairs).nonzero().tolist()}
    assert forbidden == {
        ("O", "I-PER"), ("B-LOC", "I-PER"), ("I-LOC", "I-PER"),
        ("O", "I-LOC"), ("B-PER", "I-LOC"), ("I-PER", "I-LOC"),
    }  # fmt: skip
    assert all(part.all() for part in allowed_pairs(("noun", "verb"))), "other labels follow as they like"
    assert all(part.all() for part in allowed_pairs(("O", "I-PER"))), "nothing else could begin this entity"


@pytest.mark.parametrize("seed", range(20))
def test_no_path_is_improper_however_much_the_scores_want_it(seed: int) -> None:
    torch.manual_seed(seed)
    layer, emission = crf(), 8 * torch.randn(2, 6, 5, dtype=torch.float64)
    emission[:, :, [2, 4]] += 20.0
    found = layer.decode(emission, None)
    pairs, starts = allowed_pairs(ENTITIES)
    for path in found["path"].long().tolist():
        assert starts[path[0]] and all(pairs[a, b] for a, b in itertools.pairwise(path))
    assert (found["probs"][:, 0, [2, 4]] == 0).all()


def test_improper_labels_have_a_finite_loss() -> None:
    layer, (emission, mask, labels) = crf(), labelled()
    labels[0, 0] = 2
    loss = layer.loss(emission, labels, mask)
    loss.sum().backward()  # type: ignore[no-untyped-call]
    assert loss.isfinite().all() and loss[0] > 1000
    assert emission.grad is not None and emission.grad.isfinite().all()


def test_the_network_gives_a_loss_in_training_and_a_path_otherwise() -> None:
    model, batch = network("lstm-crf"), batch_for("lstm-crf", padded=True)
    assert set(model(batch)) == {"emission", "probs", "path"}
    batch.labels = torch.zeros_like(batch.ids)
    assert set(model(batch)) == {"emission", "probs", "path"}
    outputs = model.train()(batch)
    assert set(outputs) == {"emission", "loss"} and outputs["loss"].shape == (2,)
    outputs["loss"].sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("change", [{"task": "language_model"}, {"labels": ()}])
def test_a_crf_is_for_taggers(change: dict[str, Any]) -> None:
    settings: dict[str, Any] = {"arch": "lstm", "task": "tagging", "labels": ENTITIES, "vocab_size": 9}
    with pytest.raises(UserError, match="crf"):
        build_model(RecurrentConfig(crf=True, **(settings | change)))


def test_names_axes_and_order_on_record() -> None:
    trace = run("lstm-crf").trace
    axes = {
        "emission": "batch pos tag",
        "transition": "batch tag tag_next",
        "transition.start": "batch tag",
        "transition.end": "batch tag",
        "forward_score": "batch pos tag",
        "backward_score": "batch pos tag",
        "probs": "batch pos tag",
        "score": "batch pos tag",
        "backpointer": "batch pos tag",
        "path": "batch pos",
    }
    assert [name for name in trace.activations if name in axes] == list(axes)
    assert {name: " ".join(trace[name].axes) for name in axes} == axes
    assert trace["score"].formula == "emission + best_in(score, transition, transition.start)"


# -- edits


def path_of(*edits: Edit) -> list[int]:
    return run("lstm-crf", edits).outputs["path"][0].long().tolist()


def test_an_edited_emission_changes_the_path() -> None:
    plain = path_of()
    for tag in (0, 1, 3):
        assert path_of(Edit("emission", (0, 3, tag), "force", 50.0))[3] == tag
    assert path_of(Edit("emission", (0, 3, 2), "force", 50.0))[2:4] in ([1, 2], [2, 2]), "I-PER goes on"
    assert path_of(Edit("emission", (), "scale", 1.0)) == plain


def test_an_edited_transition_changes_the_path() -> None:
    assert path_of(Edit("transition", (0, slice(None), 3), "force", 50.0))[1:] == [3] * 6
    start = Edit("transition.start", (0,), "from", tensor=torch.tensor([[0.0, 0, 0, 99, 0]]).numpy())
    assert path_of(start)[0] == 3
    assert path_of(Edit("transition.end", (0, 1), "force", 99.0))[-1] == 1


def test_an_edited_score_counts_from_there_on() -> None:
    plain, edited = run("lstm-crf").trace, run("lstm-crf", [Edit("score", (0, 3, 1), "force", 80.0)])
    assert torch.equal(edited.trace["score"].value[0, :3], plain["score"].value[0, :3])
    assert edited.outputs["path"][0, 3] == 1
    assert (edited.trace["score"].value[0, 5:] > 60).all(), "every path goes on from the edited score"
    assert torch.equal(edited.outputs["probs"], run("lstm-crf").outputs["probs"])


def test_an_edited_backpointer_leads_the_path_elsewhere() -> None:
    plain = path_of()
    other = 0 if plain[2] != 0 else 3
    assert path_of(Edit("backpointer", (0, 3), "force", float(other)))[2] == other
    assert path_of(Edit("backpointer", (0, 3), "force", 99.0))[2] == 99, "shown as it was written"
    assert all(0 <= tag < 5 for tag in path_of(Edit("backpointer", (0, 3), "force", 99.0))[:2])


def test_an_edited_path_is_followed_back() -> None:
    trace = run("lstm-crf", [Edit("path", (0, 4), "force", 3.0)]).trace
    path, pointers = trace["path"].value[0].long().tolist(), trace["backpointer"].value[0].long()
    assert path[4] == 3 and path[3] == int(pointers[4, 3])
    assert path[5:] == path_of()[5:]


def test_forward_scores_and_backward_scores_make_the_posterior() -> None:
    edited = run("lstm-crf", [Edit("forward_score", (0, 2, 0), "force", 99.0)])
    assert edited.outputs["probs"][0, 2, 0] > 0.999
    assert torch.equal(edited.outputs["path"], run("lstm-crf").outputs["path"])
    edited = run("lstm-crf", [Edit("backward_score", (0, 2, 1), "force", 99.0)])
    assert edited.outputs["probs"][0, 2, 1] > 0.999


def test_where_every_path_is_impossible_there_is_no_probability() -> None:
    nothing = torch.full((1, 7, 5), -torch.inf).numpy()
    found = run("lstm-crf", [Edit("emission", (), "from", tensor=nothing)]).outputs
    assert (found["probs"] == 0).all() and (found["path"] >= 0).all()


def test_a_batch_goes_to_its_device_with_its_labels() -> None:
    batch = Batch(torch.zeros(1, 2), labels=torch.ones(1, 2)).to("cpu")
    assert batch.labels is not None and batch.labels.sum() == 2
