"""Where the words of raw text begin and end: one regular expression, in the manner of Universal Dependencies.

English as the English Web Treebank splits it: punctuation stands alone, "don't" is do + n't, "I'll" is I +
'll and "well-known" is three words, while numbers, addresses, abbreviations and faces stay whole. A Chinese
character is a word of its own, an emoji sequence is one word. Knows nothing of vocabularies; it guesses where
only meaning could tell ("its" for "it's", the full stop of an abbreviation from that of a sentence).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import islice

# A word character is what no other class claims, so that vowel signs and combining marks stay with theirs.
_HAN = "\u2e80-\u2fdf\u3005\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_NO_WORD = (
    r"\s\x00-\x1f!-/:-@\[-^`{-\xa9\xab-\xb1\xb4\xb6-\xb8\xbb\xbf\xd7\xf7"
    "\u037e\u0387\u055a-\u055f\u0589\u05be\u05c0\u05c3\u060c\u061b\u061f\u066a-\u066d\u06d4\u0964\u0965"
    "\u2000-\u200b\u200e-\u206f\u20a0-\u20cf\u2100-\u214f\u2190-\u2bff\u2e00-\u2e7f"
    "\u3000-\u3004\u3006\u3008-\u3020\u302a-\u303f\u30fb\ufe00-\ufe6f\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40"
    "\uff5b-\uff65\ufff0-\uffff\U0001f000-\U0001faff\U000e0000-\U000e0fff"
)
_W = f"[^{_NO_WORD}{_HAN}]"

# What English patterns begin and end at; a Chinese character may stand right beside them.
_LATIN = "[A-Za-z0-9_\xaa\xb5\xba\xc0-\xd6\xd8-\xf6\xf8-\u024f\u0300-\u036f]"
_START, _END = f"(?<!{_LATIN})", f"(?!{_LATIN})"

_PICTURE = (
    "[\u2190-\u21ff\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_CHANGED = "[\ufe0e\ufe0f\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]*"

_ABBREVIATIONS = (
    "Mr|Mrs|Ms|Dr|Drs|Prof|St|Sts|Jr|Sr|Gen|Gov|Sen|Sens|Rep|Reps|Rev|Hon|Pres|Lt|Sgt|Capt|Col|Cmdr|Maj|Adm|Messrs|Inc|"
    "Corp|Ltd|Co|Bros|Ft|Mt|Ave|Blvd|Rd|Dept|Univ|Assn|Jan|Feb|Mar|Apr|Aug|Sept|Sep|Oct|Nov|Dec|Mon|Tue|Tues|Wed|Thu|Thur|"
    "Thurs|Fri|vs|Vol|Esp|esp|approx|Attn|Fla|Calif|Ph|cf|al|eg|ie"
)
_PREFIXES = (
    "e|ex|co|non|pre|post|anti|semi|sub|multi|mid|re|pro|over|cross|inter|intra|micro|mini|neo|ultra|de|un|bi|trans|"
    "counter|extra|infra|macro|mega|para|pseudo|quasi|tele|uni"
)
_DOMAINS = "com|org|net|edu|gov|mil|info|biz|io|co\\.uk|ac\\.uk|org\\.uk|de|fr|ru|cn|com\\.au"
_FILES = "docx?|xlsx?|pptx?|pdf|txt|html?|jpe?g|png|gif|zip|csv|mp3|exe|wav|avi"

WORD = re.compile(
    rf"""
    (?:[A-Za-z][A-Za-z0-9+]{{1,15}}://|www\.)[!-~]*[\w/=&\#+~-]      # http://a.b/c?d
  | [\w.+-]{{1,64}}@(?:[\w-]{{1,63}}\.){{1,8}}[A-Za-z]{{2,24}}       # name@place.org
  | [A-Za-z0-9](?:[A-Za-z0-9-]{{0,62}}\.){{1,8}}(?:{_DOMAINS})(?:/[\w./?=&%+~-]*[\w/])?{_END}  # place.org
  | {_START}[\w\#-]{{1,64}}\.(?i:{_FILES}){_END}                     # notes.txt
  | {_START}[a-z]{{2,20}}(?:\.[a-z-]{{2,20}}){{2,8}}{_END}            # comp.lang.misc
  | [0-9\#*]\ufe0f?\u20e3 | [\U0001f1e6-\U0001f1ff]{{2}}             # keycaps, flags
  | {_PICTURE}{_CHANGED}(?:\u200d{_PICTURE}{_CHANGED})*              # other emoji, joined ones too
  | {_START}(?:[:;=][-^o']?[)(\]\[DPp/\\|*]+|[(][-^]?[:;=]|<3|\^_+\^|-_+-|[xX]D){_END}               # faces
  | {_START}(?:[A-Za-z]\.){{2,}}(?:[A-Za-z]{_END})?                  # U.S., a.m., Ph.D
  | {_START}(?:{_ABBREVIATIONS})\.                                   # Dr.
  | {_START}etc\.(?=\s*[^\s.])                                       # etc., but not where it ends the text
  | {_START}[A-HJ-Z]\.(?=\s+[A-Z])                                   # the J. of J. Smith
  | {_START}No\.(?=\s*\d)                                            # No. 5
  | {_START}\d{{1,4}}(?:[-/.]\d{{1,4}}){{2,3}}{_END}                 # dates and telephone numbers
  | {_START}\d{{1,3}}-\d{{4}}{_END}
  | \d++(?:[.,:/]\d++)*+(?:st|nd|rd|th|s)?(?!{_W})                   # 1,000.5, 3:30, 1/2, 20th, 1990s
  | \d++(?:[.,:/]\d++)++ | (?<![\w.])\.\d++                          # the 1.5 of 1.5x, .5
  | \d++(?=(?i:[ap]m|k|m|km|mm|cm|kg|gb|mb|lbs?|hrs?|mins?|yrs?|ft){_END})             # the 5 of 5pm
  | {_START}(?i:can)(?=(?i:not){_END})                               # can + not
  | {_START}(?i:gon|wan)(?=(?i:na){_END}) | {_START}(?i:got)(?=(?i:ta){_END})
  | {_START}(?i:do|did|does|ca|wo|is|was|would|could|should|have|has|are)(?=(?i:nt){_END})          # do + nt
  | {_START}[Ii](?=(?:m|ve){_END}) | {_START}(?i:that|what|there)(?=s{_END})
  | {_START}(?i:you|they)(?=re{_END})                                # you + re
  | (?i:n['’`]t){_END} | (?<={_W})['’`](?i:s|m|d|ll|re|ve){_END}     # n't, 'll
  | (?<=\s)['’](?:s|m|d|ll|re|ve){_END}(?!['’])                      # the same, split off already
  | ['’](?i:em|til|cause|tis|twas|n){_END}                           # 'em
  | {_W}+?(?=(?i:n['’`]t){_END})                                     # the do of don't
  | {_START}(?i:{_PREFIXES})-[^\W_]+{_END}                             # pre-war
  | {_START}[A-Z]{{1,2}}&[A-Z]{{1,2}}{_END}                          # AT&T
  | {_W}+['’](?!(?i:s|m|d|ll|re|ve|ma){_END}){_W}{{2,}}              # O'Brien
  | _{{2,}} | {_W}+
  | [.!?]{{2,}} | -{{2,}} | ={{2,}} | \*{{2,}} | \+{{2,}} | ~{{2,}}
  | [’‘']{{2}} | `` | \${{2,}} | //+ | \\{{2}} | << | >>
  | \S
    """,
    re.VERBOSE,
)
"""What a word is, tried in this order at each place; only white space is none."""


def word_spans(text: str, limit: int | None = None) -> list[tuple[int, int]]:
    """Where each word of `text` starts and ends, in code points; of the first `limit` words, if given."""
    return [match.span() for match in islice(WORD.finditer(text), limit)]


HAN = re.compile(f"[{_HAN}]+")
"""A run of Chinese characters."""


def longest_matches(text: str, known: Collection[str], longest: int) -> Iterator[tuple[int, int]]:
    """Where each word starts and ends, Chinese ones as the longest of `known` that begins there.

    known: words of two or more Chinese characters, none of more than `longest`. What is in none of them
    stays a character. From left to right, never back: "forward maximum matching".
    """
    done = 0
    for match in WORD.finditer(text):
        start, end = match.span()
        if start < done:
            continue
        if end - start == 1 and HAN.match(text, start):
            sizes = range(min(longest, len(text) - start), 1, -1)
            end = next((start + n for n in sizes if text[start : start + n] in known), end)
        done = end
        yield start, end


def split_words(text: str) -> list[str]:
    """The words of `text`."""
    return WORD.findall(text)


def word_numbers(text: str, limit: int | None = None) -> list[int | None]:
    """For each of the first `limit` characters the number of the word it stands in; None for white space."""
    length = len(text) if limit is None else min(limit, len(text))
    numbers: list[int | None] = [None] * length
    for number, match in enumerate(WORD.finditer(text)):
        start, end = match.start(), min(match.end(), length)
        if start >= length:
            break
        numbers[start:end] = [number] * (end - start)
    return numbers
