"""One sentence in the reader's language that says what a cell of a figure means.

There is one template for each kind of activation; the cell's axes fill its placeholders. Knows nothing of how
the numbers were computed: it reads the name, the labels and the value.
"""

from __future__ import annotations

import string
from functools import cache

from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.text import UNKNOWN
from nlptui.views.figure import Bars, Figure, HeatTable, Lines, Origin, Points, Thumbnails, Tokens, Tree
from nlptui.views.names import DIFFERS, TOKEN_AXES, UNEDITED, place
from nlptui.wording import listed

Fields = dict[str, str]

# Several templates for a kind: the first one counts whose placeholders the cell can fill.
TEMPLATES: dict[str, tuple[str, ...]] = {
    # inputs
    "ids": (N_("the id of '{token}', which is token {position}: {value}"),),
    "target_ids": (N_("the id of '{token}', which is token {position} of the decoder: {value}"),),
    "positions": (N_("the position of '{token}': {value}"),),
    "segments": (N_("the segment of '{token}': {value}"),),
    "mask": (N_("whether '{token}' is read (1) or padding (0): {value}"),),
    "keep": (N_("whether '{token}' is read (1) or padding (0): {value}"),),
    "factor": (N_("the factor by which an edit multiplies this value (1 leaves it): {value}"),),
    "constant": (N_("what an edit adds to this value: {value}"),),
    "attention_mask": (N_("whether '{query}' may look at '{key}' (1) or not (0): {value}"),),
    "memory_mask": (N_("whether the decoder may look at '{key}' (1) or not (0): {value}"),),
    "chars": (N_("the id of character {char} of '{token}': {value}"),),
    # embeddings
    "token_embed": (N_("component {unit} of the embedding of '{token}'{where}: {value}"),),
    "pos_embed": (N_("component {unit} of the vector for position {position} ('{token}'){where}: {value}"),),
    "segment_embed": (N_("component {unit} of the vector for the segment of '{token}': {value}"),),
    "embed": (N_("component {unit} of what goes into the first layer for '{token}'{where}: {value}"),),
    "embed_norm": (N_("component {unit} of the embedding of '{token}' after LayerNorm{where}: {value}"),),
    "char_embed": (N_("component {unit} of the embedding of character {char} of '{token}': {value}"),),
    "char_conv": (N_("how strongly filter {unit} answers at character {char} of '{token}': {value}"),),
    "char_feature": (N_("the strongest answer of filter {unit} to the characters of '{token}': {value}"),),
    # attention
    "q": (N_("component {unit} of the query of '{query}'{where}: {value}"),),
    "k": (N_("component {unit} of the key of '{key}'{where}: {value}"),),
    "v": (N_("component {unit} of the value of '{key}'{where}: {value}"),),
    "dot": (N_("the product of the query of '{query}' and the key of '{key}'{where}: {value}"),),
    "scaled": (N_("query of '{query}' · key of '{key}', divided by √d_head{where}: {value}"),),
    "scores": (
        N_("the score that '{query}' gives to '{key}' before softmax{where}: {value}"),
        N_("the score of '{key}' before softmax{where}: {value}"),
    ),
    "weights": (
        N_("how much '{query}' (query {query_number}) looks at '{key}' (key {key_number}){where}: {value}"),
        N_("the share of '{key}' in the pooled vector{where}: {value}"),
        N_("the weight of the feature {feature} of '{token}' for the tag {label}: {value}"),
    ),
    "raw": (N_("the score of '{key}' before the mask{where}: {value}"),),
    "z": (N_("component {unit} of what '{query}' gathers from the values it looks at{where}: {value}"),),
    "head_out": (N_("what this head adds to unit {unit} for '{token}'{where}: {value}"),),
    "out": (N_("what attention adds to unit {unit} for '{token}'{where}: {value}"),),
    # the residual stream
    "resid_pre": (N_("unit {unit} of the vector of '{token}' as the block receives it{where}: {value}"),),
    "resid_mid": (
        N_("unit {unit} of the residual stream at '{token}' after attention was added{where}: {value}"),
    ),
    "resid_post": (N_("unit {unit} of the residual stream at '{token}' after the block{where}: {value}"),),
    "attn_sum": (N_("unit {unit} at '{token}': what came in plus what attention adds{where}: {value}"),),
    "self_attn_sum": (
        N_("unit {unit} at '{token}': what came in plus what self-attention adds{where}: {value}"),
    ),
    "cross_attn_sum": (
        N_("unit {unit} at '{token}': what came in plus what cross-attention adds{where}: {value}"),
    ),
    "mlp_sum": (
        N_("unit {unit} at '{token}': what came in plus what the feed-forward layer adds{where}: {value}"),
    ),
    "attn_norm": (N_("unit {unit} at '{token}' after attention, Add and Norm{where}: {value}"),),
    "self_attn_norm": (N_("unit {unit} at '{token}' after self-attention, Add and Norm{where}: {value}"),),
    "cross_attn_norm": (N_("unit {unit} at '{token}' after cross-attention, Add and Norm{where}: {value}"),),
    "mlp_norm": (N_("unit {unit} at '{token}' after the feed-forward layer, Add and Norm{where}: {value}"),),
    "norm1": (N_("unit {unit} at '{token}', normalised for attention{where}: {value}"),),
    "norm2": (N_("unit {unit} at '{token}', normalised for the feed-forward layer{where}: {value}"),),
    "norm_final": (N_("unit {unit} at '{token}' after the final LayerNorm: {value}"),),
    "norm": (N_("unit {unit} at '{token}', normalised for the output layer{where}: {value}"),),
    "mean": (N_("the mean over the units of '{token}', which LayerNorm takes away{where}: {value}"),),
    "scale": (
        N_("the standard deviation over the units of '{token}', by which LayerNorm divides{where}: {value}"),
    ),
    # the feed-forward layer
    "mlp.pre": (
        N_("unit {unit} of the feed-forward layer at '{token}' before its activation{where}: {value}"),
    ),
    "mlp.post": (N_("how active unit {unit} of the feed-forward layer is at '{token}'{where}: {value}"),),
    "mlp.out": (N_("what the feed-forward layer adds to unit {unit} for '{token}'{where}: {value}"),),
    # recurrent layers
    "preact": (
        N_("unit {unit} before tanh at '{token}': input and old state, weighted and added{where}: {value}"),
    ),
    "hidden": (N_("hidden state of unit {unit} after reading '{token}'{where}: {value}"),),
    "input_gate": (N_("how much of the new content unit {unit} writes at '{token}'{where}: {value}"),),
    "forget_gate": (N_("how much of the old cell state unit {unit} keeps at '{token}'{where}: {value}"),),
    "output_gate": (N_("how much of its cell unit {unit} shows at '{token}'{where}: {value}"),),
    "candidate": (N_("the new content that unit {unit} could take in at '{token}'{where}: {value}"),),
    "kept": (N_("what unit {unit} keeps of its old cell state at '{token}'{where}: {value}"),),
    "written": (N_("what unit {unit} adds to its cell state at '{token}'{where}: {value}"),),
    "cell": (N_("cell state of unit {unit} after reading '{token}'{where}: {value}"),),
    "reset_gate": (
        N_("how much of the past the candidate of unit {unit} sees at '{token}'{where}: {value}"),
    ),
    "update_gate": (N_("how much of its old state unit {unit} keeps at '{token}'{where}: {value}"),),
    "candidate.recurrent": (
        N_("what the old state says to the candidate of unit {unit} at '{token}'{where}: {value}"),
    ),
    "input_gate.pre": (N_("input gate of unit {unit} at '{token}' before σ{where}: {value}"),),
    "forget_gate.pre": (N_("forget gate of unit {unit} at '{token}' before σ{where}: {value}"),),
    "output_gate.pre": (N_("output gate of unit {unit} at '{token}' before σ{where}: {value}"),),
    "candidate.pre": (N_("candidate of unit {unit} at '{token}' before tanh{where}: {value}"),),
    "reset_gate.pre": (N_("reset gate of unit {unit} at '{token}' before σ{where}: {value}"),),
    "update_gate.pre": (N_("update gate of unit {unit} at '{token}' before σ{where}: {value}"),),
    # pooling and heads
    "pooler.pre": (N_("component {unit} of the pooled vector before tanh: {value}"),),
    "cls.pre": (N_("component {unit} of the pooled vector before tanh: {value}"),),
    "pooled": (N_("component {unit} of the vector that stands for the whole text: {value}"),),
    "mlm.pre": (N_("unit {unit} of the output layer at '{token}' before its activation{where}: {value}"),),
    "act": (N_("how active unit {unit} of the output layer is at '{token}'{where}: {value}"),),
    "mlm.logits": (N_("the score of '{word}' in the place of '{token}' before softmax: {value}"),),
    "mlm.probs": (N_("the probability of '{word}' in the place of '{token}': {value}"),),
    "nsp.logits": (N_("the score of '{label}' for the pair of sentences before softmax: {value}"),),
    "nsp.probs": (N_("the probability of '{label}' for the pair of sentences: {value}"),),
    "start.logits": (N_("the score of '{token}' as the start of the answer before softmax: {value}"),),
    "start.probs": (N_("the probability that the answer starts at '{token}': {value}"),),
    "end.logits": (N_("the score of '{token}' as the end of the answer before softmax: {value}"),),
    "end.probs": (N_("the probability that the answer ends at '{token}': {value}"),),
    "logits": (
        N_("'{centre}' as a centre · '{word}' as a context, the product of the two vectors: {value}"),
        N_("the score of '{word}' as the next token after '{token}' before softmax: {value}"),
        N_("the score of the label {label} for '{token}' before softmax: {value}"),
        N_("the score of the class {label} for the text before softmax: {value}"),
    ),
    "probs": (
        N_("the share of '{word}' among the words that '{centre}' draws to itself: {value}"),
        N_("the probability of '{word}' as the next token after '{token}': {value}"),
        N_("the probability of the label {label} for '{token}': {value}"),
        N_("the probability of the class {label} for the text: {value}"),
    ),
    # rules, HMM and CRF
    "rule": (N_("the number of the rule that decided on '{token}': {value}"),),
    "fits": (N_("whether the rule {rule} fits '{token}' (1) or not (0): {value}"),),
    "begins": (N_("whether an entity or a word begins at '{token}' (1): {value}"),),
    "forward_path": (N_("the number of the label of '{token}', words found from the left: {value}"),),
    "backward_path": (N_("the number of the label of '{token}', words found from the right: {value}"),),
    "forward_cost": (N_("words from the left, single characters after the point: {value}"),),
    "backward_cost": (N_("words from the right, single characters after the point: {value}"),),
    "from_the_left": (N_("whether the words from the left are taken (1) or from the right (0): {value}"),),
    "features": (N_("the number of the feature {feature} of '{token}'; 0: none with a weight: {value}"),),
    "classes": (N_("the number of the class that '{token}' belongs to by its look: {value}"),),
    "count": (N_("how often '{token}' was seen with the tag {label} in training: {value}"),),
    "class.count": (N_("rare words that look like '{token}' and had the tag {label}: {value}"),),
    "unseen": (N_("how probable '{token}' is among new words of the tag {label}: {value}"),),
    "estimate": (N_("how probable the tag {label} makes '{token}', smoothed: {value}"),),
    "emission": (N_("the score of the tag {label} for '{token}' by itself: {value}"),),
    "transition": (
        N_("the score of the tag {next} after the tag {label}: {value}"),
        N_("the score of the tag {label} for '{token}' after the tag of the token before: {value}"),
    ),
    "score": (N_("the score of the best path that ends with the tag {label} at '{token}': {value}"),),
    "backpointer": (
        N_("the tag before '{token}' on the best path to its tag {label}: {called}, number {value}"),
        N_("the number of the tag before '{token}' on the best path that gives it the tag {label}: {value}"),
    ),
    "path": (N_("the number of the tag of '{token}' on the best path: {value}"),),
    "transition.start": (N_("the score of the tag {label} at the beginning of the text: {value}"),),
    "transition.end": (N_("the score of the tag {label} at the end of the text: {value}"),),
    "forward_score": (
        N_("log of the sum over all paths that end with the tag {label} at '{token}': {value}"),
    ),
    "backward_score": (N_("log of the sum over all ways on from the tag {label} at '{token}': {value}"),),
}
_INTEGRATED = N_("what '{token}' adds to the answer's score by integrated gradients: {value}")
_BY_GRADIENT = N_("what '{token}' adds to the answer's score by gradient × input: {value}")
_SLOPE = N_("how fast the answer's score grows with unit {unit} of '{token}': {value}")

