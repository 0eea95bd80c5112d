"""Posts are drafted for each platform from what may be said, judged by checks, and made better by them."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dirigent.agents.content.brief import Brief
from dirigent.agents.content.drafting import Draft, draft_for, hashtag_of
from dirigent.agents.content.platforms import PLATFORMS, post_of, weighted_characters
from dirigent.agents.content.quality import review
from dirigent.agents.content.repairing import Case, repaired
from dirigent.domain.errors import InvalidInput
from tests.agents.newsroom import BRAND, Newsroom

LIMITS = {"x": 280, "threads": 500, "bluesky": 300, "instagram": 2200, "linkedin": 3000, "facebook": 63206}
POOR = {
    "terms": ["single origin"],
    "banned_terms": ["cheap"],
    "key_messages": ["Our cheap beans are here", "The roast is on sale from 1 December"],
}
GOOD_TEXT = "A word on the winter roast. It is single origin coffee. Ask us what you like."
BRIEF = Brief(topic="winter roast", terms=("single origin", "coffee"), banned_terms=("cheap",))


@pytest.fixture
def newsroom() -> Newsroom:
    """Nothing is on record."""
    return Newsroom()


# --- create_content ---------------------------------------------------------------------------------


async def test_a_post_for_each_platform(newsroom: Newsroom) -> None:
    """The printed sample: each post fits, says its topic, is good and on record; nobody knows the brand."""
    made = await newsroom.create()
    assert [post.platform for post in made.content] == list(LIMITS)
    for post in made.content:
        assert len(post_of(post.text, post.hashtags)) <= LIMITS[post.platform]
        assert "New Product Launch" in post.text
        assert post.hashtags == ["#NewProductLaunch"]
    assert made.quality_score == min(one.quality_score for one in made.reviews) >= 75
    assert "no brand 'b-1' on record" in made.notes[0]
    rows = newsroom.rows()
    assert set(rows) == {post.content_id for post in made.content}
    assert {row["state"] for row in rows.values()} == {"draft"}


async def test_the_same_brief_gives_the_same(newsroom: Newsroom) -> None:
    """Another run writes the same posts under the same ids; what became of them meanwhile stays."""
    first = await newsroom.create()
    published = {**next(iter(newsroom.rows().values())), "state": "published"}
    newsroom.save("contents", published)
    assert await newsroom.create() == first
    assert len(newsroom.rows()) == 6
    assert newsroom.rows()[published["content_id"]]["state"] == "published"


async def test_topics_are_told_in_different_ways(newsroom: Newsroom) -> None:
    """Twenty topics: the sentences around the topic are of many kinds, and all are good."""
    shapes = set()
    for number in range(20):
        topic = f"Roast {'abcdefghijklmnopqrst'[number]}"
        made = await newsroom.create(topic)
        assert made.quality_score >= 75
        shapes |= {post.text.replace(topic, "T") for post in made.content if post.platform == "x"}
    assert len(shapes) >= 12


async def test_what_the_brand_s_records_say_is_used(newsroom: Newsroom) -> None:
    """Its name, its messages word for word, its hashtag, its call and its link."""
    newsroom.save("brands", BRAND)
    made = await newsroom.create("winter roast", brand="b-9", platforms=["Twitter", "linkedin"])
    on_x, on_linkedin = made.content
    assert (on_x.platform, on_x.hashtags) == ("x", ["#TriesteCoffee", "#WinterRoast"])
    for said in ("Trieste Roasters", "winter roast", "Order yours.", "https://roasters.example/winter"):
        assert said in on_x.text
    assert "The winter roast comes from one farm." in on_linkedin.text
    assert "The roast is on sale from 1 December." in on_linkedin.text
    assert made.notes == []


async def test_guidelines_come_before_records(newsroom: Newsroom) -> None:
    """A call of the guidelines takes the place of the brand's; lists are joined."""
    newsroom.save("brands", BRAND)
    said = {"call_to_action": "Taste it with us", "hashtags": ["slow coffee"]}
    made = await newsroom.create("roast", brand="b-9", guidelines=said, platforms=["x"])
    assert "Taste it with us." in made.content[0].text
    assert "Order yours" not in made.content[0].text
    assert made.content[0].hashtags == ["#SlowCoffee", "#TriesteCoffee"]


