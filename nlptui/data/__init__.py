"""Corpora: which there are, where to get them, how to read them; and sentences of our own.

Knows nothing of models, tasks or torch.
"""

from nlptui.data.registry import Corpus, Original, Progress, corpora, corpus, find, get

__all__ = ["Corpus", "Original", "Progress", "corpora", "corpus", "find", "get"]
