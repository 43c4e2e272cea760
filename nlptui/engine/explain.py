"""What front ends need of explanations and edits, without reaching below the engine."""

from nlptui.formula import Derivation, Term, explain
from nlptui.trace import Edit, Trace, with_pinned

__all__ = ["Derivation", "Edit", "Term", "Trace", "explain", "with_pinned"]