async def test_nothing_is_invented(newsroom: Newsroom) -> None:
    """Every number, link and name in a post is in what it was written from."""
    newsroom.save("brands", BRAND)
    known = " ".join([*BRAND.values(), "winter roast 7"])
    for post in (await newsroom.create("winter roast 7", brand="b-9")).content:
        assert set(re.findall(r"\d+|https://\S+", post.text)) <= set(re.findall(r"\d+|https://\S+", known))
        inner = re.findall(r"(?<![.?!:] )(?<!^)(?<!\n)\b[A-Z][a-z]+", post.text)
        assert all(name in known for name in inner), post.text


@pytest.mark.parametrize("topic", ["語" * 200, "🚀 launch " * 20, "word " * 39, "a" * 200])
async def test_a_long_topic_fits_all_the_same(newsroom: Newsroom, topic: str) -> None:
    """On X a sign of Chinese and an emoji count twice; what does not fit is left out, the topic last."""
    made = await newsroom.create(topic)
    sizes = {
        post.platform: PLATFORMS[post.platform].size(post_of(post.text, post.hashtags))
        for post in made.content
    }
    assert all(size <= LIMITS[name] for name, size in sizes.items())
    assert all(post.text[:10].strip() for post in made.content)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"content_topic": " ... "}, "content_topic"),
        ({"platforms": ["myspace"]}, "platforms"),
        ({"platforms": []}, "platforms"),
        ({"guidelines": {"tone": "loud"}}, "guidelines.tone"),
        ({"guidelines": {"link": "http://a.example"}}, "guidelines.link"),
    ],
)
async def test_what_is_wrong_is_named(newsroom: Newsroom, changes: dict[str, Any], field: str) -> None:
    """A topic without a word, a platform nobody knows, a guideline that is none."""
    with pytest.raises(InvalidInput) as caught:
        await newsroom.ask("create_content", **{"brand_id": "b", "content_topic": "t", **changes})
    assert caught.value.field.startswith(field)


@given(
    st.text(max_size=200).filter(lambda text: any(map(str.isalnum, text))),
    st.lists(st.text(alphabet="abc de.", min_size=3, max_size=300).filter(str.strip), max_size=4),
)
@settings(max_examples=60, deadline=None)
def test_every_draft_fits(topic: str, messages: list[str]) -> None:
    """Whatever the topic and the messages are."""
    brief = Brief(topic=" ".join(topic.split())[:200], key_messages=tuple(messages))
    for platform in PLATFORMS.values():
        draft = draft_for(platform, brief)
        assert platform.fits(draft.text, list(draft.hashtags))
        assert draft.text


def test_hashtags_are_words_with_capitals() -> None:
    """Letters and digits only, not digits alone, and no long sentences."""
    assert hashtag_of("new product launch") == "#NewProductLaunch"
    assert hashtag_of("#Espresso") == "#Espresso"
    assert hashtag_of("barista's choice") == "#BaristasChoice"
    assert [hashtag_of(words) for words in ("2026", "a b c d e", "!")] == ["", "", ""]


def test_x_counts_by_weight() -> None:
    """Letters once, signs of Chinese and emoji twice, a link 23 whatever its length."""
    assert weighted_characters("caf\u00e9") == 4
    assert weighted_characters("\u8a9e\U0001f680") == 4
    assert weighted_characters(f"a https://example.com/{'x' * 100}") == 25


# --- quality ----------------------------------------------------------------------------------------


