"""Edits: how they are written and read, what they make of values, and what fills in their tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nlptui.edits import Edit, UnfitEdit, with_means, with_pinned, with_row_means
from nlptui.errors import UserError
from nlptui.trace import Recorder, Trace


def zeros(*shape: int) -> Tensor:
    return torch.zeros(shape)


# -- edits: text


INDICES = st.lists(
    st.one_of(
        st.integers(-9, 99),
        st.builds(slice, st.none() | st.integers(-9, 99), st.none() | st.integers(-9, 99)),
    ),
    max_size=4,
).map(tuple)
NAMES = st.from_regex(r"[a-z_]{1,8}(\.[a-z0-9_]{1,8}){0,3}", fullmatch=True)
AMOUNTS = st.floats(allow_nan=False, allow_infinity=False)
EDITS = st.one_of(
    st.builds(Edit, NAMES, INDICES, st.sampled_from(["zero", "mean"])),
    st.builds(Edit, NAMES, INDICES, st.sampled_from(["scale", "force"]), AMOUNTS),
)


@given(EDITS)
def test_an_edit_reads_back_what_it_writes(edit: Edit) -> None:
    assert Edit.parse(str(edit)) == edit


def test_edits_as_people_write_them(tmp_path: Path) -> None:
    whole = slice(None)
    assert Edit.parse("blocks.3.attn.weights[0,2,:,:]=zero") == Edit(
        "blocks.3.attn.weights", (0, 2, whole, whole), "zero"
    )
    assert Edit.parse(" embed [ 0 , 1: , -2 ] = scale:-0.5 ") == Edit(
        "embed", (0, slice(1, None), -2), "scale", -0.5
    )
    assert Edit.parse("cell=force:1e-3") == Edit("cell", (), "force", 0.001)
    assert Edit.parse("cell[]=mean") == Edit("cell", (), "mean")
    file = tmp_path / "a=b.npz"
    np.savez(file, embed=np.arange(3.0))
    edit = Edit.parse(f"embed=from:{file}")
    assert edit.tensor is not None and edit.tensor.tolist() == [0.0, 1.0, 2.0]
    assert str(edit) == f"embed=from:{file}"
    assert Edit.parse(str(edit)) == edit


@pytest.mark.parametrize(
    "text",
    [
        "",
        "embed",
        "=zero",
        "embed=",
        "embed=nothing",
        "embed=zero:1",
        "embed=mean:x",
        "embed[0=zero",
        "embed[x]=zero",
        "embed[0:1:2]=zero",
        "embed[0,,1]=zero",
        "embed[1.5]=zero",
        "embed=scale",
        "embed=scale:",
        "embed=scale:many",
        "embed=force:nan",
        "embed=force:inf",
        "em bed=zero",
        "embed=from:",
        "embed=from:/nowhere/x.npz",
        "\x1b[31m=zero",
    ],
)
def test_edits_that_say_nothing(text: str) -> None:
    with pytest.raises(UserError) as caught:
        Edit.parse(text)
    assert "\x1b" not in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_do_not_hold_the_tensor(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", other=np.zeros(3))
    np.savez(tmp_path / "words.npz", embed=np.array(["a"]))
    np.savez(tmp_path / "pickled.npz", embed=np.array([{}], dtype=object))
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 no more")
    for name, said in {
        "other": "holds no array 'embed'; it has other",
        "words": "no numbers",
        "pickled": "not readable",
        "broken": "not readable",
    }.items():
        with pytest.raises(UserError, match=said):
            Edit.parse(f"embed=from:{tmp_path}/{name}.npz")
    with pytest.raises(UserError, match="not readable"):
        Edit.parse(f"embed=from:{tmp_path}/one.npy")


def test_an_edit_knows_its_ops_and_wants_its_number() -> None:
    with pytest.raises(UserError, match="zero, mean, scale, force, from"):
        Edit("embed", (), "double")
    with pytest.raises(UserError, match="number"):
        Edit("embed", (), "scale")
    assert str(Edit("embed", (slice(0, 4, 2),), "zero")) == "embed[0:4:2]=zero"


# -- edits: values

SHAPE = (2, 3, 4)


def region(draw: Any) -> tuple[Any, ...]:
    """An index into SHAPE that selects something."""
    parts: list[Any] = []
    for size in SHAPE[: draw(st.integers(0, 3))]:
        if draw(st.booleans()):
            parts.append(draw(st.integers(-size, size - 1)))
        else:
            first = draw(st.integers(0, size - 1))
            parts.append(slice(first, draw(st.integers(first + 1, size))))
    return tuple(parts)


@st.composite
def several_edits(draw: Any) -> list[Edit]:
    found = []
    for _n in range(draw(st.integers(1, 4))):
        op = draw(st.sampled_from(["zero", "scale", "force", "from"]))
        amount = draw(st.sampled_from([-2.0, 0.0, 0.5, 3.0])) if op in ("scale", "force") else None
        tensor = np.random.default_rng(draw(st.integers(0, 9))).normal(size=SHAPE) if op == "from" else None
        found.append(Edit("x", region(draw), op, amount, tensor))
    return found


def one_after_another(value: np.ndarray, edits: list[Edit]) -> np.ndarray:
    changed = value.copy()
    for edit in edits:
        place = changed[edit.index]
        if edit.op == "scale":
            assert edit.amount is not None
            finite = np.where(np.isinf(place), 0.0, place) * edit.amount
            changed[edit.index] = np.where(np.isinf(place) & (edit.amount != 0), place, finite)
        elif edit.op == "from":
            assert edit.tensor is not None
            changed[edit.index] = edit.tensor[edit.index]
        else:
            changed[edit.index] = edit.amount if edit.op == "force" else 0.0
    return changed


@given(several_edits())
def test_edits_are_made_one_after_another(edits: list[Edit]) -> None:
    """Whole at once and step by step, with a masked score among the values."""
    value = np.random.default_rng(1).normal(size=SHAPE)
    value[1, 2, 3] = -np.inf
    expected = one_after_another(value, edits)
    rec = Recorder(edits=edits)
    edited = rec("x", torch.from_numpy(value), "batch pos d_hidden", by="")
    np.testing.assert_allclose(edited.numpy(), expected, rtol=1e-12, atol=1e-12)
    rec = Recorder(edits=edits)
    steps = rec.steps(SHAPE[1])
    for t in range(SHAPE[1]):
        step = steps(t, "x", torch.from_numpy(value[:, t]), by="")
        np.testing.assert_allclose(step.numpy(), expected[:, t], rtol=1e-12, atol=1e-12)
    whole = steps.close(lambda values: torch.stack(values, 1))["x"]
    np.testing.assert_allclose(whole.numpy(), expected, rtol=1e-12, atol=1e-12)
    rec.check_edits()


def test_an_edited_value_keeps_its_formula_beside_it() -> None:
    rec = Recorder(edits=[Edit("a.q", (0, 1), "force", 5.0)])
    rec("x", torch.ones(1, 2), "batch pos", by="")
    scope = rec.at("a", x="x")
    scope("q", torch.ones(1, 2), "batch pos", by="2 * x")
    scope("r", torch.ones(1, 2), "batch pos", by="tanh(q)")
    assert rec.activations["a.q.unedited"].formula == "2 * x"
    assert rec.activations["a.q"].formula == "edit(a.q.unedited, edits.a.q.factor, edits.a.q.constant)"
    assert rec.activations["a.r"].formula == "tanh(a.q)"
    assert rec.inputs["edits.a.q.factor"].value.tolist() == [[1.0, 0.0]]
    assert rec.inputs["edits.a.q.constant"].value.tolist() == [[0.0, 5.0]]
    assert rec.inputs["edits.a.q.factor"].axes == ("batch", "pos")


def test_an_edit_that_met_nothing_names_the_neighbours() -> None:
    rec = Recorder(edits=[Edit("blocks.0.attn.wieghts", (), "zero")], only=["logits"])
    rec.at("blocks.0.attn")("weights", zeros(1), "batch", by="")
    with pytest.raises(UserError, match="did you mean blocks.0.attn.weights"):
        rec.check_edits()


# -- means


def traced(**values: np.ndarray) -> Trace:
    rec = Recorder()
    for name, value in values.items():
        axes = {4: "batch head query key", 3: "batch pos d_model", 2: "batch key"}[value.ndim]
        rec(name, torch.from_numpy(value), axes, by="")
    return Trace(rec.activations)


def test_means_are_over_positions() -> None:
    generator = np.random.default_rng(0)
    embed, weights, keys = (
        generator.normal(size=(1, 5, 3)),
        generator.normal(size=(1, 2, 4, 6)),
        np.ones((1, 3)),
    )
    trace = traced(embed=embed, weights=weights, keys=keys)
    found = with_means([Edit(name, (0,), "mean") for name in ("embed", "weights", "keys")], trace)
    for edit, value, axis in zip(found, (embed, weights, keys), (1, 2, 1), strict=True):
        assert edit.tensor is not None and edit.tensor.shape == value.shape
        np.testing.assert_allclose(edit.tensor, np.broadcast_to(value.mean(axis, keepdims=True), value.shape))
        assert edit.index == (0,) and edit.op == "mean" and str(edit).endswith("[0]=mean")


def test_means_leave_masked_scores_out_and_masked() -> None:
    scores = np.array([[[[1.0, -np.inf, -np.inf], [3.0, 5.0, -np.inf]]]])
    (edit,) = with_means([Edit("scores", (), "mean")], traced(scores=scores))
    assert edit.tensor is not None
    assert edit.tensor.tolist() == [[[[2.0, -np.inf, -np.inf], [2.0, 5.0, -np.inf]]]]


def test_values_from_the_pinned_run() -> None:
    a = np.arange(6.0).reshape(1, 2, 3)
    edit = Edit.parse("embed [0, 1] = from:A")
    assert edit.patches and edit.tensor is None and str(edit) == "embed[0,1]=from:A"
    assert not Edit.parse("embed=zero").patches
    edits = with_pinned([edit, Edit("other", (), "zero")], traced(embed=a))
    assert edits[1].tensor is None
    rec = Recorder(edits=edits[:1])
    made = rec("embed", -torch.ones(1, 2, 3), "batch pos d_model", by="")
    assert made.tolist() == [[[-1.0, -1.0, -1.0], [3.0, 4.0, 5.0]]]


def test_what_the_pinned_run_does_not_hold_is_told() -> None:
    with pytest.raises(UserError, match="A, the pinned run, has no activation named 'embd'; .*embed"):
        with_pinned([Edit.parse("embd=from:A")], traced(embed=np.zeros((1, 2))))
    with pytest.raises(UserError, match="its text has no tokens"):
        with_pinned([Edit.parse("embed=from:A")], Trace({}))
    with pytest.raises(UserError, match="A stands for a pinned run, and no run is pinned"):
        Recorder(edits=[Edit.parse("embed=from:A")])("embed", zeros(1, 2), "batch pos", by="")


def test_means_of_a_parameter_are_over_its_rows() -> None:
    edits = [Edit("bias", (0,), "mean"), Edit("bias", (1,), "zero")]
    filled, kept = with_row_means(edits, np.array([[1.0, 4.0], [3.0, -np.inf]]))
    assert filled.tensor is not None and kept is edits[1]
    np.testing.assert_array_equal(filled.tensor, [[2.0, 4.0], [2.0, -np.inf]])
    with pytest.raises(UnfitEdit, match="bias is one number") as raised:
        with_row_means(edits, np.array(1.0))
    assert raised.value.edit is edits[0]