# Of analyses: by the analysis and the last part of the name, or else by the analysis alone.
ANALYSES: dict[str, tuple[str, ...]] = {
    "rollout.rollout": (
        N_("how much of '{key}' in the input is left in '{query}' after this layer{where}: {value}"),
    ),
    "rollout": (N_("how much '{query}' takes from '{key}' here, heads and residual{where}: {value}"),),
    "patterns.entropy": (N_("how spread this head looks, in nats; 0: at one token only{where}: {value}"),),
    "patterns.distance": (N_("how many tokens away this head looks, on average{where}: {value}"),),
    "patterns.previous": (
        N_("the share of its weight that this head gives the token before{where}: {value}"),
    ),
    "patterns.first": (N_("the share of its weight that this head gives the first token{where}: {value}"),),
    "patterns.self": (N_("the share of its weight that this head gives the token itself{where}: {value}"),),
    "patterns.duplicate": (
        N_("the share of its weight that this head gives the same token, earlier{where}: {value}"),
    ),
    "patterns.induction": (
        N_("the share of its weight that this head gives what followed the same token{where}: {value}"),
    ),
    "patterns.others": (
        N_("what this head gives the pattern's keys from tokens it is no pattern for{where}: {value}"),
    ),
    "patterns": (N_("how much this counts for the pattern, '{query}' looking at '{key}'{where}: {value}"),),
    "lens.probs": (
        N_("the probability of '{word}' at '{token}' if this layer were the last one{where}: {value}"),
        N_("the probability of the label {label} for '{token}' if this were the last layer{where}: {value}"),
    ),
    "lens.logits": (
        N_("the score of '{word}' at '{token}' if this layer were the last one{where}: {value}"),
        N_("the score of the label {label} for '{token}' if this were the last layer{where}: {value}"),
    ),
    "lens.answer": (N_("how probable this layer finds the model's answer at '{token}'{where}: {value}"),),
    "lens": (N_("a step on the way from this layer to an answer, at '{token}'{where}: {value}"),),
    "sources.total": (N_("the logit at '{token}', the sum of all parts: {value}"),),
    "sources.heads": (N_("what this head adds to the logit at '{query}'{where}: {value}"),),
    "sources.bias_part": (N_("what a bias adds to the logit at '{token}'{where}: {value}"),),
    "sources.edit_part": (N_("what an edit puts into the logit at '{token}'{where}: {value}"),),
    "sources": (
        N_("how much one unit more of {unit} would add to the logit at '{token}'{where}: {value}"),
        N_("what this part adds to the logit at '{token}'{where}: {value}"),
    ),
    "attribution.integrated": (_INTEGRATED,),
    "attribution.gradient_input": (_BY_GRADIENT,),
    "left_out": (N_("how far the answer's score falls without '{token}': {value}"),),
    "attribution.attention": (N_("the share of '{token}' in the answer's vector by rollout: {value}"),),
    "attribution": (_SLOPE,),
    "finer.integrated": (_INTEGRATED,),
    "finer.gradient_input": (_BY_GRADIENT,),
    "finer": (_SLOPE,),
    "space.cosine": (N_("how alike the vectors of '{query}' and '{key}' point{where}: {value}"),),
    "space.map": (N_("coordinate {component} of '{token}' on the map{where}: {value}"),),
    "space.share": (N_("the share of the spread along coordinate {component} of the map{where}: {value}"),),
    "space": (N_("unit {unit} of the vector of '{token}', made one long{where}: {value}"),),
    "beam.token": (N_("the id of the token that was tried: {value}"),),
    "beam.prob": (N_("how probable this token is after those above it: {value}"),),
    "beam.score": (N_("the score of the text down to this token, by which beams are kept: {value}"),),
    "beam": (N_("a number of the search: {value}"),),
    "cache.used": (
        N_("at '{query}', key and value of '{key}': 2 computed, 1 from the cache, 0 not there yet: {value}"),
    ),
    "cache.with": (N_("keys and values that are computed at '{query}' with a cache: {value}"),),
    "cache.without": (N_("keys and values that would be computed at '{query}' without one: {value}"),),
    "cache": (N_("how far the cache is from a run over the whole text{where}: {value}"),),
    "neighbours.similarity": (N_("the cosine of this token's embedding and that of '{word}': {value}"),),
    "neighbours.length": (N_("the length of the embedding of '{word}': {value}"),),
    "neighbours.dot": (N_("the product of this token's embedding and that of '{word}': {value}"),),
    "neighbours": (N_("the length of this token's own embedding: {value}"),),
    "pooling.probs": (N_("the probability of the class {label}, the text pooled by {row}: {value}"),),
    "pooling.share": (N_("how much of the text's vector '{token}' gives, pooled by {row}: {value}"),),
    "pooling": (N_("component {unit} of the vector that stands for the text, pooled by {row}: {value}"),),
    "positions.dot": (N_("the product of the vectors of positions {row} and {column}: {value}"),),
    "positions.with": (N_("how far z of '{token}' moves when the words are turned round{where}: {value}"),),
    "positions.without": (
        N_("how far z of '{token}' moves, words turned round, without positions{where}: {value}"),
    ),
    "next.scaled": (N_("the score of '{word}' divided by the temperature: {value}"),),
    "next.probs": (N_("the probability of '{word}' after temperature, before anything is cut: {value}"),),
    "next.keep_k": (N_("whether top-k leaves '{word}' (1) or cuts it (0): {value}"),),
    "next.keep_p": (N_("whether top-k and top-p leave '{word}' (1) or cut it (0): {value}"),),
    "next.kept": (N_("the score of '{word}' after the cuts; −∞ where it was cut: {value}"),),
    "next.final": (N_("the probability with which '{word}' is drawn: {value}"),),
    "next.cumulative": (N_("where the stretch of '{word}' on the line from 0 to 1 ends: {value}"),),
    "next.position": (N_("the position whose scores are those of the next token: {value}"),),
    "next.draw": (N_("the random number that chooses the next token: {value}"),),
    "next": (N_("the number of the token that is taken: {value}"),),
    "norms.variance": (N_("the variance over the units of '{token}' before LayerNorm{where}: {value}"),),
    "norms.after_mean": (N_("the mean over the units of '{token}' after LayerNorm{where}: {value}"),),
    "norms.after_variance": (N_("the variance over the units of '{token}' after LayerNorm{where}: {value}"),),
    "timing": (N_("{row}, {column} tokens: {value}"),),
    "units_on.match": (N_("how exactly unit {unit} is on over the span and nowhere else{where}: {value}"),),
    "units_on.side": (N_("whether unit {unit} counts as on above (1) or below (−1){where}: {value}"),),
    "units_on.share": (N_("the share of the best units that are on at '{token}'{where}: {value}"),),
    "units.silent": (N_("the share of units that are not active at '{token}'{where}: {value}"),),
    "units.dead": (N_("the share of units that are active at no token of this text{where}: {value}"),),
    "units.highest": (N_("the most that unit {unit} is active anywhere in this text{where}: {value}"),),
    "steps.product": (
        N_("unit {unit} of the query times unit {unit} of the key of '{key}', a part of q·k{where}: {value}"),
    ),
    "steps.max": (N_("the largest score of '{query}', which softmax takes away first{where}: {value}"),),
    "steps.exp": (N_("exp of the score of '{key}' for '{query}' minus the row's maximum{where}: {value}"),),
    "steps.sum": (N_("the sum of the exponentials of '{query}', by which softmax divides{where}: {value}"),),
    "steps.weighted": (N_("what '{key}' gives to unit {unit} of z: weight × value{where}: {value}"),),
    "steps.concat": (N_("unit {unit} of all heads' z side by side, at '{token}'{where}: {value}"),),
    "steps.head_out": (N_("what this head adds to unit {unit} for '{query}'{where}: {value}"),),
    "surprisal.prob": (N_("how probable '{token}' was after what stands before it: {value}"),),
    "surprisal.surprisal": (N_("how surprising '{token}' was after what stands before it: {value} nats"),),
    "surprisal": (N_("over the whole text: {value}"),),
    "eras.ms": (N_("milliseconds that {model} takes for this text: {value}"),),
    "eras.parameters": (N_("numbers that training found for {model}: {value}"),),
    "eras.accuracy": (N_("the share of test words that {model} tags right: {value}"),),
    "eras.f1": (N_("F1 of {model} on test, of entities or of words: {value}"),),
    "eras.sure": (
        N_("{model} on test: to it '{token}' is {called}, with probability {value}"),
        N_("how probable the model finds its own tag of '{token}': {value}"),
    ),
    "gradient.norm": (N_("how much the answer's score depends on the state at '{token}'{where}: {value}"),),
    "gradient": (N_("how fast the answer's score grows with unit {unit} at '{token}'{where}: {value}"),),
}
_PARAMETER = (
    N_("component {unit} of row {first} of the embedding matrix {name}: {value}"),
    N_("element {index} of the parameter {name}: {value}"),
)
_PLAIN = N_("{name} at {row} × {column}: {value}")
_BEFORE_EDIT = N_("before the edit, {sentence}")

