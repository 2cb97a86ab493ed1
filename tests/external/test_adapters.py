"""What vendors send is proven as they document it, and read."""

import base64
import hashlib
import hmac
import json
import uuid
from typing import Any

import pytest

from chatcore.errors import ChatcoreError, Invalid
from external.adapters import generic, mapping, slack, twilio
from external.adapters.adapter import Adapter, Confirmation, Incoming, Received, Setup
from external.adapters.registry import adapters
from tests.external.vendors import (
    GENERIC,
    MAP,
    SLACK,
    SLACK_SECRET,
    TWILIO,
    WHSEC,
    sample,
    slack_headers,
    standard_headers,
    twilio_headers,
)

ADDRESS = "https://chat.example/in/x/0199a2b4-7c1e-7d3f-8a55-0c1d2e3f4a5b/"


def adapter(kind: dict[str, Any], **settings: Any) -> Adapter:
    setup = Setup(ADDRESS, uuid.uuid4(), kind["secrets"], kind["settings"] | settings)
    return adapters()[kind["adapter"]](setup)


def parsed(kind: dict[str, Any], name: str, **settings: Any) -> Any:
    return adapter(kind, **settings).parse(Received(ADDRESS, {}, sample(name)))


def only(kind: dict[str, Any], name: str, **settings: Any) -> Incoming:
    (incoming,) = parsed(kind, name, **settings).incoming
    assert isinstance(incoming, Incoming), incoming
    return incoming


# --- The vendors' published examples ---------------------------------------------------------------------------


def test_twilios_published_example_holds() -> None:
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    fields = [
        ("Digits", "1234"),
        ("To", "+18005551212"),
        ("From", "+14158675309"),
        ("Caller", "+14158675309"),
        ("CallSid", "CA1234567890ABCDE"),
    ]
    assert twilio.signature("12345", url, fields) == b"RSOYDt4T1cUTdK1PDd93/VVr8B8="


SLACK_EXAMPLE = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
    b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
    b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a1"
    b"4d10d2c447fce8b6703c"
)


def test_slacks_published_example_holds() -> None:
    right = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    assert slack.signature(SLACK_SECRET, "1531420618", SLACK_EXAMPLE) == right
    headers = {"x-slack-request-timestamp": "1531420618", "x-slack-signature": right}
    for seconds, holds in ((0, True), (300, True), (-300, True), (301, False), (-301, False)):
        at = Received(ADDRESS, headers, SLACK_EXAMPLE, at=1531420618 + seconds)
        assert adapter(SLACK).verify(at) is holds, seconds


def test_the_published_example_of_standard_webhooks_holds() -> None:
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    body = b'{"test": 2432232314}'
    for seconds, holds in ((0, True), (300, True), (301, False), (-301, False)):
        assert generic.is_standard(WHSEC, Received(ADDRESS, headers, body, at=1614265330 + seconds)) is holds


# --- Proof -----------------------------------------------------------------------------------------------------

SIGNED = [
    pytest.param(TWILIO, "twilio_sms.form", lambda body: twilio_headers(ADDRESS, body), id="twilio"),
    pytest.param(SLACK, "slack_message_im.json", slack_headers, id="slack"),
    pytest.param(GENERIC, "generic_alertmanager.json", standard_headers, id="generic"),
]


@pytest.mark.parametrize(("kind", "name", "sign"), SIGNED)
def test_only_what_is_signed_over_every_byte_holds(kind: Any, name: str, sign: Any) -> None:
    body, judge = sample(name), adapter(kind)
    headers = sign(body)
    assert judge.verify(Received(ADDRESS, headers, body))
    assert not judge.verify(Received(ADDRESS, headers, body.replace(b"e", b"f", 1)))
    for left_out in headers:
        without = {header: value for header, value in headers.items() if header != left_out}
        assert judge.verify(Received(ADDRESS, without, body)) is (left_out == "content-type")
    for header in headers:
        for odd in ("", "é", "v0=", "v1,", "9" * 5_000, "²"):
            assert judge.verify(Received(ADDRESS, headers | {header: odd}, body)) is (
                header == "content-type"
            )


@pytest.mark.parametrize(("kind", "name", "sign"), SIGNED)
def test_another_secret_does_not_hold(kind: Any, name: str, sign: Any) -> None:
    body = sample(name)
    first = next(iter(kind["secrets"]))
    other = kind | {"secrets": kind["secrets"] | {first: "whsec_" + "A" * 32}}
    assert not adapter(other).verify(Received(ADDRESS, sign(body), body))