def scored(text: str, hashtags: tuple[str, ...] = (), **brief: Any) -> dict[str, float]:
    """What a post on X gets: the score, and the points of each check."""
    found = review(text, list(hashtags), PLATFORMS["x"], BRIEF.model_copy(update=brief))
    return {"score": found.quality_score} | {check.name: check.points for check in found.checks}


def test_a_good_post_has_all_points() -> None:
    """Six checks, a hundred points, each with its reason."""
    assert scored(GOOD_TEXT) == {
        "score": 100, "length": 20, "topic": 20, "readability": 15, "call_to_action": 15, "brand_terms": 15,
        "banned_terms": 15,
    }  # fmt: skip
    found = review(GOOD_TEXT, [], PLATFORMS["x"], BRIEF)
    assert sum(check.of for check in found.checks) == 100
    assert all(check.reason for check in found.checks)


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        (GOOD_TEXT.replace("coffee", "brew"), {"brand_terms": 7.5, "score": 92}),
        (GOOD_TEXT.replace("word", "cheap word"), {"banned_terms": 0, "score": 85}),
        (GOOD_TEXT.replace("winter ", ""), {"topic": 10, "score": 90}),
        (GOOD_TEXT.replace("the winter roast", "winters and roasting"), {"topic": 20, "score": 100}),
        (GOOD_TEXT.replace(" Ask us what you like.", ""), {"call_to_action": 0, "score": 85}),
        (f"{GOOD_TEXT} Tell us. Write to us. Share it.", {"call_to_action": 8, "score": 93}),
        (f"{GOOD_TEXT} {'It is good. ' * 20}", {"length": 0, "score": 80}),
        ("Winter roast: ask. Single origin coffee", {"length": 19.5, "call_to_action": 0}),
    ],
)
def test_every_fault_costs_its_points(text: str, lost: dict[str, float]) -> None:
    """One fault at a time, and the points that are left of its check."""
    assert scored(text).items() >= lost.items()


def test_hard_words_cost_readability() -> None:
    """School grade 9 is easy, 15 is too hard, and between them points fall evenly."""
    hard = GOOD_TEXT.replace("It is", "Notwithstanding organisational complexities internationalisation is")
    assert 0 < scored(hard)["readability"] < 15
    assert scored("Notwithstanding considerable complexities.")["readability"] == 0


def test_what_nobody_asks_for_is_no_check() -> None:
    """Without terms, banned ones and a topic three checks are left, and they make up the hundred."""
    got = scored("It is good. Ask us what you like about our shop.", topic="", terms=(), banned_terms=())
    assert got == {"score": 100, "length": 20, "readability": 15, "call_to_action": 15}


def test_terms_are_words_of_their_own() -> None:
    """In any case, and not inside another word."""
    assert scored(GOOD_TEXT.replace("A word", "Cheaper words"))["banned_terms"] == 15
    assert scored(GOOD_TEXT.replace("A word", "CHEAP words"))["banned_terms"] == 0
    assert scored(GOOD_TEXT, ("#cheap",))["banned_terms"] == 0


# --- enhance_content --------------------------------------------------------------------------------


async def test_a_poor_post_becomes_better(newsroom: Newsroom) -> None:
    """Measured by the same function: 70 before, all points after, and every change is told."""
    made = await newsroom.create("Winter Roast", guidelines=POOR)
    assert made.quality_score == 70
    better = await newsroom.ask(
        "enhance_content", content=[post.model_dump() for post in made.content], quality_score=70
    )
    assert (better.quality_before, better.quality_score) == (70, 100)
    assert {change.partition(":")[0] for change in better.changes} == set(LIMITS)
    for post in better.content:
        assert "cheap" not in post.text
        assert "single origin" in post.text
        assert newsroom.rows()[post.content_id]["text"] == post.text
    replaced = {row["replaces"] for row in newsroom.rows().values()} - {None}
    assert replaced == {post.content_id for post in made.content}


