"""Where requests may go: what is a url, and which addresses are public."""

import pytest

from dirigent.domain.errors import InvalidInput, Refused
from dirigent.security.destinations import Destination, destination_of, is_public, require_public


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://shop.example/orders?x=1#y", "shop.example", 443),
        ("http://shop.example", "shop.example", 80),
        ("https://SHOP.example:8443/", "shop.example", 8443),
        ("https://bücher.example/", "xn--bcher-kva.example", 443),
        ("http://[2606:4700::1111]:81/", "2606:4700::1111", 81),
        ("http://93.184.216.34/", "93.184.216.34", 80),
    ],
)
def test_a_url_names_one_destination(url: str, host: str, port: int) -> None:
    """Its host in ASCII and lower case, and its port."""
    found = destination_of(url)
    assert (found.host, found.port) == (host, port)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.example",
        "ftp://shop.example/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_x",
        "https://",
        "https:///path",
        "https://user:word@shop.example/",
        "https://shop.example@evil.example/",
        "https://shop.example:99999/",
        "https://shop.example/a b",
        "https://shop.example/\r\nHost: evil",
        "https://shop.example/\x00",
        "https://[::1",
        "https://" + "a" * 5000,
        "https://a..b/",
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    """Also one that hides a name, a password or a line break."""
    with pytest.raises(InvalidInput, match="url"):
        destination_of(url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "203.0.113.9", "224.0.0.1",
        "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1",
        "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2001:0:53aa:64c:0:0:f5ff:fffe", "2001:db8::1", "not an address", "",
    ],
)  # fmt: skip
def test_an_address_inside_is_not_public(address: str) -> None:
    """Loopback, private, link-local, shared, documented, reserved, and any of them inside another form."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "64:ff9b::101:101"])
def test_an_address_outside_is_public(address: str) -> None:
    """The public internet, also through a translator."""
    assert is_public(address)


def test_one_address_inside_is_enough_to_refuse() -> None:
    """A name that means both is not trusted, nor one without an address; what is allowed by name passes."""
    here = Destination(scheme="http", host="intra.example", port=8080)
    for addresses in (["10.0.0.1"], ["1.1.1.1", "10.0.0.1"], []):
        with pytest.raises(Refused, match="not a public address") as caught:
            require_public(here, addresses, ())
        assert "DIRIGENT_HTTP_ALLOW=intra.example:8080" in caught.value.fix
        require_public(here, addresses, {"intra.example:8080"})
        require_public(here, addresses, {"intra.example"})
        with pytest.raises(Refused):
            require_public(here, addresses, {"intra.example:80", "example"})
    require_public(here, ["1.1.1.1"], ())
