"""Names of keys: for people, and what a Chinese input method sends in their place."""

from __future__ import annotations

from collections.abc import Mapping

KEY_NAMES: Mapping[str, str] = {
    "left_square_bracket": "[", "right_square_bracket": "]",
    "left_parenthesis": "(", "right_parenthesis": ")",
    "equals_sign": "=", "comma": ",", "full_stop": ".", "slash": "/",
    "question_mark": "?", "colon": ":", "dollar_sign": "$", "percent_sign": "%", "plus": "+",
    "left_curly_bracket": "{", "right_curly_bracket": "}", "space": "Space",
    "greater_than_sign": ">", "less_than_sign": "<", "escape": "Esc", "enter": "Enter", "tab": "Tab",
    "shift+tab": "Shift+Tab", "backspace": "Backspace", "left": "←", "right": "→", "up": "↑", "down": "↓",
    "pageup": "PageUp", "pagedown": "PageDown", "home": "Home", "end": "End", "f1": "F1",
}  # fmt: skip
"""Textual's names of keys, and what stands on them."""

# What a Chinese input method sends for a key that it does not take for itself.
FULL_WIDTH: Mapping[str, str] = {
    **{chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F)},
    "【": "[", "】": "]", "「": "[", "」": "]", "。": ".", "、": "/", "《": "<", "》": ">", "·": "`",
    "—": "_", "￥": "$", "“": '"', "”": '"', "‘": "'", "’": "'", "　": " ",
}  # fmt: skip


def key_name(key: str) -> str:
    """How a key is written for people: `left_square_bracket` is `[`, `ctrl+p` is `Ctrl+P`."""
    if key in KEY_NAMES:
        return KEY_NAMES[key]
    *modifiers, last = key.split("+")
    return "+".join([*(part.capitalize() for part in modifiers), last.upper() if modifiers else last])