def test_twilio_signs_the_address_it_was_given() -> None:
    body = sample("twilio_sms.form")
    for url, called in (
        (ADDRESS, ADDRESS),
        (f"{ADDRESS}?shop=2", f"{ADDRESS}?shop=2"),
        (ADDRESS.replace("chat.example", "chat.example:443"), ADDRESS),
    ):
        assert adapter(TWILIO).verify(Received(called, twilio_headers(url, body), body)), url
    assert not adapter(TWILIO).verify(Received(f"{ADDRESS}?shop=3", twilio_headers(ADDRESS, body), body))


@pytest.mark.parametrize("body", [b"Body=\xff", b"Body=%FF%FE", b"a=1&" * 501, b"\xef\xbb\xbfBody=x"])
def test_twilio_does_not_send_what_is_no_form_in_utf_8(body: bytes) -> None:
    headers = {"x-twilio-signature": "AAAA"}
    assert not adapter(TWILIO).verify(Received(ADDRESS, headers, body))


@pytest.mark.parametrize(
    ("settings", "written"),
    [
        ({"header": "X-Hub-Signature-256", "prefix": "sha256="}, "sha256={hex}"),
        ({"header": "X-Signature"}, "{HEX}"),
        ({"header": "X-Signature", "encoding": "base64"}, "{base64}"),
    ],
)
def test_a_header_of_ones_own_is_signed_as_configured(settings: dict[str, str], written: str) -> None:
    body = sample("generic_github_issue.json")
    kind = {"adapter": "generic", "secrets": {"signing_secret": "It's a Secret"}, "settings": {}}
    judge = adapter(kind, proof="hmac", map={"content": "$.issue.title"}, **settings)
    assert judge.problems() == []
    digest = hmac.new(b"It's a Secret", body, hashlib.sha256).digest()
    right = written.format(
        hex=digest.hex(), HEX=digest.hex().upper(), base64=base64.b64encode(digest).decode()
    )
    name = settings["header"].lower()
    assert judge.verify(Received(ADDRESS, {name: right}, body))
    for wrong in ("", right[1:], right[:-1] + "_", f"sha1={digest.hex()}"):
        assert not judge.verify(Received(ADDRESS, {name: wrong}, body)), wrong


# --- Twilio ----------------------------------------------------------------------------------------------------


def test_a_text_message_is_read() -> None:
    incoming = only(TWILIO, "twilio_sms.form")
    assert incoming.content == "Is the shop open on Sunday? Ärger!"
    assert incoming.external_id == "SM1f0e8ae6ade43cb3c0ce4525424e404f"
    assert (incoming.channel, incoming.handle) == ("sms", "+16505550111")
    assert incoming.address == {"to": "+16505550111", "from": "+14158141829"}
    assert incoming.respond


def test_media_are_named_and_only_twilio_is_told_the_token() -> None:
    incoming = only(TWILIO, "twilio_mms.form")
    assert incoming.content == "(2 attached)"
    ours, other = incoming.media
    assert (ours.name, ours.media_type) == ("media-1.jpg", "image/jpeg")
    assert ours.authorization.startswith("Basic ")
    assert (other.url, other.authorization) == ("https://elsewhere.example/card.vcf", "")


def test_whatsapp_is_a_channel_of_its_own() -> None:
    incoming = only(TWILIO, "twilio_whatsapp.form")
    assert (incoming.channel, incoming.handle) == ("whatsapp", "+436601234567")
    assert (incoming.content, incoming.title) == ("Grüß Gott 👋", "Ada Lovelace")
    assert incoming.address["to"] == "whatsapp:+436601234567"


def test_who_opts_out_is_not_answered() -> None:
    assert not only(TWILIO, "twilio_opt_out.form").respond


