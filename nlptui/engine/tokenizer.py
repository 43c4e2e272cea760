"""Find a tokenizer by the name of a model, by a path, or by kind; what front ends ask of one. Loads no torch.

One that was trained by itself (`nlptui tokenizer train`) has a name too; a model of that name goes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nlptui.engine.library import find_model
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.paths import tokenizers_dir
from nlptui.text import visible
from nlptui.tokenizers import Tokenizer, build_tokenizer, load_tokenizer
from nlptui.tokenizers.files import CONFIG_NAME
from nlptui.tokenizers.pair_counts import Learnt
from nlptui.tokenizers.replay import Replay, Segmentation


def find_tokenizer(name: str) -> Tokenizer:
    """The tokenizer of a model, of the file or folder at the path `name`, or "bytes". Raises UserError."""
    if name == "bytes":
        return build_tokenizer("bytes", [])
    path = Path(name).expanduser()
    if "\0" not in name and (path.is_file() or (path / "tokenizer_config.json").is_file()):
        return load_tokenizer(path)
    try:
        own = tokenizers_dir() / name
        if (folder := _model_folder(name)) is None and len(path.parts) == 1 and (own / CONFIG_NAME).is_file():
            return load_tokenizer(own)
        return load_tokenizer(folder or find_model(name))
    except UserError as error:
        if path.suffix or len(path.parts) > 1:
            message = _("{path}: no tokenizer file or folder there").format(path=visible(name))
            raise UserError(message) from error
        raise


def _model_folder(name: str) -> Path | None:
    try:
        return find_model(name)
    except UserError:
        return None


def own_tokenizers() -> list[str]:
    """The names of the tokenizers that were trained by themselves."""
    return sorted(path.parent.name for path in tokenizers_dir().glob(f"[!.]*/{CONFIG_NAME}"))


def replay(tokenizer: Tokenizer, text: str, best: int = 5, alpha: float = 1.0) -> Replay:
    """The steps that lead from a text to its tokens."""
    from nlptui.tokenizers.replay import replay

    return replay(tokenizer, text, best, alpha)


def sample(tokenizer: Tokenizer, text: str, alpha: float, count: int, seed: int) -> list[Segmentation]:
    """Segmentations drawn from a unigram model. UserError for a tokenizer that has but one."""
    from nlptui.tokenizers.replay import sample

    return sample(tokenizer, text, alpha, count, seed)


def token_scores(tokenizer: Tokenizer) -> Sequence[float] | None:
    """The score of each token, where the vocabulary has scores: SentencePiece's."""
    return getattr(tokenizer, "scores", None)


def learn_merges(text: str, merges: int) -> list[Learnt]:
    """BPE learnt on a small text, merge by merge."""
    from nlptui.tokenizers.pair_counts import learn_merges

    return list(learn_merges(text, merges))
