"""The picture of the README: the explorer on a shipped model, drawn by Textual itself.

`python -m tests.picture` writes docs/explorer.svg.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile

from tests.conftest import ROOT

SENTENCE = "The old dog sat by the [MASK] and slept."
TARGET = ROOT / "docs" / "explorer.svg"


async def drawn() -> str:
    """The screen after a few keys, as SVG."""
    from tests.tui.driving import opened

    async with opened("bert-en", SENTENCE, view="attention", layer=2, head=1) as session:
        await session.press("j", "j", "l", "l", "l")
        await session.settle()
        return session.app.export_screenshot(title="nlptui")


def still(svg: str) -> str:
    """The picture without fonts from the network, and with spaces that no renderer drops."""
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.S)
    return svg.replace("<text ", '<text xml:space="preserve" ').replace(
        "font-family: Fira Code", "font-family: 'Fira Code'"
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {
            "NLPTUI_HOME": home,
            "NLPTUI_LANG": "en",
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
        }
        TARGET.write_text(still(asyncio.run(drawn())), encoding="utf-8")


if __name__ == "__main__":
    main()
