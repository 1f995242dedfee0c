"""Display names and pictures from outside: cleaned, never a reason to refuse their owner.

Names come from identity providers, where people choose them. `display_name` removes what cannot be seen or would
disturb the text around it, and `skeleton` is equal for names that look alike.
"""

from __future__ import annotations

import unicodedata
from uuid import UUID

MAX_USERNAME = 50
"""Maximum characters (code points) of a username."""

MAX_AVATAR_URL = 500
"""Maximum characters of an avatar URL."""

MAX_MARKS = 4
"""Maximum combining marks in a row; no script in use needs more."""

MAX_SKELETON = 200
"""Maximum characters of a skeleton: compatibility characters stand for up to 18 others."""

MAX_RAW_LENGTH = 1000
"""Characters of a name that are looked at."""

ZERO_WIDTH_NON_JOINER, ZERO_WIDTH_JOINER = "\u200c", "\u200d"
EMOJI_STYLE = "\ufe0f"
VIRAMA_CLASS = 9

# Unicode's Default_Ignorable_Code_Point, and characters whose glyph is blank.
_INVISIBLE_RANGES = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x2800, 0x2800), (0x3164, 0x3164), (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFC), (0x1BCA0, 0x1BCA3), (0x1D159, 0x1D159), (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)  # fmt: skip
_INVISIBLE = frozenset(chr(code) for first, last in _INVISIBLE_RANGES for code in range(first, last + 1))

# Scripts whose letters join, where a zero-width non-joiner changes how a word is written.
_JOINING_RANGES = ((0x0620, 0x08FF), (0x1807, 0x18AA), (0xFB50, 0xFDFF), (0xFE70, 0xFEFC), (0x1E900, 0x1E95F))
_NOT_JOINING_FORWARD = frozenset("ءآأؤإاةدذرزوىٱڈڑژۀە")

_CAPITALS = str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹ" + "АВЕЅІЈКМНОРСТУХԌԚԜ", "ABEZHIKMNOPTYXC" + "ABESIJKMHOPCTYXGQW")
_LETTERS = str.maketrans(
    "αβγεηικνορτυχωϲϳ" + "авсеһніјкморѕтухүԁԍԛԝӏгп" + "օոսհզցɑɡı" + "i1|0",
    "abyenlkvoptuxwcj" + "abcehhljkmopstyxydgqwlrn" + "onuhqgagl" + "lllo",
)


def clean_username(raw: str) -> str:
    """Return what can be shown of a name, in Unicode NFC and cut to 50 characters; "" if nothing is left."""
    text = unicodedata.normalize("NFC", raw[:MAX_RAW_LENGTH])
    kept: list[str] = []
    marks = 0
    for index, char in enumerate(text):
        category = unicodedata.category(char)
        if char.isspace() or category in ("Zl", "Zp"):
            char = " "
        elif category in ("Cc", "Cs", "Co") or (
            (category == "Cf" or char in _INVISIBLE)
            and not _is_joiner(text, index)
            and not (char == EMOJI_STYLE and kept and _is_emoji(kept[-1]))
        ):
            continue
        marks = marks + 1 if category[0] == "M" and char != EMOJI_STYLE else 0
        if marks and (marks > MAX_MARKS or not kept or kept[-1] == " "):
            continue
        if char != " " or (kept and kept[-1] != " "):
            kept.append(char)
    return _cut("".join(kept), MAX_USERNAME).strip()


def display_name(raw: object, user_id: UUID) -> str:
    """Return the name to show for a user: the cleaned one, or one made from the id if nothing of it can be shown."""
    return (clean_username(raw) if isinstance(raw, str) else "") or f"Player {user_id.hex[-6:]}"


def skeleton(name: str) -> str:
    """Return a text that is equal for names that look alike, or differ only in case or compatibility characters.

    The table covers the letters of Greek, Cyrillic and Armenian that look like Latin ones, and the classic pairs of
    Latin letters and digits. It is deliberately coarse: the second of two such names gets a suffix, and nobody is
    refused.
    """
    visible = "".join(char for char in unicodedata.normalize("NFKC", name) if char not in _INVISIBLE)
    folded = unicodedata.normalize("NFKC", visible.translate(_CAPITALS).casefold())
    mapped = unicodedata.normalize("NFD", folded).translate(_LETTERS).replace("rn", "m").replace("vv", "w")
    return unicodedata.normalize("NFC", "".join(mapped.split()))[:MAX_SKELETON]


def clean_avatar_url(raw: object) -> str | None:
    """Return `raw` if it is a plausible web address of at most 500 characters, else None.

    An invalid picture is not an error, so that its user can still play.
    """
    if not isinstance(raw, str) or len(raw) > MAX_AVATAR_URL or not raw.startswith(("https://", "http://")):
        return None
    return raw if raw.isprintable() and " " not in raw else None


def _is_joiner(text: str, index: int) -> bool:
    """Return whether the character is a zero-width (non-)joiner that Unicode allows between its neighbours.

    The rules are those of IDNA (RFC 5892, appendix A.1 and A.2) and of emoji sequences (UTS 51).
    """
    char = text[index]
    if char not in (ZERO_WIDTH_JOINER, ZERO_WIDTH_NON_JOINER) or not 0 < index < len(text) - 1:
        return False
    before, after = text[index - 1], text[index + 1]
    if unicodedata.combining(before) == VIRAMA_CLASS:
        return unicodedata.category(after)[0] == "L" or char == ZERO_WIDTH_JOINER
    if char == ZERO_WIDTH_JOINER:
        return (_is_emoji(before) or before == EMOJI_STYLE) and _is_emoji(after)
    base = next((other for other in reversed(text[:index]) if unicodedata.category(other) != "Mn"), "")
    return _is_joining(base) and base not in _NOT_JOINING_FORWARD and _is_joining(after) and after != "ء"


def _is_joining(char: str) -> bool:
    return bool(char) and char.isalpha() and any(first <= ord(char) <= last for first, last in _JOINING_RANGES)


def _is_emoji(char: str) -> bool:
    # Emoji that are newer than this Python's tables are not assigned there.
    return unicodedata.category(char) == "So" or 0x1F000 <= ord(char) <= 0x1FBFF


def _cut(text: str, length: int) -> str:
    """Return at most `length` characters of `text`, without cutting what is seen as one character."""
    if len(text) <= length:
        return text
    end = length
    while end and not _is_boundary(text, end):
        end -= 1
    return text[: end or length]


def _is_boundary(text: str, index: int) -> bool:
    before, after = text[index - 1], text[index]
    if after in (ZERO_WIDTH_JOINER, ZERO_WIDTH_NON_JOINER) or before == ZERO_WIDTH_JOINER:
        return False
    if unicodedata.category(after)[0] == "M" or 0x1F3FB <= ord(after) <= 0x1F3FF:
        return False
    if unicodedata.combining(before) == VIRAMA_CLASS and after.isalpha():
        return False
    if not _is_regional(after):
        return True
    flags = 0
    while flags < index and _is_regional(text[index - 1 - flags]):
        flags += 1
    return flags % 2 == 0


def _is_regional(char: str) -> bool:
    return 0x1F1E6 <= ord(char) <= 0x1F1FF