async def test_enhancing_twice_changes_no_more(newsroom: Newsroom) -> None:
    """A repeated attempt stores the same; what is perfect is left as it is, and that is said."""
    made = await newsroom.create("Winter Roast", guidelines=POOR)
    posts = [post.model_dump() for post in made.content]
    better = await newsroom.ask("enhance_content", content=posts)
    kept = newsroom.rows()
    assert await newsroom.ask("enhance_content", content=posts) == better
    again = await newsroom.ask("enhance_content", content=[post.model_dump() for post in better.content])
    assert again.content == better.content
    assert (again.changes, again.notes) == ([], ["Every check is passed: nothing was changed."])
    assert newsroom.rows() == kept


async def test_a_post_that_is_not_on_record(newsroom: Newsroom) -> None:
    """It is judged by the topic and guidelines that are given with it; a wrong score is corrected."""
    text = "Our cheap beans are here. They are new. All espresso of ours comes from Trieste."
    better = await newsroom.ask(
        "enhance_content",
        content=[{"platform": "x", "text": text}],
        quality_score=60,
        content_topic="espresso",
        guidelines={"banned_terms": ["cheap"]},
    )
    assert better.quality_before < better.quality_score == 100
    assert f"it had {better.quality_before}" in better.notes[0]
    [post] = better.content
    assert "Trieste" in post.text
    assert "cheap" not in post.text
    assert "They" not in post.text
    assert newsroom.rows()[post.content_id]["topic"] == "espresso"


async def test_the_same_text_under_other_guidelines_is_another_post(newsroom: Newsroom) -> None:
    """What it is judged by belongs to it: a term that is banned later counts for the later post only."""
    [before] = (await newsroom.create("roast", platforms=["x"])).content
    banned = {"banned_terms": [before.text.split()[0]]}
    [after] = (await newsroom.create("roast", platforms=["x"], guidelines=banned)).content
    assert after.text == before.text
    assert after.content_id != before.content_id
    kept = await newsroom.ask("enhance_content", content=[before.model_dump()])
    changed = await newsroom.ask("enhance_content", content=[after.model_dump()])
    assert (kept.changes, bool(changed.changes)) == ([], True)


async def test_a_text_that_a_person_has_edited_gets_an_id_of_its_own(newsroom: Newsroom) -> None:
    """The one on record keeps its id and its text; the edited one is judged by the same brief."""
    [post] = (await newsroom.create("Winter Roast", platforms=["x"])).content
    edited = {**post.model_dump(), "text": "Winter Roast is here at last. Ask us all about it."}
    told = await newsroom.ask("enhance_content", content=[edited])
    [new] = told.content
    assert (told.quality_score, new.text) == (100, edited["text"])
    assert new.content_id != post.content_id
    rows = newsroom.rows()
    assert (rows[post.content_id]["text"], rows[new.content_id]["replaces"]) == (post.text, post.content_id)


async def test_only_the_named_issues_are_repaired(newsroom: Newsroom) -> None:
    """The banned term goes, the missing one stays away; an unknown issue is refused."""
    made = await newsroom.create("Winter Roast", guidelines=POOR, platforms=["x"])
    posts = [post.model_dump() for post in made.content]
    better = await newsroom.ask("enhance_content", content=posts, issues=["banned_terms"])
    assert better.reviews[0].quality_score == 85
    with pytest.raises(InvalidInput, match="issues"):
        await newsroom.ask("enhance_content", content=posts, issues=["ugliness"])


async def test_a_topic_that_is_banned_itself(newsroom: Newsroom) -> None:
    """The banned word is cut out of it; what is left of the topic stays."""
    made = await newsroom.create("cheap beans", guidelines={"banned_terms": ["cheap"]}, platforms=["x"])
    better = await newsroom.ask("enhance_content", content=[made.content[0].model_dump()])
    assert better.quality_score > made.quality_score
    assert "cheap" not in better.content[0].text.lower()
    assert "beans" in better.content[0].text


