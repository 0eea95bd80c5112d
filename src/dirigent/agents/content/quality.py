"""How good a post is: one number from 0 to 100, and the checks that it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Literal

from dirigent.agents.content.brief import Brief
from dirigent.agents.content.platforms import Platform, post_of
from dirigent.agents.content.sentences import calls_upon, folded, has_term, paragraphs_of, without_links
from dirigent.agents.language.readability import automated_readability_index, words_of
from dirigent.agents.language.stems import stem_of
from dirigent.domain.shape import Shape

CheckName = Literal["length", "topic", "readability", "call_to_action", "brand_terms", "banned_terms"]

GRADE_EASY, GRADE_HARD = 9.0, 15.0
CALLS_MAX = 2
_SMALL = "a an and are at by for from in is it its of on or our that the this to with your"
_SMALL_WORDS = frozenset(_SMALL.split())


class Check(Shape):
    """One check of a post: the points it got, of how many, and why. All six together are 100.

    Where nothing is asked, a brief without banned terms say, there is no such check, and the points of the
    others make up the 100.
    """

    name: CheckName
    points: float
    of: int
    reason: str

    @property
    def passed(self) -> bool:
        """Whether nothing is missing."""
        return self.points >= self.of


class Review(Shape):
    """The quality of one post, with every check behind it."""

    quality_score: int
    checks: list[Check]

    @property
    def failed(self) -> list[CheckName]:
        """The names of the checks that are not passed in full."""
        return [check.name for check in self.checks if not check.passed]


def review(text: str, hashtags: list[str], platform: Platform, brief: Brief) -> Review:
    """Judge a post by its platform and by what its brief asks for. The same post always gets the same."""
    made = [_CHECKS[name](text, hashtags, platform, brief) for name in _CHECKS]
    checks = [check for check in made if check is not None]
    points = sum(Fraction(check.points).limit_denominator(1000) for check in checks)
    score = int(100 * points / sum(check.of for check in checks))
    return Review(quality_score=score, checks=checks)


def quality_of(scores: Iterable[int]) -> int:
    """The quality of several posts: that of the worst, since every one of them is read by somebody."""
    return min(scores)


def key_words(topic: str) -> list[str]:
    """The words of a topic that carry it; all of them where they are all small."""
    words = list(dict.fromkeys(folded(word) for word in words_of(topic)))
    return [word for word in words if word not in _SMALL_WORDS] or words


def missing_words(text: str, topic: str) -> list[str]:
    """The words of a topic that a text says in none of their forms."""
    there = {stem_of(folded(word)) for word in words_of(text)}
    return [word for word in key_words(topic) if stem_of(word) not in there]


def _length(text: str, hashtags: list[str], platform: Platform, brief: Brief) -> Check:
    size = platform.size(post_of(text, hashtags))
    if size > platform.limit:
        return _check("length", 0, 20, f"{size} of at most {platform.limit}: {platform.name} refuses it")
    if size > platform.most:
        return _check("length", 10, 20, f"{size}; up to {platform.most} is read to the end")
    if size < platform.least:
        return _check(
            "length", 20 * size / platform.least, 20, f"{size}; at least {platform.least} says enough"
        )
    return _check("length", 20, 20, f"{size} of at most {platform.limit}")


def _topic(text: str, hashtags: list[str], platform: Platform, brief: Brief) -> Check | None:
    if not brief.topic:
        return None
    wanted, missing = key_words(brief.topic), missing_words(text, brief.topic)
    points = 20 * (len(wanted) - len(missing)) / len(wanted)
    return _check("topic", points, 20, f"does not say {', '.join(missing)}" if missing else "says its topic")


def _readability(text: str, hashtags: list[str], platform: Platform, brief: Brief) -> Check:
    grade = automated_readability_index(without_links(text))
    share = (GRADE_HARD - grade) / (GRADE_HARD - GRADE_EASY)
    points = 15 * min(1.0, max(0.0, share))
    return _check("readability", points, 15, f"school grade {grade:.1f}; up to {GRADE_EASY:.0f} is easy")


def _call_to_action(text: str, hashtags: list[str], platform: Platform, brief: Brief) -> Check:
    sentences = [sentence for paragraph in paragraphs_of(text) for sentence in paragraph]
    own = folded(brief.call_to_action)
    calls = [one for one in sentences if calls_upon(one) or (own and own in folded(one))]
    if not calls:
        return _check("call_to_action", 0, 15, "asks nothing of the reader")
    if len(calls) > CALLS_MAX:
        return _check("call_to_action", 8, 15, f"asks {len(calls)} things; {CALLS_MAX} at most are heard")
    return _check("call_to_action", 15, 15, f"asks: {calls[-1]}")


def _brand_terms(text: str, hashtags: list[str], platform: Platform, brief: Brief) -> Check | None:
    wanted = [*([brief.brand_name] if brief.brand_name else []), *brief.terms]
    if not wanted:
        return None
    post = post_of(text, hashtags)
    missing = [term for term in wanted if not has_term(post, term)]
    points = 15 * (len(wanted) - len(missing)) / len(wanted)
    said = f"does not say {', '.join(missing)}" if missing else f"says {', '.join(wanted)}"
    return _check("brand_terms", points, 15, said)


def _banned_terms(text: str, hashtags: list[str], platform: Platform, brief: Brief) -> Check | None:
    if not brief.banned_terms:
        return None
    found = banned_in(f"{text} {' '.join(hashtags)}", brief)
    return _check(
        "banned_terms", 0 if found else 15, 15, f"says {', '.join(found)}" if found else "says none"
    )


def banned_in(text: str, brief: Brief) -> list[str]:
    """The banned terms that stand in a text."""
    return [term for term in brief.banned_terms if has_term(text, term)]


def _check(name: CheckName, points: float, of: int, reason: str) -> Check:
    return Check(name=name, points=round(points, 2), of=of, reason=reason)


_CHECKS: dict[CheckName, Callable[[str, list[str], Platform, Brief], Check | None]] = {
    "length": _length,
    "topic": _topic,
    "readability": _readability,
    "call_to_action": _call_to_action,
    "brand_terms": _brand_terms,
    "banned_terms": _banned_terms,
}
