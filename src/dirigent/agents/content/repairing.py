"""Making a post better: the failed checks are repaired one by one, and only what scores higher is kept."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from dirigent.agents.content.brief import Brief
from dirigent.agents.content.drafting import (
    Draft,
    call_for,
    capital,
    ended,
    opening_for,
    question_for,
)
from dirigent.agents.content.platforms import Platform, post_of
from dirigent.agents.content.quality import CheckName, Review, banned_in, key_words, missing_words, review
from dirigent.agents.content.sentences import (
    Paragraphs,
    calls_upon,
    has_term,
    paragraphs_of,
    text_of,
    without_links,
    without_term,
)
from dirigent.agents.language.readability import automated_readability_index

ATTEMPTS_MAX = 400
PLACES_MAX = 200  # sentences looked at one by one; more than that is shortened only
WORTH_A_SENTENCE = 0.5  # of the points for readability: above that what is said is worth more
# Only where a whole sentence follows: "; it", ", and we". What follows another "and" may be half of one.
_REFERS_BACK = re.compile(r"(?:it|its|they|their|he|she|his|her|this|these|those|that|both)\b", re.IGNORECASE)
_JOINT = re.compile(r";|, (?:and|but|so)(?= (?:we|you|it|they|he|she|there) )")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A post under repair: for which platform, by which brief, and how it stands."""

    platform: Platform
    brief: Brief
    draft: Draft

    @property
    def review(self) -> Review:
        """How good it is now."""
        return review(self.draft.text, list(self.draft.hashtags), self.platform, self.brief)

    @cached_property
    def parts(self) -> Paragraphs:
        """Its text, taken apart; to be read only."""
        return paragraphs_of(self.draft.text)

    @property
    def paragraphs(self) -> Paragraphs:
        """Its text, taken apart anew, to be changed."""
        return [list(sentences) for sentences in self.parts]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One way to repair a post: what it would be, and what was done in words."""

    draft: Draft
    change: str


def repaired(case: Case, only: Collection[CheckName] = ()) -> tuple[Draft, list[str]]:
    """The best that repairs make of a post, and the changes. It never scores less than before.

    Only what stands in the post or in its brief is said. `only` names the checks to repair; usually all
    that fail.
    """
    changes: list[str] = []
    tries = iter(range(ATTEMPTS_MAX))
    while (better := _one_step(case, only, tries)) is not None:
        case = Case(platform=case.platform, brief=case.brief, draft=better.draft)
        changes.append(better.change)
    return case.draft, changes


def _one_step(case: Case, only: Collection[CheckName], tries: Iterator[int]) -> Attempt | None:
    """The first attempt at a failed check that raises the score."""
    now = case.review
    points = sum(check.points for check in now.checks)
    for name in _ORDER:
        if name not in now.failed or (only and name not in only):
            continue
        for attempt, _ in zip(_REPAIRS[name](case), tries, strict=False):
            tried = review(attempt.draft.text, list(attempt.draft.hashtags), case.platform, case.brief)
            gained = sum(check.points for check in tried.checks) > points
            if gained and tried.quality_score >= now.quality_score:
                return attempt
    return None


def _length(case: Case) -> Iterator[Attempt]:
    size = case.platform.size(case.draft.text)
    if size < case.platform.least:
        for message in _untold(case):
            yield _added(case, message, "told what may be told")
        yield _added(case, question_for(case.platform, case.brief), "asked a question, for there was little")
        return
    yield _shortened(case)
    if case.draft.hashtags:
        fewer = case.draft.hashtags[:-1]
        gone = case.draft.hashtags[-1]
        yield Attempt(draft=Draft(text=case.draft.text, hashtags=fewer), change=f"left out {gone}")


def _shortened(case: Case) -> Attempt:
    """Sentences that nothing hangs on are left out, the last first, until it is read to its end."""
    sentences = {(at, n): said for at, part in enumerate(case.parts) for n, said in enumerate(part)}
    on_topic = {place for place, said in sentences.items() if _says_the_topic(said, case.brief)}
    size = case.platform.size(post_of(case.draft.text, list(case.draft.hashtags)))
    going: set[Place] = set()
    for place in reversed(sentences):
        if size <= case.platform.most:
            break
        further = set(_with_its_own(case, place)) - going
        if any(_holds(sentences[one]) for one in further) or (on_topic and on_topic <= going | further):
            continue
        going |= further
        size -= sum(case.platform.size(sentences[one]) + 1 for one in further)
    gone = " ".join(sentences[place] for place in sorted(going))
    return _made(case, _without(case, going), f"left out {gone!r}: it is too long")


def _topic(case: Case) -> Iterator[Attempt]:
    opening = opening_for(case.platform, case.brief)
    paragraphs = [[opening], *case.paragraphs] if case.platform.lines else _in_front(case, opening)
    yield _made(case, paragraphs, f"said the topic: {opening!r}")


def _readability(case: Case) -> Iterator[Attempt]:
    for place in _hardest_first(case):
        sentence = _at(case, place)
        joint = _JOINT.search(sentence)
        if joint is not None:
            halves = [ended(sentence[: joint.start()]), capital(sentence[joint.end() :].strip())]
            paragraphs = _replaced(case, place, halves)
            yield _made(case, paragraphs, f"made two sentences of {sentence!r}")
    points = next(check.points / check.of for check in case.review.checks if check.name == "readability")
    for place in _hardest_first(case) if points < WORTH_A_SENTENCE else ():
        if _may_go(case, _with_its_own(case, place)):
            yield _dropped(case, place, "it is hard to read")


def _call_to_action(case: Case) -> Iterator[Attempt]:
    places = [place for place in _places(case) if calls_upon(_at(case, place))]
    if not places:
        yield _added(case, call_for(case.platform, case.brief), "called upon the reader")
    for place in reversed(places):
        if "https://" not in _at(case, place):
            yield _dropped(case, place, "too many things were asked")


def _brand_terms(case: Case) -> Iterator[Attempt]:
    brief = case.brief
    missing = [
        term for term in (brief.brand_name, *brief.terms) if term and not has_term(case.draft.text, term)
    ]
    for message in _untold(case):
        if any(has_term(message, term) for term in missing):
            yield _added(case, message, "said a term of the brand")
    if missing:
        yield _added(case, f"Ask us about {_listed(missing)}.", "said the terms of the brand")
        for place in _places(case):
            if calls_upon(_at(case, place)):
                asked = _replaced(case, place, [f"Ask us about {_listed(missing)}."])
                yield _made(case, asked, f"asked about {_listed(missing)} instead of {_at(case, place)!r}")


def _banned_terms(case: Case) -> Iterator[Attempt]:
    """Tell something else or nothing instead; where it is the topic that has a banned term, cut that out."""
    banned = banned_in(case.draft.text, case.brief)
    said = ", ".join(repr(term) for term in banned)
    allowed = tuple(tag for tag in case.draft.hashtags if not banned_in(tag, case.brief))
    if allowed != case.draft.hashtags:
        fewer = Draft(text=case.draft.text, hashtags=allowed)
        yield Attempt(draft=fewer, change="left out hashtags of a banned term")
    if not banned:
        return
    case = Case(platform=case.platform, brief=case.brief, draft=Draft(text=case.draft.text, hashtags=allowed))
    saying = [place for place in _places(case) if banned_in(_at(case, place), case.brief)]
    going = [one for place in saying for one in _with_its_own(case, place)]
    gone = " ".join(repr(_at(case, place)) for place in dict.fromkeys(going))
    for message in _untold(case):
        told = _without(case, going)
        told[saying[0][0]].insert(saying[0][1], message)
        yield _made(case, told, f"told {message!r} instead of {gone}, which says {said}")
    paragraphs = _without(case, going)
    if _says_the_topic(text_of(paragraphs), case.brief):
        yield _made(case, paragraphs, f"left out what says {said}: {gone}")
    cut = case.draft.text
    for term in banned:
        cut = without_term(cut, term)
    yield Attempt(draft=Draft(text=cut, hashtags=allowed), change=f"took out {said}")


def _untold(case: Case) -> list[str]:
    """The messages that may be told and are not yet."""
    messages = [ended(message) for message in case.brief.key_messages if not banned_in(message, case.brief)]
    return [message for message in messages if message not in case.draft.text]


_ORDER: tuple[CheckName, ...] = (
    "banned_terms",
    "topic",
    "brand_terms",
    "call_to_action",
    "readability",
    "length",
)
_REPAIRS: dict[CheckName, Callable[[Case], Iterator[Attempt]]] = {
    "length": _length,
    "topic": _topic,
    "readability": _readability,
    "call_to_action": _call_to_action,
    "brand_terms": _brand_terms,
    "banned_terms": _banned_terms,
}

Place = tuple[int, int]


def _places(case: Case) -> list[Place]:
    every = ((at, number) for at, part in enumerate(case.parts) for number in range(len(part)))
    return list(itertools.islice(every, PLACES_MAX))


def _at(case: Case, place: Place) -> str:
    return case.parts[place[0]][place[1]]


def _may_go(case: Case, places: Collection[Place]) -> bool:
    """Whether nothing hangs on sentences: they hold no call and no link, and others say the topic."""
    holds = any(_holds(_at(case, place)) for place in places)
    return not holds and _says_the_topic(text_of(_without(case, places)), case.brief)


def _holds(sentence: str) -> bool:
    return calls_upon(sentence) or "https://" in sentence


def _with_its_own(case: Case, place: Place) -> list[Place]:
    """A sentence with those right after it that speak of what it says: it, they, this."""
    at, number = place
    after = itertools.takewhile(_REFERS_BACK.match, case.parts[at][number + 1 :])
    return [place, *((at, number + 1 + further) for further, _ in enumerate(after))]


def _without(case: Case, places: Iterable[Place]) -> Paragraphs:
    paragraphs = case.paragraphs
    for at, number in sorted(set(places), reverse=True):
        del paragraphs[at][number]
    return paragraphs


def _hardest_first(case: Case) -> list[Place]:
    def grade(place: Place) -> float:
        return -automated_readability_index(without_links(_at(case, place)))

    return sorted(_places(case), key=grade)


def _says_the_topic(text: str, brief: Brief) -> bool:
    """Whether it says at least a word of it."""
    return not brief.topic or len(missing_words(text, brief.topic)) < len(key_words(brief.topic))


def _replaced(case: Case, place: Place, sentences: list[str]) -> Paragraphs:
    paragraphs = case.paragraphs
    at, number = place
    paragraphs[at][number : number + 1] = sentences
    return paragraphs


def _in_front(case: Case, sentence: str) -> Paragraphs:
    first, *rest = case.paragraphs or [[]]
    return [[sentence, *first], *rest]


def _dropped(case: Case, place: Place, why: str) -> Attempt:
    places = _with_its_own(case, place)
    gone = " ".join(_at(case, one) for one in places)
    return _made(case, _without(case, places), f"left out {gone!r}: {why}")


def _added(case: Case, sentence: str, why: str) -> Attempt:
    """Put a sentence before the last one where that is a link or a call, else at the end."""
    paragraphs = case.paragraphs or [[]]
    last = paragraphs[-1]
    before = len(last) - 1 if last and _holds(last[-1]) else len(last)
    last.insert(before, sentence)
    return _made(case, paragraphs, f"{why}: {sentence!r}")


def _made(case: Case, paragraphs: Paragraphs, change: str) -> Attempt:
    return Attempt(draft=Draft(text=text_of(paragraphs), hashtags=case.draft.hashtags), change=change)


def _listed(terms: list[str]) -> str:
    return terms[0] if len(terms) == 1 else f"{', '.join(terms[:-1])} and {terms[-1]}"
