"""Where requests may go: no address inside the house, unless it is allowed by name."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from dirigent.domain.errors import InvalidInput, Refused

URL_LENGTH_MAX = 4096
PORTS = {"http": 80, "https": 443}
RULE = "destination.not_public"

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, kw_only=True)
class Destination:
    """The place that a URL names: its host in ASCII and its port."""

    scheme: str
    host: str
    port: int

    def is_named_in(self, allowed: Collection[str]) -> bool:
        """Whether the house allows this very host, or this host and port."""
        return self.host in allowed or f"{self.host}:{self.port}" in allowed


def destination_of(url: str) -> Destination:
    """The destination of a URL; raises `InvalidInput` for what is none, or hides a name or a password."""
    if len(url) > URL_LENGTH_MAX or not url.isprintable() or " " in url:
        raise _no_url("it is too long, or holds spaces or control characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _no_url(str(error)) from error
    if parts.scheme not in PORTS:
        raise _no_url("it does not begin with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise _no_url("it holds a name or a password; send them in a header")
    if not host:
        raise _no_url("it names no host")
    try:
        ascii_host = host if ":" in host else host.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise _no_url(f"{host!r} is no name of a host") from error
    return Destination(scheme=parts.scheme, host=ascii_host, port=port or PORTS[parts.scheme])


def require_public(destination: Destination, addresses: Collection[str], allowed: Collection[str]) -> None:
    """Raise `Refused` where an address of the host is not public, unless the house allows the host."""
    if destination.is_named_in(allowed):
        return
    inside = [address for address in addresses if not is_public(address)]
    if inside or not addresses:
        where = f" ({inside[0]})" if inside else ""
        raise Refused(
            f"{destination.host}{where} is not a public address.",
            rules=(RULE,),
            fix=f"If it is meant, allow it: DIRIGENT_HTTP_ALLOW={destination.host}:{destination.port}.",
        )


def is_loopback(host: str) -> bool:
    """Whether a host is this very machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, also where it stands inside another form."""
    try:
        found: Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner = _embedded(found)
    return _is_global(found if inner is None else inner)


def _embedded(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a translated or tunnelled one stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _is_global(address: Address) -> bool:
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _no_url(why: str) -> InvalidInput:
    return InvalidInput(f"The url cannot be used: {why}.", fix="Write it as https://host/path.", field="url")