# Which placeholder an axis fills; every d_… axis, and a parameter's only one, is `unit`.
_AXIS_FIELDS = {
    "vocab": "word",
    "label": "label",
    "tag": "label",
    "tag_next": "next",
    "head": "head",
    "char": "char",
}


def number(value: float) -> str:
    """A value as a sentence holds it: six significant digits, whole numbers as they are."""
    if float(value).is_integer() and abs(value) < 1e15:
        return str(int(value))
    return f"{float(value):.6g}"


def describe(figure: Figure, part: int, row: int, col: int = 0) -> str:
    """What the cell at (row, col) of the figure's part number `part` means."""
    shown = figure.parts[part]
    if isinstance(shown, HeatTable):
        return _cell(shown, row, col)
    if isinstance(shown, Bars):
        return _bar(shown, row)
    if isinstance(shown, Tokens):
        return _token(shown, row)
    if isinstance(shown, Points):
        x, y = map(number, shown.values[row])
        return _("'{token}' lies at {x}, {y} of the map").format(token=shown.labels[row], x=x, y=y)
    if isinstance(shown, Thumbnails):
        note = shown.details[row] if shown.details else ""
        words = _("{label}: {note}; Enter shows it whole").format(label=shown.labels[row], note=note)
        return words if note else _("{label}; Enter shows it whole").format(label=shown.labels[row])
    if isinstance(shown, Tree):
        return _branch(shown, row)
    return _point(shown, row, col)


