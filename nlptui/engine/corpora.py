"""The registry of corpora, as front ends see it. Loads no torch."""

from nlptui.data import Corpus, corpora, find, get

__all__ = ["Corpus", "corpora", "find", "get"]
