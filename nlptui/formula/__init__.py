"""The small language in which an activation says how it was made, and its evaluator.

    formula   =  term (("+" | "-") term)*          linear(norm1, wq)
    term      =  factor (("*" | "/") factor)*      forget_gate * prev(cell)
    factor    =  number | name | name "[a:b]" | function "(" formula, … ")" | "(" formula ")" | "-" factor

A name is an activation, an input or a parameter (or a module, where a function wants weight and bias);
`name[a:b]` are rows a to b − 1 of a parameter. Names broadcast from the right, as in numpy. `explain` opens
one element of one activation: which numbers it was made of, with which factors, and what they come to. Knows
nothing of networks; works on anything with a Trace's interface, in float64.

What the functions compute, with B batch, P positions, H heads, D width:

    linear(x, w) or linear(x, w, b)     x Wᵀ + b; a module's name stands for its weight and bias, if any
    dot(q, k)                           q kᵀ over the last axis          (B H P D), (B H K D) → (B H P K)
    mix(w, v)                           w v: values mixed by weights     (… P K), (… K D) → (… P D)
    conv(x, w)                          convolution over the last axis but one, zeros beyond both ends
    softmax(x)  mean(x)                 over the last axis; mean keeps it (size 1); softmax of only −∞ is 0
    sum(x)  argmax(x)                   over the last axis, which goes; the place of the first of the greatest
    row_sum(x)  row_max(x)              over the last axis, which stays (size 1); the max of only −∞ is 0
    sum_all(x)                          over the last two axes, which go
    pick(x, i)                          the place i of the last axis, which goes
    mean_head(x)                        over the heads                   (B H …) → (B …)
    mask(x, m)                          x where m is true, −∞ elsewhere
    mean_pos(x[, m])  max_pos(x[, m])   over the positions where m is true; 0 where there are none
    max_char(x, c)                      over the characters whose id in c is not 0
    edit(x, f, c)                       x · f + c; f = 0 silences an infinity, any other f leaves it as it is
    embedding(i, w)                     row i of w
    heads(x, n)  join(x)                (B P H·n) → (B H P n), and back
    concat(x, …)  swap(x)               along the last axis; the last two axes
    row(x, n)  at(x, n)                 row n of the last axis but one, which stays (size 1), or goes
    first(x)  column(x, n)  prev(x)     position 0; column n of the last axis; the step before, 0 at the start
    tanh sigmoid relu gelu gelu_tanh square sqrt exp log    element by element; log 0 = −∞
    positive(x)                         1 where x > 0, else 0

Along a lattice (B P tag), with a the scores of going from tag i to tag j:

    best_in(x, a, s)                    max_i x[t−1, i] + a[i, j]; at the first position s[j]
    best_tag(x, a)                      the i that gives it, the first of equals; −1 at the first position
    sum_in(x, a, s)                     log Σ_i exp(x[t−1, i] + a[i, j]); at the first position s[j]
    sum_out(x, a, e[, m])               log Σ_j exp(a[i, j] + x[t+1, j]); e[i] at the last position
    follow(p, b, f[, m])                b[t+1, p[t+1]], where p is rounded to a tag's number; at the last
                                        position the tag j of the greatest f[t, j]; −1 where m is false

The last position is the last where m is true.
"""

from __future__ import annotations

from nlptui.formula.derive import explain, reads
from nlptui.formula.evaluator import Evaluator
from nlptui.formula.notation import notation
from nlptui.formula.syntax import Binary, Call, Name, Node, Number, names_in, parse, unparse
from nlptui.formula.terms import ELEMENTWISE, Derivation, Position, Term, product, quotient, total

__all__ = [
    "ELEMENTWISE", "Binary", "Call", "Derivation", "Evaluator", "Name", "Node", "Number", "Position", "Term",
    "explain", "names_in", "notation", "parse", "product", "quotient", "reads", "total", "unparse",
]  # fmt: skip