def _cell(table: HeatTable, row: int, col: int) -> str:
    origin = table.origin(row, col)
    value = _told(table.values[row, col])
    if origin is None:
        return _("{title}, {row} × {column}: {value}").format(
            title=table.title, row=table.rows[row], column=table.cols[col], value=value
        )
    fields: Fields = {}
    for fixed in table.fixed:
        _fill(fields, fixed.axis, fixed.index, fixed.label)
    _fill(fields, table.row_axis, row, table.rows[row])
    _fill(fields, table.col_axis, col, table.cols[col])
    _fill_centre(fields, table.task)
    if table.texts:
        fields["called"] = table.texts[row][col].removesuffix(f" {DIFFERS}")
    return sentence(origin, value, fields, table.rows[row], table.cols[col])


def _told(value: float) -> str:
    """A number, or that there is none."""
    return number(value) if value == value else _("no value")


def _bar(bars: Bars, row: int) -> str:
    origin = bars.origin(row)
    value = _told(bars.values[row])
    if origin is None:
        return _("{title}, {row}: {value}").format(title=bars.title, row=bars.labels[row], value=value)
    fields: Fields = {}
    for fixed in bars.fixed:
        _fill(fields, fixed.axis, fixed.index, fixed.label)
    _fill(fields, bars.axis, row, bars.labels[row])
    _fill_centre(fields, bars.task)
    return sentence(origin, value, fields, bars.labels[row], "")


