"""What LayerNorm does to each token: mean and variance of its vector, before and after.

    before   the mean is recorded by the run; variance = 1/d Σ (x − mean)²
    after    mean and variance of the result, which weight and bias have moved from 0 and 1

Source: Ba et al. 2016, "Layer Normalization".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nlptui.formula import reads
from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine


def fits(config: Any) -> bool:
    """Whether a model has LayerNorms."""
    return config.arch in ("transformer", "bert", "gpt")


def norms(trace: Trace) -> dict[str, str]:
    """The name of each LayerNorm's result → that of the vectors that it was made from."""
    found = {}
    for name in trace.activations:
        if name.endswith(".mean") and name.removesuffix("mean") + "scale" in trace.activations:
            found[name.removesuffix(".mean")] = reads(trace, name)[0]
    return found


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """Of every LayerNorm `{name}.variance`, `{name}.after_mean`, `{name}.after_variance` (batch pos stat)."""
    for name, before in norms(trace).items():
        if len(trace[name].axes) != 3:
            continue
        side = {"encoder": "src", "decoder": "tgt"}.get(name.split(".")[0], "tokens")
        scope = rec.at(name, pos=side, x=before, y=name, mean=f"{name}.mean")
        axes = "batch pos stat"
        x: Any = trace[before].value
        y: Any = trace[name].value
        centre: Any = trace[f"{name}.mean"].value
        variance = (x - centre).square().mean(-1, keepdim=True)
        scope("variance", variance, axes, by="mean(square(x - mean))")
        after = scope("after_mean", y.mean(-1, keepdim=True), axes, by="mean(y)")
        spread = (y - after).square().mean(-1, keepdim=True)
        scope("after_variance", spread, axes, by="mean(square(y - after_mean))")