@pytest.mark.parametrize(
    ("name", "confirmations"),
    [
        ("queued", ()),
        ("sent", (Confirmation("SMout", "sent"),)),
        ("delivered", (Confirmation("SMout", "delivered"),)),
        ("read", (Confirmation("SMout", "read"),)),
        ("undelivered", (Confirmation("SMout", "failed", "30005"),)),
    ],
)
def test_what_became_of_a_reply_is_read(name: str, confirmations: tuple[Confirmation, ...]) -> None:
    said = parsed(TWILIO, f"twilio_status_{name}.form")
    assert (said.incoming, said.confirmations) == ((), confirmations)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ((b"MessageSid=SM1f0e8ae6ade43cb3c0ce4525424e404f&", b""), "/MessageSid"),
        ((b"&From=%2B16505550111", b""), "/From"),
        ((b"From=", b"From=%2B43&From="), "/From"),
        ((b"NumMedia=0", b"NumMedia=11"), "/NumMedia"),
        ((b"NumMedia=0", b"NumMedia=-1"), "/NumMedia"),
        ((b"NumMedia=0", "NumMedia=²".encode()), None),
        ((b"NumMedia=0", b"NumMedia=1"), "/MediaUrl0"),
    ],
)
def test_a_form_that_is_not_as_it_should_be_is_refused(
    change: tuple[bytes, bytes], pointer: str | None
) -> None:
    body = sample("twilio_sms.form").replace(*change)
    if pointer is None:
        assert not adapter(TWILIO).verify(Received(ADDRESS, {"x-twilio-signature": "A"}, body))
        return
    with pytest.raises(Invalid) as refused:
        adapter(TWILIO).parse(Received(ADDRESS, {}, body))
    assert [error.pointer for error in refused.value.errors] == [pointer]


# --- Slack -----------------------------------------------------------------------------------------------------


def test_the_challenge_is_answered() -> None:
    answer = parsed(SLACK, "slack_url_verification.json").answer
    assert answer.body == "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"


def test_a_mention_is_read_without_slacks_marks() -> None:
    incoming = only(SLACK, "slack_app_mention.json")
    assert incoming.content == "is the database (https://status.example/db?a=1&b=2) up & running?"
    assert (incoming.external_id, incoming.handle) == ("Ev0MENTION", "T061EG9R6:U061F7AUR")
    assert incoming.address == {"channel": "C123ABC456", "thread_ts": "1515449522.000016"}


def test_what_is_said_in_a_thread_goes_on_with_its_conversation() -> None:
    begun, gone_on = only(SLACK, "slack_app_mention.json"), only(SLACK, "slack_thread_reply.json")
    assert begun.thread == gone_on.thread == "C123ABC456:1515449522.000016"
    assert only(SLACK, "slack_message_im.json").thread == "D024BE91L"


def test_a_file_is_opened_with_the_bots_token_at_slack_alone() -> None:
    incoming = only(SLACK, "slack_file_share.json")
    (media,) = incoming.media
    assert (media.name, media.media_type, media.authorization) == ("tedair.gif", "image/gif", "Bearer xoxb-1")
    body = sample("slack_file_share.json").replace(b"files.slack.com", b"files.slack.com.example")
    (elsewhere,) = adapter(SLACK).parse(Received(ADDRESS, {}, body)).incoming
    assert isinstance(elsewhere, Incoming)
    assert elsewhere.media[0].authorization == ""


@pytest.mark.parametrize("listen", ["mentions", "everything"])
@pytest.mark.parametrize(
    "name",
    ["message_changed", "message_deleted", "channel_join", "bot_message", "own_message", "reaction_added"],
)
def test_edits_joins_and_what_bots_say_are_passed_over(name: str, listen: str) -> None:
    assert parsed(SLACK, f"slack_{name}.json", listen=listen).incoming == ()


def test_what_is_said_to_the_app_is_taken_once() -> None:
    """With both events subscribed to, a mention comes twice, under two ids."""
    heard = {
        listen: [
            name
            for name in ("app_mention", "message_im", "message_channel")
            if parsed(SLACK, f"slack_{name}.json", listen=listen).incoming
        ]
        for listen in ("mentions", "everything")
    }
    assert heard == {
        "mentions": ["app_mention", "message_im"],
        "everything": ["message_im", "message_channel"],
    }


def test_that_slack_left_messages_out_is_an_error() -> None:
    (error,) = parsed(SLACK, "slack_app_rate_limited.json").incoming
    assert error.code == "vendor_rate_limited"


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"\xff", b'{"type": "event_callback"', b'{"type": "url_verification"}', b"[" * 100_000],
)
def test_what_is_no_event_is_refused_in_words(body: bytes) -> None:
    with pytest.raises(ChatcoreError):
        adapter(SLACK).parse(Received(ADDRESS, {}, body))