async def test_hard_sentences_are_split_where_whole_ones_follow(newsroom: Newsroom) -> None:
    """Both halves are kept word for word."""
    hard = "Our distinguished roastery collaborates internationally with farmers; it compensates them fairly"
    said = {"key_messages": [hard, "Notwithstanding deforestation, agroforestry flourishes internationally"]}
    made = await newsroom.create("coffee", guidelines=said, platforms=["linkedin"])
    better = await newsroom.ask("enhance_content", content=[made.content[0].model_dump()])
    assert better.quality_score > made.quality_score
    assert "farmers. It compensates them fairly." in better.content[0].text


async def test_a_long_post_is_shortened(newsroom: Newsroom) -> None:
    """The last facts are left out until it is read to its end; calls, link and topic stay."""
    text = "Winter roast. " + "It is good to know. " * 30 + "Order yours. More: https://a.example/x"
    given = {"platform": "x", "text": text}
    told = await newsroom.ask("enhance_content", content=[given], content_topic="winter roast")
    assert (told.quality_score, len(told.changes)) == (100, 1)
    assert "Order yours. More: https://a.example/x" in told.content[0].text
    assert told.content[0].text.startswith("Winter roast.")


@pytest.mark.parametrize(
    "text",
    [
        "." * 10_000,
        "a. " * 3_333,
        "it is; we " * 1_000,
        "?! " * 3_000,
        "Ask us. " * 1_200,
        "\n " * 4_999 + "x",
    ],
)
async def test_no_text_takes_long(newsroom: Newsroom, text: str) -> None:
    """Ten thousand characters of the worst kind are judged and repaired in a second or two."""
    given = {"platform": "linkedin", "text": text, "hashtags": []}
    began = time.process_time()
    told = await newsroom.ask(
        "enhance_content", content=[given], content_topic="roast", guidelines={"banned_terms": ["it is", "a"]}
    )
    assert told.quality_score >= told.quality_before
    assert time.process_time() - began < 10


SENTENCES = (
    "Our cheap beans are here.", "It costs 5 euros.", "Winter roast.", "Ask us.", "Tell us what you think.",
    "Notwithstanding considerable organisational complexities, we roast.", "Is it single origin?",
    "More: https://a.example/x", "What do you like?", "See us; we open at 9.", "cheap", "Yes, and we do it.",
)  # fmt: skip


@given(
    st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=12),
    st.sampled_from(sorted(PLATFORMS)),
    st.sampled_from(["", "winter roast", "cheap coffee", "A very long topic with 12 words"]),
    st.sampled_from([(), ("cheap",), ("roast", "us")]),
    st.lists(st.sampled_from(["We roast on 3 days", "single origin since 1999", "cheap as 1"]), max_size=3),
)
@settings(max_examples=150, deadline=None)
def test_it_never_gets_worse_and_claims_nothing_new(
    sentences: list[str], name: str, topic: str, banned: tuple[str, ...], messages: list[str]
) -> None:
    """Whatever the text: the score does not fall, and every number and link was there or may be told."""
    platform = PLATFORMS[name]
    brief = Brief(
        topic=topic,
        banned_terms=banned,
        terms=("single origin",),
        key_messages=tuple(messages),
        brand_name="Ada",
    )
    draft = Draft(text=" ".join(sentences), hashtags=("#cheap",))
    before = review(draft.text, list(draft.hashtags), platform, brief).quality_score
    better, changes = repaired(Case(platform=platform, brief=brief, draft=draft))
    after = review(better.text, list(better.hashtags), platform, brief).quality_score
    assert after >= before
    assert bool(changes) == (better != draft)
    known = f"{draft.text} {topic} {' '.join(messages)}"
    assert set(re.findall(r"\d+|https://\S+", better.text)) <= set(re.findall(r"\d+|https://\S+", known))
    again, more = repaired(Case(platform=platform, brief=brief, draft=better))
    assert (again, more) == (better, [])
