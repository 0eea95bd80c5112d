"""What tenants have learned: found by words, best first, and never by another tenant."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirigent.domain.errors import InvalidInput, StorageFailure
from dirigent.ports import Memory, MemoryItem
from dirigent.storage.sqlite.memory import SqliteMemory


def item(id: str, text: str, *, kind: str = "outcome", at: str = "2026-01-01", **data: Any) -> MemoryItem:
    return MemoryItem(id=id, kind=kind, text=text, data=data, created_at=at, source="test")


@pytest.fixture
def memory() -> Iterator[SqliteMemory]:
    made = SqliteMemory(":memory:")
    yield made
    made.close()


def ids(memory: SqliteMemory, query: str, tenant: str = "t", **more: Any) -> list[str]:
    return [found.id for found, _ in memory.search(tenant, query, **more)]


def test_is_a_memory(memory: SqliteMemory) -> None:
    """It has everything the port names, and begins empty."""
    assert isinstance(memory, Memory)
    assert memory.search("t", "anything") == []
    assert memory.list("t") == []
    assert memory.store("t", []) == 0


def test_gives_back_what_it_was_given(memory: SqliteMemory) -> None:
    """Every field of an item, its data included."""
    stored = item("a", "enterprise leads answered", reply_rate=0.12, steps=["plan", {"deep": None}])
    assert memory.store("t", [stored]) == 1
    assert memory.list("t") == [stored]
    assert memory.search("t", "leads")[0][0] == stored


def test_best_comes_first(memory: SqliteMemory) -> None:
    """An item with more of the words, and rarer ones, is more relevant."""
    memory.store(
        "t",
        [
            item("one", "dormant customers were written to in spring"),
            item("both", "dormant enterprise customers answered a personal letter"),
            item("none", "the warehouse moved"),
            *(item(f"filler{number}", f"customers bought product {number}") for number in range(10)),
        ],
    )
    found = memory.search("t", "dormant enterprise letter")
    assert [entry.id for entry, _ in found] == ["both", "one"]
    scores = [score for _, score in found]
    assert 0 < scores[1] < scores[0] <= 1


@pytest.mark.parametrize("query", ["LEADS", "leads?", "(leads)", '"leads"', "léads", "the leads!"])
def test_case_accents_and_marks_do_not_matter(memory: SqliteMemory, query: str) -> None:
    """People write as they write."""
    memory.store("t", [item("a", "Leads, once lost")])
    assert ids(memory, query) == ["a"]


def test_scores_say_something_in_a_small_memory_too(memory: SqliteMemory) -> None:
    """A full match in the only item is far from zero, a partial one is lower."""
    memory.store("t", [item("a", "price sensitive")])
    full, partial = (memory.search("t", query)[0][1] for query in ("price sensitive", "price warehouse"))
    assert full > 0.3
    assert 0 <= partial < full <= 1


def test_storing_again_replaces(memory: SqliteMemory) -> None:
    """An id stands for one item; the words of the old one find nothing any more."""
    memory.store("t", [item("a", "old words"), item("a", "newer words")])
    memory.store("t", [item("a", "newest text", n=3)])
    assert ids(memory, "old") == ids(memory, "words") == []
    assert memory.list("t") == [item("a", "newest text", n=3)]


def test_tenants_do_not_meet(memory: SqliteMemory) -> None:
    """Neither items nor scores of one tenant depend on what another one has stored."""
    memory.store("t", [item("a", "discount for dormant leads"), item("b", "leads in general")])
    before = memory.search("t", "dormant leads")
    memory.store("other", [item(f"x{number}", "dormant leads everywhere") for number in range(50)])
    memory.store("other", [item("a", "secret margin")])
    assert memory.search("t", "dormant leads") == before
    assert ids(memory, "secret") == []
    assert ids(memory, "secret", tenant="other") == ["a"]
    assert [entry.text for entry in memory.list("t")].count("secret margin") == 0
    assert memory.search("nobody", "leads") == []


def test_kind_and_limit(memory: SqliteMemory) -> None:
    """Only of one kind, only so many."""
    memory.store("t", [item(f"o{n}", "leads won", at=f"2026-01-0{n}") for n in range(1, 6)])
    memory.store("t", [item("p", "leads won", kind="pattern", at="2026-02-01")])
    assert ids(memory, "leads", kind="pattern") == ["p"]
    assert len(ids(memory, "leads", limit=3)) == 3
    assert ids(memory, "leads", limit=0) == []
    assert [entry.id for entry in memory.list("t", kind="outcome", limit=2)] == ["o5", "o4"]
    assert memory.list("t")[0].id == "p"


@given(query=st.text(max_size=60))
def test_no_query_is_syntax(query: str) -> None:
    """Whatever is typed is looked for as words; nothing in it is an operator, and nothing fails."""
    memory = SqliteMemory(":memory:")
    memory.store("t", [item("a", "plain words"), item("b", query)])
    for _, score in memory.search("t", query):
        assert 0 <= score <= 1
    memory.close()


@pytest.mark.parametrize(
    "query",
    [
        '" OR 1=1 --',
        "text: *",
        "NEAR(a b)",
        "a AND NOT b",
        "^plain",
        "{text}: x",
        "plain*",
        '"',
        "a-b+c",
        "\0",
    ],
)
def test_operators_are_words(memory: SqliteMemory, query: str) -> None:
    """The syntax of the index means nothing here."""
    memory.store("t", [item("a", "plainly something else")])
    assert ids(memory, query) == []


def test_a_tenant_has_a_name(memory: SqliteMemory) -> None:
    """Nothing is stored for nobody."""
    with pytest.raises(InvalidInput):
        memory.store("", [item("a", "x")])


def test_what_was_stored_is_there_after_opening_again(tmp_path: Path) -> None:
    """The file holds items and index."""
    memory = SqliteMemory(tmp_path / "memory.db")
    memory.store("t", [item("a", "kept words")])
    memory.close()
    memory.close()
    again = SqliteMemory(tmp_path / "memory.db")
    assert ids(again, "kept") == ["a"]
    again.close()
    with pytest.raises(StorageFailure):
        again.list("t")


def test_threads_take_turns(tmp_path: Path) -> None:
    """Several threads store and search at once and lose nothing."""
    memory = SqliteMemory(tmp_path / "memory.db")

    def work(worker: int) -> None:
        for number in range(20):
            memory.store(f"t{worker % 2}", [item(f"{worker}-{number}", f"word{number} common")])
            assert memory.search(f"t{worker % 2}", "common", limit=3)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(memory.list("t0")) == len(memory.list("t1")) == 40
    memory.close()
