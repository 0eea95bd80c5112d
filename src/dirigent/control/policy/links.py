"""The links in a message: where they lead, and what is wrong with them.

Sources: RFC 3986 (user information before the host), RFC 5891 (internationalised names), UTS 39.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

import msgspec

from dirigent.security.text import oddities

_LINK = re.compile(r"(?i)(?<![a-z0-9])https?://[^\s<>\"')\]]{1,2000}+")
_PIXEL = re.compile(
    r"(?i)<img\b[^<>]{0,500}?(?:(?:width|height)\s{0,3}[=:]\s{0,3}[\"']?[01](?:px)?[\"'\s;>/]|[?&/]open[?&/=.])"
)


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """Hosts of all links; whether one is not encrypted, one hides its host, and an image counts openings."""

    hosts: tuple[str, ...]
    insecure: bool
    disguised: bool
    tracking_pixel: bool


def links_in(text: str, html: str) -> Links:
    """Look at every link in the text and in the HTML part."""
    links = list(dict.fromkeys(_LINK.findall(f"{text}\n{html}")))
    hosts = [_host(link) for link in links]
    return Links(
        hosts=tuple(dict.fromkeys(host for host in hosts if host)),
        insecure=any(link[:5].lower() != "https" for link in links),
        disguised=any(_is_disguised(link, host) for link, host in zip(links, hosts, strict=True)),
        tracking_pixel=bool(html) and _PIXEL.search(html) is not None,
    )


def _host(link: str) -> str:
    try:
        return urlsplit(link).hostname or ""
    except ValueError:
        return ""


def _is_disguised(link: str, host: str) -> bool:
    authority = link.partition("://")[2].partition("/")[0]
    return not host or "@" in authority or "xn--" in host or _is_ip(host) or bool(oddities(host))


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.isdigit() or host.startswith("0x")
    return True