def _token(part: Tokens, row: int) -> str:
    token = part.tokens[row]
    words = _("token {position}: '{token}'").format(position=row, token=_called(token.text))
    if token.id is not None:
        words += _(", id {id}").format(id=token.id)
    if token.start is not None and token.end is not None:
        words += _(", characters {start} to {end}").format(start=token.start, end=token.end)
    if token.special:
        words += _(", added by the tokenizer")
    origin = part.origin(row)
    by_rule = origin is not None and origin.name == "rule"
    if token.tag is not None and by_rule:
        words += _(", decided by the rule {rule}").format(rule=token.tag)
    elif token.tag is not None:
        words += _(", tag {tag}").format(tag=token.tag)
    if token.prob is not None:
        words += _(", probability {prob}").format(prob=number(token.prob))
    return words


def _branch(tree: Tree, row: int) -> str:
    line = tree.rows[row]
    if line.shape is None:
        below = sum(1 for other in tree.rows if other.leaf and other.path.startswith(line.path + "."))
        return _("{path}: {n} arrays").format(path=line.path, n=below)
    axes = ", ".join(f"{axis} {size}" for axis, size in zip(line.axes, line.shape, strict=False))
    if line.formula:
        return _("{path} ({axes}) = {formula}").format(path=line.path, axes=axes, formula=line.formula)
    return _("{path} ({axes}), given to the network").format(path=line.path, axes=axes)


