"""Sentences of our own that the benchmarks run, cut to so many tokens of a model.

Of the English text 32 tokens are, for the translator, one sentence with its end: of a sentence that breaks
off it writes as much as it can hold, and an edit takes a tenth of a second longer.
"""

from __future__ import annotations

ENGLISH = (
    "The old man paints a small blue boat every morning before the ships come in , and his daughter reads "
    "to him at night . When the wind turns , they carry the "
    "lamps down to the harbour and wait for the boats that went out too far . Nobody in the village knows "
    "how many names are written in the thick book under the stairs , but every winter one more is added . "
)
CHINESE = (
    "清晨的海边很安静,老人坐在木船旁边修补渔网,他的孙女在沙滩上捡贝壳,等着太阳慢慢升起来。"
    "中午的时候,村里的人都到码头来买鱼,孩子们围着卖糖的小车跑来跑去,谁也不愿意回家睡觉。"
    "到了晚上,灯塔亮了,奶奶给大家讲从前的故事,说很久以前有一条会唱歌的鱼住在这片海里。"
)
SENTENCES = {"en": ENGLISH, "zh": CHINESE}


def sentence(language: str, model: str, tokens: int) -> str:
    """Our text in `language` (of a translator, in the one that it reads), `tokens` of `model` long."""
    from nlptui.engine.tokenizer import find_tokenizer

    text = SENTENCES[language.split("-")[0]]
    text *= 1 + 8 * tokens // len(text)
    encoding = find_tokenizer(model).encode(text)
    spare = sum(span is None for span in encoding.offsets)
    ends = [span[1] for span in encoding.offsets if span is not None]
    return text[: ends[min(tokens - spare, len(ends)) - 1]]
