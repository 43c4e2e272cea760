"""The one exception that front ends show to people as a single line.

Knows nothing of who raises it; a message says what is wrong, where, and what to do.
"""


class UserError(ValueError):
    """Something the user can put right: a wrong name, a broken file, a setting out of range."""
