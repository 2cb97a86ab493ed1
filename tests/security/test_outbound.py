"""The guarded client: what it refuses to call, and what misbehaving servers do to it."""

import ast
import asyncio
import datetime
import ipaddress
import re
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.core.checks import run_checks
from pytest_django import Settings

from chatcore.security import outbound
from chatcore.security.destinations import is_public
from chatcore.security.outbound import AddressRefused, Limits, check_url, fetch
from tests.security.outside import OUTSIDE, PUBLIC, PUBLIC6, Canaries, Heard, canaries, lookup, outside
from tests.until import until

SHORT = Limits(total_seconds=0.3)
FEW = Limits(total_seconds=60, max_bytes=1000)
ESCAPED = {r"\t": "\t", r"\n": "\n", r"\r": "\r", r"\x00": "\0"}


def corpus(port: int) -> list[str]:
    urls = []
    for line in (Path(__file__).parent / "hostile_urls.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            urls.append(
                re.sub(r"\\(?:[tnr]|x00)", lambda found: ESCAPED[found[0]], line.replace("{port}", str(port)))
            )
    return urls


@pytest.fixture
def birds() -> Iterator[Canaries]:
    with canaries() as found:
        yield found


@pytest.fixture
def server(settings: Settings) -> Iterator[Heard]:
    settings.OUTBOUND_ALLOW = [f"{OUTSIDE}:*"]
    with outside() as heard:
        yield heard


# --- What is refused ------------------------------------------------------------------------------------------------


async def test_no_hostile_address_reaches_a_canary(birds: Canaries, settings: Settings) -> None:
    """Plain http and every port are open to public addresses here, so that only the rules of addresses protect."""
    settings.OUTBOUND_ALLOW = ["public:*"]
    urls = corpus(birds.port)
    assert len(urls) > 120
    passed, said = [], set()
    for url in urls:
        try:
            passed.append((url, await fetch("GET", url, lookup=lookup, limits=SHORT)))
        except AddressRefused as refusal:
            said.add(refusal.detail)
        except outbound.OutboundError as error:
            passed.append((url, error))
    assert passed == []
    assert not any(re.search(r"\d\.|::", words) for words in said)  # nobody is told where it led
    assert birds.reached == 0


async def test_the_canaries_would_sing(birds: Canaries, settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = ["*"]
    for host in ("127.0.0.1", "localhost", "loopback.example"):
        asking = asyncio.create_task(fetch("GET", f"http://{host}:{birds.port}/", lookup=lookup))
        await until(lambda: birds.reached)
        asking.cancel()
        with pytest.raises((asyncio.CancelledError, outbound.Unreachable)):
            await asking


@pytest.mark.parametrize(
    ("url", "passes"),
    [
        ("https://public.example/", True),
        ("HTTPS://Public.Example:8443/a?b=c#d", True),
        ("https://bücher.example/straße?q=ü", True),
        ("https://public.example.", True),
        (f"https://{PUBLIC}", True),
        (f"https://[{PUBLIC6}]:443/", True),
        ("https://a_b.public.example/", True),
        ("http://public.example/", False),
        ("https://public.example:80/", False),
        ("https://public.example:22/", False),
        ("https://localhost/", False),
        ("https://printer.local/", False),
        ("https://192.168.0.1/", False),
        ("https://" + "a" * 64 + ".example/", False),
        ("https://public.example/" + "a" * 2048, False),
        ("https://xn--zzzzzzz\u0301.example/", False),
        ("", False),
    ],
)
def test_an_address_is_judged_without_asking_for_it(url: str, passes: bool) -> None:
    if passes:
        check_url(url)
    else:
        with pytest.raises(AddressRefused):
            check_url(url)


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", PUBLIC6]
)
def test_public_addresses_are_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    ("entry", "url", "passes"),
    [
        ("hooks.lan:8080", "http://hooks.lan:8080/", True),
        ("hooks.lan:8080", "http://hooks.lan:8081/", False),
        ("hooks.lan:8080", "http://other.lan:8080/", False),
        ("hooks.lan:*", "http://hooks.lan:1/", True),
        ("10.0.5.0/24:8080", "http://10.0.5.9:8080/", True),
        ("10.0.5.0/24:8080", "http://10.0.6.9:8080/", False),
        ("[fd00::/8]:443", "https://[fd12::1]/", True),
        ("[fd00::/8]:443", "https://[fe80::1]/", False),
        ("public:80", f"http://{PUBLIC}/", True),
        ("public:80", "http://10.0.0.1/", False),
        ("*:80", "http://10.0.0.1/", True),
        ("*", "http://localhost:9/", True),
    ],
)
def test_the_operator_opens_what_the_list_names_and_no_more(
    settings: Settings, entry: str, url: str, passes: bool
) -> None:
    settings.OUTBOUND_ALLOW = [entry]
    test_an_address_is_judged_without_asking_for_it(url, passes)


