"""What front ends need of explanations and edits, without reaching below the engine."""

from nlptui.edits import Edit, with_pinned
from nlptui.formula import Derivation, Term, explain
from nlptui.trace import Trace

__all__ = ["Derivation", "Edit", "Term", "Trace", "explain", "with_pinned"]
