"""The key of an encrypted data folder: what may be given as one, and what becomes of it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

from dirigent.domain.errors import InvalidInput

KEY_BYTES = 32
PASSPHRASE_CHARACTERS_MIN = 20
DIFFERENT_CHARACTERS_MIN = 8

# 32 MiB and about a tenth of a second for every guess at a passphrase.
_SCRYPT = {"n": 2**15, "r": 8, "p": 1, "maxmem": 64 * 1024 * 1024}
_ID = b"dirigent data folder key"
_ID_DIGITS = 16


class FolderKey:
    """What a folder's files are encrypted with. `id` names it without revealing it; it is never shown."""

    __slots__ = ("_content", "id")

    def __init__(self, content: bytes) -> None:
        assert len(content) == KEY_BYTES, "a key has 32 bytes"
        self._content = content
        self.id = hmac.digest(content, _ID, "sha256").hex()[:_ID_DIGITS]

    def hex(self) -> str:
        """The key itself, for the cipher alone."""
        return self._content.hex()

    def __repr__(self) -> str:
        return f"FolderKey({self.id})"

    def __reduce__(self) -> str:
        raise TypeError("A key is not written down.")


def new_key() -> str:
    """A random key, as it is given in `DIRIGENT_KEY` or in a file."""
    return secrets.token_urlsafe(KEY_BYTES)


def new_salt() -> bytes:
    """What makes the same passphrase another key in every folder."""
    return secrets.token_bytes(16)


def derive(given: str, salt: bytes) -> FolderKey:
    """The key that a text stands for: 32 bytes in hex or base64url as they are, else a passphrase.

    Raises `InvalidInput`, which never quotes the text.
    """
    if len(set(given)) < DIFFERENT_CHARACTERS_MIN or len(given) < PASSPHRASE_CHARACTERS_MIN:
        raise InvalidInput(
            "The key of the data folder is too weak: a passphrase has at least "
            f"{PASSPHRASE_CHARACTERS_MIN} characters, {DIFFERENT_CHARACTERS_MIN} of them different.",
            field="DIRIGENT_KEY",
            fix="Make one with `dirigent key new --file PATH`.",
        )
    content = _random(given)
    if content is None:
        content = hashlib.scrypt(given.encode(), salt=salt, dklen=KEY_BYTES, **_SCRYPT)
    return FolderKey(content)


def _random(given: str) -> bytes | None:
    """The bytes that a text spells, where they are as many as a key has."""
    for spelt in (bytes.fromhex, _from_base64url):
        try:
            content = spelt(given)
        except (ValueError, binascii.Error):
            continue
        if len(content) == KEY_BYTES:
            return content
    return None


def _from_base64url(text: str) -> bytes:
    bare = text.rstrip("=")
    return base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
