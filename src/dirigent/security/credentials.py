"""Keys, tokens and passwords in text.

Keys that name their maker by a prefix are found by it; others by the words "password" or "secret" before
them. A cheap look for the prefixes comes first, so that ordinary text costs next to nothing.

Sources: the makers' published key prefixes (AWS, GitHub, GitLab, Stripe, Slack, Google, SendGrid, Hugging
Face, npm), RFC 7519 (JSON Web Tokens), RFC 7468 (PEM), RFC 6750 (bearer tokens), RFC 3986 (user information).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dirigent.security.identifiers import Span

_KEY_MARKS = (
    *("AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "sk-", "sk_", "rk_"),
    *("pk_", "whsec_", "xox", "xapp-", "AIza", "ya29.", "SG.", "hf_", "npm_", "eyJ", "earer ", "EARER "),
)
_KEY = re.compile(
    r"(?<![A-Za-z0-9_])(?:"
    r"(?:AKIA|ASIA)[A-Z0-9]{16}+"
    r"|gh[pousr]_\w{36,}+|github_pat_\w{22,}+|glpat-[\w-]{20,}+"
    r"|[srp]k[-_](?:live|test|ant|proj)[-_][\w-]{16,}+|sk-[A-Za-z0-9]{20,}+|whsec_[\w+/=]{16,}+"
    r"|xox[abeoprs]-[\w-]{10,}+|xapp-[\w-]{10,}+"
    r"|AIza[\w-]{35}+|ya29\.[\w-]{20,}+|SG\.[\w-]{16,}+\.[\w-]{16,}+|hf_[A-Za-z0-9]{30,}+|npm_[A-Za-z0-9]{36}+"
    r"|eyJ[\w-]{8,}+\.eyJ[\w-]{4,}+\.[\w-]*+"
    r"|(?:[Bb]earer|BEARER) [\w.~+/-]{20,}+=*+"
    r")"
)
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[\w+/=\s-]*+")
_LOGIN_IN_URL = re.compile(r"://[^\s/:@]{1,100}+:([^\s/@]{1,200}+)@")
_ASSIGNED = re.compile(
    r"(?i:\b(?:password|passwort|passwd|pwd|secret|api[_ -]?key|access[_ -]?token|client[_ -]?secret))"
    r"""["']?\s{0,3}(?:[:=]|\bis\b)\s{0,3}["']?([^\s"',;]{8,200}+)"""
)
_UNLIKE_A_WORD = re.compile(r"[0-9!@#$%^&*_+=/\\]")
_ASSIGNED_MARKS = ("pass", "pwd", "secret", "key", "token")


def credentials(text: str) -> Iterator[Span]:
    """Keys and tokens whole; of an assignment or a web address only the secret itself."""
    lower = text.lower()
    if any(mark in text for mark in _KEY_MARKS):
        yield from _spans(_KEY, text, 0, 0.95)
    if "PRIVATE KEY-----" in text:
        yield from _spans(_PRIVATE_KEY, text, 0, 0.99)
    if "://" in text:
        yield from _spans(_LOGIN_IN_URL, text, 1, 0.7)
    if any(mark in lower for mark in _ASSIGNED_MARKS):
        yield from (
            span for span in _spans(_ASSIGNED, text, 1, 0.7) if _UNLIKE_A_WORD.search(text, *span[:2])
        )


def _spans(pattern: re.Pattern[str], text: str, group: int, confidence: float) -> Iterator[Span]:
    for match in pattern.finditer(text):
        yield match.start(group), match.end(group), confidence