@pytest.mark.parametrize("change", [{"user": None}, {"ts": 5}, {"channel": ""}, {"files": [{}] * 11, "x": 1}])
def test_an_event_without_what_is_needed_is_refused(change: dict[str, Any]) -> None:
    envelope = json.loads(sample("slack_message_im.json"))
    envelope["event"] |= change
    with pytest.raises(Invalid) as refused:
        adapter(SLACK).parse(Received(ADDRESS, {}, json.dumps(envelope).encode()))
    (error,) = refused.value.errors
    assert error.pointer == f"/event/{next(iter(change))}"


# --- Any JSON --------------------------------------------------------------------------------------------------


def test_each_alert_is_a_message() -> None:
    first, second = parsed(GENERIC, "generic_alertmanager.json").incoming
    assert first == Incoming(
        content="Alert: Disk 93 % full on db-3",
        external_id="9f5ab1d2c3e4f501",
        thread="db-3",
        metadata={"severity": "critical"},
    )
    assert second.content.endswith("db-4")


def test_what_is_no_text_is_written_as_json() -> None:
    (incoming,) = mapping.read(
        {"content": "$.a", "title": "$.n", "channel": "email", "handle": "$.from", "media": "$.files[*]"},
        {"a": {"b": [1, None]}, "n": 5, "from": "a@b.example", "files": ["https://x.example/p/cat.png?x"]},
    )
    assert isinstance(incoming, Incoming)
    assert (incoming.content, incoming.title) == ('{"b": [1, null]}', "5")
    assert (incoming.channel, incoming.handle) == ("email", "a@b.example")
    assert [(media.url, media.name) for media in incoming.media] == [
        ("https://x.example/p/cat.png?x", "cat.png")
    ]


def test_what_a_map_does_not_find_is_named() -> None:
    found = mapping.read({**MAP}, {"alerts": [{"annotations": {"summary": "x"}}, {"fingerprint": "1"}]})
    assert [[error.pointer for error in each.errors] for each in found if isinstance(each, Invalid)] == [
        ["/external_id"],
        ["/content"],
    ]
    (nothing,) = mapping.read({"content": "$.absent"}, {"here": 1})
    assert isinstance(nothing, Invalid)
    assert nothing.detail == "content: $.absent finds nothing"


def test_a_text_is_a_text_whatever_it_looks_like() -> None:
    texts = ["{hello", "[1", "5", '{"a": 1}', "9" * 5_000, "\ud800"]
    found = mapping.read({"each": "$[*]", "content": "$"}, texts)
    assert [each.content for each in found if isinstance(each, Incoming)] == texts


@pytest.mark.parametrize(
    ("given", "pointers"),
    [
        (None, [""]),
        ({}, ["/content"]),
        ({"content": "$.a", "colour": "$.b"}, ["/colour"]),
        ({"content": "$.["}, ["/content"]),
        ({"content": ["$.a", 5]}, ["/content/1"]),
        ({"content": "$.a", "metadata": {"x": "$$"}}, ["/metadata/x"]),
        ({"content": "$.a", "each": "alerts"}, ["/each"]),
        ({"content": "$.a", "channel": "sms"}, ["/handle"]),
        ({"content": "$[?match(@.a, '(a+)+b')]"}, ["/content"]),
        ({"content": "$" + "[0]" * 200}, ["/content"]),
        ({"content": "$[?" + "(" * 400 + "]"}, ["/content"]),
        ({"content": "$..[?@.a && $..b[?@..c]]"}, ["/content"]),
        ({"content": "$..*..*..*"}, ["/content"]),
        ({"content": "$" + "[0,0]" * 40}, ["/content"]),
        ({"content": "$..['a..b', '$', ',,,,']"}, []),
        ({"content": "$.a", "metadata": {str(n): "$.a" for n in range(100)}}, [""]),
    ],
)
def test_a_map_that_cannot_be_followed_is_refused_where_it_is_wrong(given: Any, pointers: list[str]) -> None:
    assert [problem.pointer for problem in mapping.problems_of(given)] == pointers


def test_one_request_has_a_hundred_messages_at_most() -> None:
    with pytest.raises(Invalid, match="101 messages"):
        mapping.read({"each": "$[*]", "content": "$.a"}, [{"a": "x"}] * 101)


def test_every_adapter_says_what_it_lacks() -> None:
    for kind in (TWILIO, SLACK, GENERIC):
        assert adapter(kind).problems() == []
        bare = {"adapter": kind["adapter"], "secrets": {"other": "x"}, "settings": {"extra": 1}}
        pointers = {problem.pointer for problem in adapter(bare).problems()}
        assert {"/secrets/other", "/settings/extra"} < pointers
