"""Who signed a call from outside, and when: Standard Webhooks, and a plain HMAC over the body."""

from __future__ import annotations

import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from dirigent.domain.errors import InvalidInput, Refused

TOLERANCE_S = 5 * 60
SIGNATURES_MAX = 10

STANDARD, HMAC_SHA256 = "standard", "hmac_sha256"


class NotGenuine(Refused):
    """A call whose signature does not hold. It never says why: whoever forges one learns nothing."""

    code = "signature_invalid"
    http_status = 401

    def __init__(self) -> None:
        super().__init__("The signature does not hold.", fix="Sign the exact bytes with the shared secret.")


class Replayed(Refused):
    """A call that is genuine and too old, or from the future."""

    code = "replay"
    http_status = 401

    def __init__(self) -> None:
        minutes = TOLERANCE_S // 60
        super().__init__(
            f"The call was signed more than {minutes} minutes ago, or ahead.",
            fix="Send it when it is signed.",
        )


def check_secret(scheme: str, secret: str, variable: str) -> None:
    """Raise `InvalidInput`, naming the variable and never the value, for a secret that cannot be used."""
    try:
        if scheme == STANDARD:
            Webhook(secret)
        elif len(secret) < 16:
            raise InvalidInput(
                f"{variable} holds a secret of {len(secret)} characters.", fix="Use 16 or more."
            )
    except (binascii.Error, ValueError, EmptyWebhookSecretError) as error:
        raise InvalidInput(
            f"{variable} holds a secret that cannot be used.",
            fix="A standard web hook's secret is whsec_ and base64.",
            field=variable,
        ) from error


def verify(scheme: str, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now_ms: int) -> str:
    """The id that the sender gave the call, empty where its scheme has none.

    `headers` have names in small letters. Each of the secrets will do. Raises `NotGenuine` where no
    signature holds and then, for those that do, `Replayed` where they are not of now.
    """
    try:
        id, stamp, is_genuine = _SCHEMES[scheme](secrets, headers, body)
    except (ValueError, KeyError, OverflowError, OSError) as error:
        raise NotGenuine from error
    if not is_genuine:
        raise NotGenuine
    if abs(now_ms - stamp * 1000) > TOLERANCE_S * 1000:
        raise Replayed
    return id


def _standard(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> tuple[str, int, bool]:
    id, stamp = headers["webhook-id"], int(headers["webhook-timestamp"])
    given = headers["webhook-signature"].split()[:SIGNATURES_MAX]
    when, text = datetime.fromtimestamp(stamp, UTC), body.decode()
    expected = [Webhook(secret).sign(msg_id=id, timestamp=when, data=text) for secret in secrets]
    return id, stamp, bool(id) and _any_equal(expected, given)


def _hmac_sha256(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> tuple[str, int, bool]:
    stamp, given = int(headers["x-timestamp"]), headers["x-signature-256"]
    expected = ["sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() for secret in secrets]
    return "", stamp, _any_equal(expected, [given])


def _any_equal(expected: Sequence[str], given: Sequence[str]) -> bool:
    """Compare each with each, in a time that does not depend on what is equal."""
    found = [hmac.compare_digest(one.encode(), other.encode()) for one in expected for other in given]
    return any(found)


_SCHEMES: Final[Mapping[str, Callable[[Sequence[str], Mapping[str, str], bytes], tuple[str, int, bool]]]] = {
    STANDARD: _standard,
    HMAC_SHA256: _hmac_sha256,
}