def _point(lines: Lines, row: int, col: int) -> str:
    series = lines.series[row]
    x = number(series.x[col])
    if series.labels:
        x = _("'{token}' ({position})").format(token=_called(series.labels[col]), position=x)
    if np.isnan(series.y[col]):
        return _("{series} at {x_label} {x}: no value").format(series=series.name, x_label=lines.x_label, x=x)
    return _("{series} at {x_label} {x}: {y}").format(
        series=series.name, x_label=lines.x_label, x=x, y=number(series.y[col])
    )


def _called(token: str) -> str:
    """A token in a sentence: of one that the vocabulary does not hold, that it is so."""
    known = token.removesuffix(UNKNOWN)
    return _("{token} (unknown)").format(token=known) if known and known != token else token


def _fill_centre(fields: Fields, task: str) -> None:
    """In skip-gram a token is the centre of its company, and no word comes next."""
    if task == "skip_gram" and "token" in fields:
        fields["centre"] = fields["token"]


def _fill(fields: Fields, axis: str, index: int, label: str) -> None:
    """Add what `axis` says at `index` to the placeholders."""
    if axis in TOKEN_AXES:
        label = _called(label)
        fields.setdefault("token", label)
        fields.setdefault("position", str(index))
        if axis in ("query", "key"):
            fields[axis], fields[f"{axis}_number"] = label, str(index)
    else:
        fields[_AXIS_FIELDS.get(axis, "unit" if axis.startswith("d_") else axis)] = label


