"""Short words for what a view lets one choose, the stops of Tab; on the command line the keys stand."""

from __future__ import annotations

from nlptui.locale import N_, _

SHORT = {
    "gates": N_("gates"),
    "active": N_("most active first"),
    "pre": N_("before σ"),
    "activity": N_("by activity"),
    "index": N_("by number"),
    "cosines": N_("cosines"),
    "map": N_("map"),
    "table": N_("table"),
    "order": N_("order"),
    "pictures": N_("pictures"),
    "numbers": N_("numbers"),
    "weights": N_("weights"),
    "scores": N_("masked scores"),
    "scaled": "q·k ÷ √d",
    "dot": "q·k",
    "x": N_("input x"),
    "qkv": "q k v",
    "mask": N_("mask"),
    "softmax": "softmax",
    "weighted": N_("weight × v"),
    "z": N_("the sum z"),
    "concat": N_("heads joined"),
    "trained": N_("trained"),
    "before": N_("before training"),
    "both": N_("before and after"),
    "exploding": N_("exploding"),
    "out": N_("times W_O"),
    "integrated": N_("integrated gradients"),
    "finer": N_("integrated, finely"),
    "gradient_input": N_("gradient × input"),
    "left_out": N_("left out"),
    "attention": N_("attention"),
    "walk": N_("a walk"),
    "lattice": N_("lattice"),
    "posteriors": N_("posteriors"),
    "transitions": N_("transitions"),
}


def choice_word(key: str) -> str:
    """The word for one choice; the name of an activation stays as it is."""
    return _(SHORT[key]) if key in SHORT else key
