"""Generation: cache against none, the sampling rules against numpy by hand, seeds, ends."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from nlptui.config import TransformerConfig
from nlptui.engine import Engine
from nlptui.engine.generation import allowed, generate
from nlptui.errors import UserError
from nlptui.nn import Batch, build_model
from nlptui.sampling import Sampling

WRITERS = ["gpt", "gpt1", "lm-lstm", "lm-rnn", "lm-gru", "translator"]


@pytest.mark.parametrize("family", WRITERS)
def test_the_cache_changes_nothing(engines: dict[str, Engine], family: str) -> None:
    # 30 tokens go far beyond the GPTs' context of 12: the window slides.
    settings = {"max_tokens": 30, "temperature": 1.0, "seed": 5}
    cached = list(engines[family].generate("a can of", cache=True, **settings))
    fresh = list(engines[family].generate("a can of", cache=False, **settings))
    assert [step.id for step in cached] == [step.id for step in fresh]
    assert len(cached) > 0
    for one, other in zip(cached, fresh, strict=True):
        assert abs(one.logprob - other.logprob) <= 1e-5


@pytest.mark.parametrize("family", WRITERS)
def test_a_seed_repeats_and_another_differs(engines: dict[str, Engine], family: str) -> None:
    def ids(seed: int) -> list[int]:
        return [s.id for s in engines[family].generate("the old", max_tokens=20, temperature=1.5, seed=seed)]

    assert ids(1) == ids(1)
    assert len({tuple(ids(seed)) for seed in range(4)}) > 1


def test_greedy_takes_the_likeliest(engines: dict[str, Engine]) -> None:
    engine = engines["gpt"]
    step = next(engine.generate("the old", max_tokens=1, temperature=0))
    best = engine.predict("the old")["output"]["candidates"][0]["tokens"][0]
    assert step.id == best["id"]
    assert math.isclose(math.exp(step.logprob), best["prob"], rel_tol=1e-5)


def by_hand(logits: np.ndarray, temperature: float, k: int, p: float) -> set[int]:
    """Which tokens top-k and then top-p leave, written in another way."""
    scaled = np.exp((logits - logits.max()) / temperature)
    order = sorted(range(len(logits)), key=lambda i: (-scaled[i], i))
    order = order[:k] if k else order
    probs = scaled[order] / scaled[order].sum()
    kept, total = set(), 0.0
    for token, prob in zip(order, probs, strict=True):
        if total >= p:
            break
        kept.add(token)
        total += prob
    return kept


@pytest.mark.parametrize(
    ("temperature", "k", "p"), [(1.0, 0, 1.0), (0.5, 5, 1.0), (2.0, 0, 0.7), (1.3, 8, 0.6), (1, 1, 1e-9)]
)
def test_top_k_and_top_p_leave_what_they_should(temperature: float, k: int, p: float) -> None:
    logits = torch.randn(40, generator=torch.Generator().manual_seed(k))
    scores = allowed(logits, Sampling(temperature, k, p))
    kept = {i for i, score in enumerate(scores.tolist()) if score != -math.inf}
    assert kept == by_hand(logits.double().numpy(), temperature, k, p)


@pytest.mark.parametrize(
    "bad", [{"temperature": -1}, {"temperature": math.nan}, {"top_k": -1}, {"top_p": 0}, {"top_p": 1.1}]
)
def test_settings_out_of_range_are_told(engines: dict[str, Engine], bad: dict[str, float]) -> None:
    with pytest.raises(UserError):
        engines["gpt"].generate("x", **bad)


def test_generation_stops_at_the_end_token() -> None:
    rows = iter([torch.tensor([0.0, 5.0, 0.0]), torch.tensor([0.0, 0.0, 9.0])])
    steps = list(generate(lambda _last: next(rows), lambda ids: "ab"[: len(ids)], 10, Sampling(), end=2))
    assert [(step.id, step.text) for step in steps] == [(1, "a")]


def test_a_character_split_over_tokens_comes_whole() -> None:
    pieces = "猫".encode()
    rows = iter([torch.nn.functional.one_hot(torch.tensor(byte), 256) * 9.0 for byte in pieces])
    steps = list(
        generate(lambda _l: next(rows), lambda ids: bytes(ids).decode(errors="replace"), 3, Sampling(), None)
    )
    assert [step.text for step in steps] == ["", "", "猫"]


def test_predict_searches_as_evaluate_does_and_generate_greedily(engines: dict[str, Engine]) -> None:
    """One beam: the same tokens; three: another search, whose answer the trace then shows as it is."""
    engine = engines["translator"]
    greedy = list(engine.generate("the old can", max_tokens=engine.config.context - 1, temperature=0))
    predicted = engine.predict("the old can")["output"]
    assert [token["id"] for token in predicted["tokens"]] == [step.id for step in greedy]
    assert predicted["text"] == "".join(step.text for step in greedy)
    for token, step in zip(predicted["tokens"], greedy, strict=True):
        assert abs(token["logprob"] - step.logprob) <= 1e-5
    assert isinstance(engine.config, TransformerConfig)
    config = replace(engine.config, beams=3)
    model = build_model(config)
    model.load_state_dict(engine.model.state_dict())
    wide = Engine(model, config, engine.tokenizer, engine.path)
    found = wide.predict("the old can")["output"]
    traced = wide.trace("the old can").output
    assert [token["id"] for token in traced["tokens"]] == [token["id"] for token in found["tokens"]]
    ids = torch.tensor([wide.encode("the old can").ids])
    searched = model.translate(Batch(ids), 2, 3, config.context - 1)[0]  # type: ignore[operator]
    assert searched.ids == [token["id"] for token in found["tokens"]]
    assert wide.task.translate(model, [ids[0].tolist()], "cpu")[0].ids == searched.ids  # type: ignore[attr-defined]


def test_an_empty_prompt(engines: dict[str, Engine]) -> None:
    assert len(list(engines["gpt"].generate("", max_tokens=3))) == 3
    assert list(engines["translator"].generate("", max_tokens=3)) == []


def test_a_prompt_beyond_the_context_is_used_from_its_end(engines: dict[str, Engine]) -> None:
    engine = engines["gpt"]
    prompt = "the old lighthouse keeper"
    assert engine.prompt_used("the old") is None
    assert engine.prompt_used(prompt) == prompt[-engine.config.context :]
    long, cut = (next(engine.generate(text, 1, temperature=0)) for text in (prompt, prompt[-12:]))
    assert long == cut
    assert engines["lm-gru"].prompt_used(prompt) is None
    assert (
        engines["translator"].prompt_used(prompt * 3) == (prompt * 3)[: engines["translator"].config.context]
    )


def test_models_that_write_nothing_say_so(engines: dict[str, Engine]) -> None:
    with pytest.raises(UserError, match="writes no text"):
        engines["tag-lstm"].generate("the old")


@pytest.mark.parametrize("family", WRITERS)
def test_step_by_step_writes_what_generating_writes(engines: dict[str, Engine], family: str) -> None:
    engine = engines[family]
    translates = engine.config.task == "translation"
    for seed in range(20):  # one that writes no special token, which the text would not hold
        settings = {"temperature": 1.3, "top_k": 9, "top_p": 0.9, "seed": seed}
        steps = list(engine.generate("the old", max_tokens=8, **settings))
        if len(steps) >= 3 and all(step.text for step in steps):
            break
    else:
        pytest.fail("every seed wrote a special token")
    text, ids = "the old", []
    for step in steps:
        trace = engine.trace(text, target=ids) if translates else engine.trace(text)
        found = engine.next_step(trace, Sampling(**settings))
        assert found is not None and (found.id, found.text) == (step.id, step.text)
        assert abs(found.logprob - step.logprob) <= 1e-5
        text, ids = (text, [*ids, found.id]) if translates else (text + found.text, ids)


def test_another_token_can_be_written(engines: dict[str, Engine]) -> None:
    engine = engines["translator"]
    trace = engine.trace("the old", target=[9, 7])
    assert trace.label_sets["tgt"][1:] == tuple(engine.tokenizer.token(i) for i in (9, 7))
    step = engine.next_step(trace, Sampling(), token=11)
    assert step is not None and step.id == 11
    logprobs = trace["logits"].value[0, -1].double().log_softmax(-1)  # type: ignore[union-attr]
    assert step.logprob == pytest.approx(float(logprobs[11]))
    assert engine.next_step(trace, Sampling(), token=engine.tokenizer.specials["eos"]) is None


def test_what_cannot_be_written_is_told(engines: dict[str, Engine]) -> None:
    translator = engines["translator"]
    size = len(translator.tokenizer.vocabulary())
    with pytest.raises(UserError, match=f"no token {size}; ids go from 0 to {size - 1}"):
        translator.trace("the old", target=[1, size])
    with pytest.raises(UserError, match="can write at most"):
        translator.trace("the old", target=[1] * translator.config.context)
    with pytest.raises(UserError, match="writes no translation"):
        engines["gpt"].trace("the old", target=[1])


def test_the_end_mark_of_a_text_is_not_gone_on_from() -> None:
    """A tokenizer that ends each text with its mark: the next token follows the text, as in generating."""
    engine = Engine.load("gpt-tang", device="cpu")
    how = {"temperature": 0.8, "top_k": 20, "seed": 3}
    trace = engine.trace("春眠不觉晓")
    assert trace.encoding.ids[-1] == engine.tokenizer.specials["eos"]
    first = next(engine.generate("春眠不觉晓", max_tokens=1, **how))
    step = engine.next_step(trace, Sampling(**how))
    assert step is not None and (step.id, step.text) == (first.id, first.text)
    before = f"analysis.next.{Sampling(**how).suffix}."
    engine.analyse(trace, before, "analysis.beam.w_2.d_2.prob")
    assert int(trace.array(f"{before}choice")[0]) == first.id
    probs = trace.array("probs")[0, len(trace.encoding.ids) - 2]
    tried = trace.array("analysis.beam.w_2.d_2.token")[0]
    top = trace.array("analysis.beam.w_2.d_2.depth")[0] == 1
    assert set(tried[top]) == set(np.argsort(-probs)[:2])


def test_what_runs_other_texts_refuses_edits(engines: dict[str, Engine]) -> None:
    trace = engines["gpt"].trace("the old", edits=["blocks.0.attn.z=zero"])
    for name in ("analysis.beam", "analysis.cache", "analysis.positions"):
        with pytest.raises(UserError, match="take the edits back"):
            engines["gpt"].analyse(trace, name)