def sentence(origin: Origin, value: str, fields: Fields, row: str, column: str) -> str:
    """The sentence for one element, from the template of its kind."""
    name = origin.name.removesuffix(UNEDITED)
    places = [place(name)] if place(name) else []
    if "head" in fields:
        places.append(_("head {n}").format(n=fields["head"]))
    where = _(" ({places})").format(places=listed(places)) if places else ""
    index = "[" + ", ".join(map(str, origin.index)) + "]"
    known = {**fields, "row": row, "column": column, "value": value, "where": where, "name": name}
    known |= {"index": index, "first": str(origin.index[0]) if origin.index else ""}
    template = next((t for t in templates(name) if placeholders(t) <= known.keys()), _PLAIN)
    words = _(template).format(**known)
    return _(_BEFORE_EDIT).format(sentence=words) if origin.name.endswith(UNEDITED) else words


def templates(name: str) -> tuple[str, ...]:
    """The templates for the kind of `name`: by its last two parts, or else by its last."""
    parts = name.split(".")
    if parts[0] == "analysis":
        return ANALYSES.get(f"{parts[1]}.{parts[-1]}") or ANALYSES.get(parts[1], ())
    return TEMPLATES.get(".".join(parts[-2:])) or TEMPLATES.get(parts[-1]) or _PARAMETER


@cache
def placeholders(template: str) -> frozenset[str]:
    """The names in braces."""
    return frozenset(
        field for _text, field, _spec, _conversion in string.Formatter().parse(template) if field
    )
