"""The one exception that front ends show to people as a single line, and the one that ends unwanted work.

Knows nothing of who raises them; a message says what is wrong, where, and what to do.
"""


class UserError(ValueError):
    """Something the user can put right: a wrong name, a broken file, a setting out of range."""


class Cancelled(Exception):
    """Raised inside long work whose result nobody waits for any more."""
