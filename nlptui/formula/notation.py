"""Formulas as the field writes them."""

from __future__ import annotations

from nlptui.formula.evaluator import Evaluator
from nlptui.formula.syntax import Binary, Call, Name, Node, Number, unparse
from nlptui.trace import Trace

_NOTATION = {
    "dot": "Σ_d {0} · {1}",
    "mix": "Σ_key {0} · {1}",
    "softmax": "exp({0}ᵢ) / Σⱼ exp({0}ⱼ)",
    "mask": "{0} if {1} else −∞",
    "sigmoid": "σ({0})",
    "square": "({0})²",
    "sqrt": "√({0})",
    "mean": "1/n Σᵢ {0}ᵢ",
    "sum": "Σᵢ {0}ᵢ",
    "row_sum": "Σᵢ {0}ᵢ",
    "row_max": "maxᵢ {0}ᵢ",
    "row": "{0}[{1}]",
    "at": "{0}[{1}]",
    "sum_all": "Σᵢⱼ {0}ᵢⱼ",
    "argmax": "argmaxᵢ {0}ᵢ",
    "pick": "{0}[{1}]",
    "mean_head": "1/n Σ_head {0}",
    "embedding": "{1}[{0}]",
    "heads": "head({0})",
    "join": "{0}",
    "first": "{0}₀",
    "swap": "{0}ᵀ",
    "column": "{0}",
    "prev": "{0}ₜ₋₁",
    "mean_pos": "1/n Σ_pos {0}",
    "max_pos": "max_pos {0}",
    "max_char": "max_char {0}",
    "edit": "{0} · {1} + {2}",
    "gelu": "{0} · Φ({0})",
    "gelu_tanh": "{0} · ½(1 + tanh(√(2/π)({0} + 0.044715 {0}³)))",
    "relu": "max(0, {0})",
    "positive": "1 if {0} > 0 else 0",
    "best_in": "maxᵢ({0}ₜ₋₁ᵢ + {1}ᵢⱼ)",
    "best_tag": "argmaxᵢ({0}ₜ₋₁ᵢ + {1}ᵢⱼ)",
    "sum_in": "log Σᵢ exp({0}ₜ₋₁ᵢ + {1}ᵢⱼ)",
    "sum_out": "log Σⱼ exp({1}ᵢⱼ + {0}ₜ₊₁ⱼ)",
    "follow": "{1}ₜ₊₁[{0}ₜ₊₁], at the end argmaxⱼ {2}ⱼ",
}
# Functions whose first argument stands between brackets or commas already, where the pattern puts it.
_ENCLOSED: tuple[str, ...] = ("sigmoid", "square", "sqrt", "heads", "relu", "join", "column")
# Functions that are written as a sum, a product or a choice.
_LOOSE = (
    "linear",
    "conv",
    "dot",
    "mix",
    "mean",
    "sum",
    "row_sum",
    "sum_all",
    "mean_head",
    "mean_pos",
    "mask",
    "edit",
    "softmax",
    "gelu",
    "gelu_tanh",
)


def notation(node: Node, trace: Trace | None = None) -> str:
    """The formula as the field writes it; with `trace`, a module that has no bias is written without one."""
    if isinstance(node, Number | Name):
        return unparse(node)
    if isinstance(node, Binary):
        return _binary_notation(node, trace)
    if node.function in ("linear", "conv"):
        return _affine_notation(node, trace)
    if node.function == "concat":
        return f"[{' ; '.join(notation(a, trace) for a in node.arguments)}]"
    pattern = _NOTATION.get(node.function)
    if pattern is None:
        return f"{node.function}({', '.join(notation(a, trace) for a in node.arguments)})"
    write = notation if node.function in _ENCLOSED else _grouped
    return pattern.format(*(write(argument, trace) for argument in node.arguments))


def _binary_notation(node: Binary, trace: Trace | None) -> str:
    right = _grouped(node.right, trace) if isinstance(node.right, Binary) else notation(node.right, trace)
    if node.operator == "-" and node.left == Number(0.0):
        return f"−{right}"
    if node.operator in "+-":
        right = notation(node.right, trace) if node.operator == "+" else right
        return f"{notation(node.left, trace)} {'+' if node.operator == '+' else '−'} {right}"
    products = isinstance(node.left, Binary) and node.left.operator in "*/"
    left = notation(node.left, trace) if products else _grouped(node.left, trace)
    return f"{left} {'⊙' if node.operator == '*' else '/'} {_grouped(node.right, trace)}"


def _affine_notation(node: Call, trace: Trace | None) -> str:
    """x Wᵀ + b, or a convolution, with the bias where there is one."""
    x = _grouped(node.arguments[0], trace)
    weight, bias = unparse(node.arguments[1]), unparse(node.arguments[2]) if len(node.arguments) > 2 else ""
    if trace is not None:
        found, with_it = Evaluator(trace).weight(node.arguments[1])
        weight, bias = unparse(found), bias or (unparse(with_it) if with_it else "")
    pattern = "Σⱼ {0}ⱼ · {1}ᵢⱼ" if node.function == "linear" else "Σₖ Σ_d {0} · {1}ₖ"
    return pattern.format(x, weight) + (f" + {bias}ᵢ" if bias else "")


def _grouped(node: Node, trace: Trace | None = None) -> str:
    """The notation of a node within a product or under a mark, in brackets where it needs them."""
    text = notation(node, trace)
    loose = isinstance(node, Binary) or (isinstance(node, Call) and node.function in _LOOSE)
    return f"({text})" if loose else text
