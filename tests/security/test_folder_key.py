"""The key of a data folder: what may be given as one, and that it is not shown."""

from __future__ import annotations

import base64
import pickle

import pytest

from dirigent.domain.errors import InvalidInput
from dirigent.security.folder_key import derive, new_key, new_salt

SALT, OTHER_SALT = b"s" * 16, b"t" * 16
CONTENT = bytes(range(32))


def test_a_random_key_is_taken_as_it_is() -> None:
    """In hex and in base64url, with padding or without, and whatever the salt."""
    spelt = [CONTENT.hex(), CONTENT.hex().upper(), base64.urlsafe_b64encode(CONTENT).decode()]
    spelt.append(spelt[-1].rstrip("="))
    assert {derive(text, salt).hex() for text in spelt for salt in (SALT, OTHER_SALT)} == {CONTENT.hex()}


def test_made_keys_are_taken_and_differ() -> None:
    """Each is 32 random bytes."""
    made = {derive(new_key(), SALT).hex() for _ in range(50)}
    assert len(made) == 50
    assert {len(bytes.fromhex(one)) for one in made} == {32}
    assert new_salt() != new_salt()


def test_a_passphrase_is_another_key_under_another_salt() -> None:
    """And the same one under the same."""
    text = "correct horse battery staple"
    assert derive(text, SALT).hex() == derive(text, SALT).hex()
    assert derive(text, SALT).hex() != derive(text, OTHER_SALT).hex()
    assert derive(text, SALT).id != derive(f"{text}s", SALT).id


@pytest.mark.parametrize("weak", ["", "hunter2", "nineteen characters", "a" * 64, "0" * 64, "ab" * 40])
def test_a_weak_key_is_refused_without_being_quoted(weak: str) -> None:
    """Too short, or of too few different characters."""
    with pytest.raises(InvalidInput, match="too weak") as refused:
        derive(weak, SALT)
    assert not weak or weak not in str(refused.value)
    assert "dirigent key new" in refused.value.fix


def test_a_key_is_not_shown() -> None:
    """Neither printed nor pickled; its id says nothing of it."""
    key = derive(CONTENT.hex(), SALT)
    assert CONTENT.hex() not in f"{key!r} {key}"
    assert key.id not in CONTENT.hex()
    with pytest.raises(TypeError):
        pickle.dumps(key)
