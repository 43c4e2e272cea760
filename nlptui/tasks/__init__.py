"""What a model is for, from tagging to translation, and the one door to each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nlptui.classical.schemes import is_bmes
from nlptui.config import ModelConfig
from nlptui.tasks.base import Outputs, Segment, Targets, Task
from nlptui.tasks.classification import Classification
from nlptui.tasks.dealer import Deal, Dealer, Part
from nlptui.tasks.language_model import LanguageModel
from nlptui.tasks.pretraining import Pretraining
from nlptui.tasks.question_answering import QuestionAnswering
from nlptui.tasks.segmentation import Segmentation
from nlptui.tasks.skip_gram import SkipGram
from nlptui.tasks.stream import DataStream
from nlptui.tasks.tagging import Tagging
from nlptui.tasks.texts import labels_for, texts_for_tokenizer
from nlptui.tasks.translation import Translation
from nlptui.tokenizers import Tokenizer

TASK_CLASSES: dict[str, type[Task[Any]]] = {
    cls.name: cls
    for cls in (Tagging, Classification, LanguageModel, Pretraining, Translation, QuestionAnswering, SkipGram)
}

__all__ = [
    "TASK_CLASSES",
    "DataStream",
    "Deal",
    "Dealer",
    "Outputs",
    "Part",
    "Segment",
    "Targets",
    "Task",
    "labels_for",
    "load_examples",
    "task_for",
    "texts_for_tokenizer",
]


def task_for(config: ModelConfig, tokenizer: Tokenizer) -> Task[Any]:
    """The task that `config` names."""
    if config.task == "tagging" and is_bmes(config.labels):
        return Segmentation(config, tokenizer)
    return TASK_CLASSES[config.task](config, tokenizer)


def load_examples(
    recipe_data: Mapping[str, Any], split: str, tokenizer: Tokenizer, config: ModelConfig
) -> Sequence[Any]:
    """The examples of one split, ready for the task that `config` names."""
    return task_for(config, tokenizer).load(recipe_data, split)
