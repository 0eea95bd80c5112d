"""The way to other systems: only when admitted, only to what was checked, and never more than is bearable."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection

import httpx2
import pytest

from dirigent.domain.agent import ActionSpec, Effect
from dirigent.domain.errors import ActionFailed, InvalidInput, Refused, TransientError
from dirigent.integrations.web_client import REPLY_BYTES_MAX, WebClient
from dirigent.ports.web import WebReply, WebRequest
from dirigent.security.admission import Admission

READ = ActionSpec(name="read", effect=Effect.READ)
SEND = ActionSpec(name="send", effect=Effect.KEYED, outward=True)
INWARD = ActionSpec(name="save", effect=Effect.KEYED)
GET = WebRequest(method="GET", url="https://shop.example/orders?x=1")

Answer = Callable[[httpx2.Request], httpx2.Response]


class Names:
    """A directory of names in which every look-up may give something else."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Collection[str]:
        """Look a name up."""
        self.asked.append((host, port))
        return [self.answers[min(len(self.asked), len(self.answers)) - 1]]


def client(answer: Answer, names: Names | None = None, **options: object) -> WebClient:
    """A client whose other side is a function."""
    transport = httpx2.MockTransport(answer)
    return WebClient(resolve=names or Names("93.184.216.34"), transport=transport, **options)  # type: ignore[arg-type]


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    """A body that comes over the wire."""
    for part in parts:
        yield part


def fine(request: httpx2.Request) -> httpx2.Response:
    """An answer that always works."""
    return httpx2.Response(200, content=pieces(b"{", b"}"), headers={"Content-Type": "application/json"})


def noting(seen: list[httpx2.Request]) -> Answer:
    """As `fine`, with what was asked noted."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return fine(request)

    return answer


async def sent(web: WebClient, request: WebRequest = GET, spec: ActionSpec = READ) -> WebReply:
    """Send as an admitted call of an action."""
    admission = Admission("http", spec, lambda *_: None)
    admission.entered = True
    with admission:
        return await web.send(request)


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """A name that means something else at the next look-up cannot lead inside; host and TLS name stay."""
    seen: list[httpx2.Request] = []
    names = Names("93.184.216.34", "127.0.0.1")
    web = client(noting(seen), names)
    reply = await sent(web)
    assert (reply.status, reply.body) == (200, b"{}")
    assert names.asked == [("shop.example", 443)]
    assert str(seen[0].url) == "https://93.184.216.34/orders?x=1"
    assert seen[0].headers["host"] == "shop.example"
    assert seen[0].extensions["sni_hostname"] == "shop.example"
    with pytest.raises(Refused, match="not a public address"):
        await sent(web)
    assert len(seen) == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "::ffff:192.168.0.1"])
async def test_nothing_inside_is_reached(address: str) -> None:
    """Unless it is allowed by name."""

    def never(request: httpx2.Request) -> httpx2.Response:
        raise AssertionError("it was reached")

    with pytest.raises(Refused):
        await sent(client(never, Names(address)))
    allowed = client(fine, Names(address), allowed=["shop.example:443"])
    assert (await sent(allowed)).status == 200


async def test_a_port_and_an_address_of_six_parts_are_kept() -> None:
    """In the address, and in what the other side is told."""
    seen: list[httpx2.Request] = []
    web = client(noting(seen), Names("2606:4700::1111"))
    await sent(web, WebRequest(method="GET", url="http://shop.example:8080/x"))
    assert str(seen[0].url) == "http://[2606:4700::1111]:8080/x"
    assert seen[0].headers["host"] == "shop.example:8080"


async def test_nobody_reaches_outside_who_is_not_admitted() -> None:
    """Nor an action that is admitted for something else; that it tried is told."""
    told: list[tuple[str, str]] = []
    web = client(fine)
    with pytest.raises(Refused, match="admitted"):
        await web.send(GET)
    inward = Admission("x", INWARD, lambda *what: told.append(what))
    inward.entered = True
    with inward, pytest.raises(Refused):
        await web.send(GET)
    assert told == [("web", "get")]
    assert (await sent(web, spec=SEND)).status == 200


async def test_a_redirect_is_an_answer() -> None:
    """It is not followed, so it cannot lead inside."""

    def away(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(302, headers={"Location": "http://169.254.169.254/"}, content=pieces())

    reply = await sent(client(away))
    assert (reply.status, reply.headers["location"]) == (302, "http://169.254.169.254/")


async def test_too_much_is_not_read() -> None:
    """The answer is given up at the bound, and a compressed one is not opened at all."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    with pytest.raises(ActionFailed, match=f"{REPLY_BYTES_MAX:,}"):
        await sent(client(lambda _: httpx2.Response(200, content=endless())))
    bomb = {"Content-Encoding": "gzip"}
    with pytest.raises(ActionFailed, match="compressed"):
        await sent(client(lambda _: httpx2.Response(200, headers=bomb, content=pieces(b"x"))))


async def test_a_secret_is_put_where_it_belongs() -> None:
    """By its name only; one that is not there is told with the variable that brings it."""
    seen: list[httpx2.Request] = []
    web = client(noting(seen), secrets={"SHOP": "Bearer t0p"})
    await sent(web, WebRequest(method="GET", url=GET.url, secrets={"Authorization": "SHOP"}))
    assert seen[0].headers["authorization"] == "Bearer t0p"
    with pytest.raises(InvalidInput, match="no secret 'OTHER'") as caught:
        await sent(web, WebRequest(method="GET", url=GET.url, secrets={"Authorization": "OTHER"}))
    assert "DIRIGENT_SECRET_OTHER" in caught.value.fix


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "CONNECTION"])
async def test_headers_that_steer_the_connection_are_ours(name: str) -> None:
    """Nobody smuggles a second request, or another host."""
    with pytest.raises(InvalidInput, match=name.lower()):
        await sent(client(fine), WebRequest(method="GET", url=GET.url, headers={name: "x"}))


async def test_no_answer_may_be_asked_for_again() -> None:
    """A connection that breaks is transient, and so is a name that has no address just now."""

    def broken(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadError("reset")

    with pytest.raises(TransientError, match=r"shop\.example does not answer \(reset\)"):
        await sent(client(broken))