@pytest.mark.parametrize("entry", ["hooks.lan", "10.0.0.1/8:80", "10.0.0:80", "[fd00::]", "a b:80", "::1:80"])
def test_an_entry_that_cannot_be_read_is_told_at_the_start(settings: Settings, entry: str) -> None:
    settings.OUTBOUND_ALLOW = [entry]
    (problem,) = run_checks(tags=["security"])
    assert problem.id == "chatcore.E005"
    assert repr(entry) in problem.msg


# --- Names that change their mind ---------------------------------------------------------------------------------


class Fickle:
    """A name that leads outside the first time, and to a canary ever after."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, _host: str, _port: int) -> Sequence[str]:
        self.asked += 1
        return [OUTSIDE] if self.asked == 1 else ["127.0.0.1"]


async def test_a_name_is_resolved_once_for_a_connection(server: Heard) -> None:
    fickle = Fickle()
    assert (await fetch("GET", server.url, lookup=fickle)).body == b"hello"
    assert fickle.asked == 1


async def test_the_next_connection_is_checked_anew(server: Heard, birds: Canaries) -> None:
    fickle = Fickle()
    with pytest.raises(AddressRefused):
        await fetch("GET", f"{server.url}/redirect?to=/plain", lookup=fickle, redirects=1)
    assert fickle.asked == 2
    assert (len(server.requests), birds.reached) == (1, 0)


async def test_a_resolver_that_never_answers_counts_as_time(settings: Settings) -> None:
    async def never(_host: str, _port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    for limits in (Limits(connect_seconds=0.05), Limits(total_seconds=0.05)):
        with pytest.raises(outbound.TimedOut):
            await fetch("GET", "https://public.example/", lookup=never, limits=limits)


async def test_of_several_addresses_the_next_is_tried(server: Heard) -> None:
    async def two(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.3", OUTSIDE]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.conf.settings.OUTBOUND_ALLOW", ["127.0.0.0/8:*"])
        assert (await fetch("GET", server.url, lookup=two)).status == 200


# --- Redirects ----------------------------------------------------------------------------------------------------


async def test_a_redirect_is_an_answer_unless_it_is_to_be_followed(server: Heard) -> None:
    url = f"{server.url}/redirect?to=/plain"
    answer = await fetch("GET", url, lookup=lookup)
    assert (answer.status, answer.headers["location"]) == (302, "/plain")
    assert (await fetch("GET", url, lookup=lookup, redirects=1)).body == b"hello"
    assert (await fetch("POST", url, content=b"x", lookup=lookup, redirects=1)).status == 302


async def test_a_redirect_inward_is_refused(server: Heard, birds: Canaries) -> None:
    inward = (
        "http://127.0.0.1:{}/",
        "//localhost:{}/",
        "http://loopback.example:{}/",
        "gopher://127.0.0.1:{}/",
    )
    for place in (*inward, "http://outside.example@127.0.0.1:{}/"):
        url = f"{server.url}/redirect?to={place.format(birds.port)}"
        with pytest.raises(AddressRefused):
            await fetch("GET", url, lookup=lookup, redirects=5)
    assert birds.reached == 0


async def test_another_origin_is_not_told_the_secret(server: Heard) -> None:
    with outside() as other:
        url = f"{server.url}/redirect?to={other.url}/plain"
        headers = {"Authorization": "Bearer secret", "Accept": "text/plain"}
        await fetch("GET", url, headers=headers, lookup=lookup, redirects=1)
    assert server.requests[0][2]["authorization"] == "Bearer secret"
    assert "authorization" not in other.requests[0][2]
    assert other.requests[0][2]["accept"] == "text/plain"


# --- Servers that misbehave -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "limits", "error"),
    [
        ("bomb", FEW, outbound.AnswerTooLarge),
        ("endless", FEW, outbound.AnswerTooLarge),
        ("drip", SHORT, outbound.TimedOut),
        ("hang", SHORT, outbound.TimedOut),
        ("interim_without_end", SHORT, outbound.TimedOut),
        ("headers_without_end", FEW, outbound.Unreachable),
        ("nonsense", FEW, outbound.Unreachable),
        ("short", FEW, outbound.Unreachable),
        ("damaged", FEW, outbound.Unreachable),
    ],
)
async def test_a_server_that_misbehaves_is_left(
    server: Heard, path: str, limits: Limits, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await fetch("GET", f"{server.url}/{path}", lookup=lookup, limits=limits)


async def test_a_server_that_is_not_there_is_unreachable(settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = ["*"]
    with pytest.raises(outbound.Unreachable):
        await fetch("GET", "http://127.0.0.3:1/")


async def test_of_too_much_the_beginning_may_be_kept(server: Heard) -> None:
    limits = Limits(total_seconds=60, max_bytes=10, on_excess="cut")
    for path, body in (("endless", b"x" * 10), ("bomb", b"\0" * 10)):
        answer = await fetch("GET", f"{server.url}/{path}", lookup=lookup, limits=limits)
        assert (answer.body, answer.truncated) == (body, True)


async def test_a_packed_answer_is_unpacked(server: Heard) -> None:
    answer = await fetch("GET", f"{server.url}/packed", lookup=lookup)
    assert (answer.body, answer.truncated) == (b"hello, world", False)
    assert "content-encoding" not in answer.headers


# --- What is sent -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-a", "b\r\nx-c: d"),
        ("x-a", "b\nc"),
        ("x-a", "b\0"),
        ("x-a", "ü"),
        ("x-a: b\r\nx", "c"),
        ("x a", "b"),
        ("", "b"),
        ("Host", "127.0.0.1"),
        ("Content-Length", "0"),
        ("Transfer-Encoding", "chunked"),
    ],
)
async def test_a_header_cannot_carry_another(server: Heard, name: str, value: str) -> None:
    with pytest.raises(outbound.HeaderRefused):
        await fetch("POST", server.url, headers={name: value}, content=b"x", lookup=lookup)
    assert server.requests == []


async def test_nothing_is_read_from_the_environment(
    server: Heard, birds: Canaries, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{birds.port}")
    (tmp_path / ".netrc").write_text("default login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    await fetch("GET", f"{server.url}/plain?", lookup=lookup)
    ((_, _, headers),) = server.requests
    assert headers == {
        "host": f"outside.example:{server.port}",
        "connection": "close",
        "accept": "*/*",
        "accept-encoding": "gzip",
        "user-agent": "Chatcore",
    }
    assert birds.reached == 0


async def test_the_name_is_kept_for_tls_and_the_certificate_must_be_of_it(
    settings: Settings, tmp_path: Path
) -> None:
    settings.OUTBOUND_ALLOW = [f"{OUTSIDE}:*"]
    serving, trusting = _certified("outside.example", tmp_path)
    with outside(tls=serving) as heard:
        answer = await fetch("POST", heard.url, content=b"{}", lookup=lookup, tls=trusting)
        assert answer.body == b"hello"
        wrong = heard.url.replace("outside.example", OUTSIDE)
        with pytest.raises(outbound.Unreachable):
            await fetch("POST", wrong, content=b"{}", lookup=lookup, tls=trusting)
        with pytest.raises(outbound.Unreachable):  # signed by nobody the system knows
            await fetch("POST", heard.url, content=b"{}", lookup=lookup)
    assert heard.names[0] == "outside.example"
    assert len(heard.requests) == 1


def _certified(name: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate of that name, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(named)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    both = folder / "both.pem"
    both.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(both)
    return serving, ssl.create_default_context(
        cadata=certificate.public_bytes(serialization.Encoding.PEM).decode()
    )


# --- The manual -----------------------------------------------------------------------------------------------------

PAGE = (Path(__file__).parents[2] / "docs" / "outbound.md").read_text()


async def test_the_code_in_the_manual_runs(server: Heard) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names = {"url": server.url.replace("outside.example", OUTSIDE), "body": b"{}"}
    await eval(compile(code, "outbound.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    answer: outbound.Answer = names["answer"]  # type: ignore[assignment]
    assert (answer.status, answer.body) == (200, b"hello")


def test_every_entry_in_the_manual_can_be_read(settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = re.findall(r"^\| `([^`]+)` \| ", PAGE.partition("## Letting")[2], re.MULTILINE)
    assert len(settings.OUTBOUND_ALLOW) == 5
    assert run_checks(tags=["security"]) == []
