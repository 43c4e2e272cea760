"""A figure on paper: as plain text, as SVG, as HTML. Each form stands alone and escapes what it is given.

Knows nothing of any view; a new kind of part needs a branch in each of the three.
"""

from __future__ import annotations

from nlptui.views.render_html import to_html
from nlptui.views.render_svg import to_svg
from nlptui.views.render_text import to_text

__all__ = ["to_html", "to_svg", "to_text"]
