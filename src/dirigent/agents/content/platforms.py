"""The social platforms: what each lets through, and what reads well there.

Limits of a post with its hashtags, as the platforms publish them (read November 2026): X 280 weighted
characters, a link counts 23 (docs.x.com, "Counting characters", twitter-text configuration v3); Threads 500
(developers.facebook.com, Threads API, "Posts"); Bluesky 300 graphemes (lexicon app.bsky.feed.post);
Instagram 2,200 and 5 hashtags (Instagram help, "Captions" and "Hashtags"); LinkedIn 3,000 (LinkedIn help,
"Post length"); Facebook 63,206. How long a post should be to be read to its end, and how many hashtags we
set, is our own choice inside these limits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator

PlatformName = Literal["x", "threads", "bluesky", "instagram", "linkedin", "facebook"]

_LINK = re.compile(r"https?://\S+")
_LINK_WEIGHT = 23
_LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
_SPELLINGS = {"twitter": "x", "x.com": "x", "x (twitter)": "x"}


def weighted_characters(text: str) -> int:
    """How X counts: one for most letters, two for the rest (CJK, emoji), 23 for a link."""
    plain, links = _LINK.subn("", text)
    light = sum(any(low <= ord(mark) <= high for low, high in _LIGHT) for mark in plain)
    return light + 2 * (len(plain) - light) + _LINK_WEIGHT * links


def utf16_units(text: str) -> int:
    """How many code units of UTF-16; never fewer than characters or graphemes, so limits in those hold."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@dataclass(frozen=True, kw_only=True)
class Platform:
    """One platform. A post, counted by `size`, has `least` to `most` where it reads well, never over `limit`.

    `hashtags` and `messages` are how many of either we set at most. `lines` says that sentences stand in
    paragraphs of their own.
    """

    name: PlatformName
    limit: int
    least: int
    most: int
    hashtags: int
    messages: int
    lines: bool
    size: Callable[[str], int] = utf16_units

    def fits(self, text: str, hashtags: list[str]) -> bool:
        """Whether the platform takes the post."""
        return self.size(post_of(text, hashtags)) <= self.limit


PLATFORMS: dict[str, Platform] = {
    platform.name: platform
    for platform in (
        Platform(
            name="x", limit=280, least=40, most=280, hashtags=2, messages=1, lines=False,
            size=weighted_characters,
        ),
        Platform(name="threads", limit=500, least=40, most=500, hashtags=1, messages=2, lines=False),
        Platform(name="bluesky", limit=300, least=40, most=300, hashtags=2, messages=1, lines=False),
        Platform(name="instagram", limit=2_200, least=60, most=1_000, hashtags=5, messages=3, lines=True),
        Platform(name="linkedin", limit=3_000, least=80, most=1_300, hashtags=3, messages=4, lines=True),
        Platform(name="facebook", limit=63_206, least=60, most=800, hashtags=2, messages=3, lines=True),
    )
}  # fmt: skip
ALL: tuple[PlatformName, ...] = tuple(platform.name for platform in PLATFORMS.values())


def _usual(name: object) -> object:
    if not isinstance(name, str):
        return name
    folded = name.strip().lower()
    return _SPELLINGS.get(folded, folded)


OnPlatform = Annotated[PlatformName, BeforeValidator(_usual)]


def post_of(text: str, hashtags: list[str]) -> str:
    """The whole post: the text, and its hashtags in a line of their own."""
    return f"{text}\n\n{' '.join(hashtags)}" if hashtags else text
