"""Tokens of a customer's own identity provider, and every forgery we know of."""

import asyncio
import base64
import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient, AsyncRequestFactory
from django.utils import timezone
from pytest_django import Settings

from chatcore.accounts.channels import principal_of
from chatcore.accounts.doors import admit
from chatcore.errors import Unauthenticated
from conversations.models import Message
from external.models import Authenticator, Identity, IntakePolicy, KeySet
from tests.accounts.factories import make_key_text, make_member, make_workspace
from tests.api import problem_of
from tests.external.identity_provider import (
    AUDIENCE,
    IdentityProvider,
    ec_key,
    forged_token,
    identity_provider,
    make_token,
    public_pem,
    published,
    rsa_key,
)
from tests.external.proving import (
    DRF,
    NINJA,
    ask,
    bearer,
    make_authenticator,
    make_integration,
    make_jwt_authenticator,
    probed,
    signed,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider(settings: Settings) -> Iterator[IdentityProvider]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1:*"]
    with identity_provider() as found:
        yield found


@probed
@pytest.mark.parametrize("door", [DRF, NINJA])
def test_a_token_of_the_customer_s_provider_is_the_integration_s(
    provider: IdentityProvider, door: str
) -> None:
    provider.keys = [published(rsa_key(), "big", use="sig", alg="RS256"), published(ec_key(), "first")]
    authenticator = make_jwt_authenticator(provider)
    acts_as = authenticator.integration.acts_as
    for token in (
        make_token(),
        make_token(aud=["another", AUDIENCE]),
        make_token(rsa_key(), "big", "RS256"),
        make_token(exp=int(time.time()) - 10),  # clocks differ
    ):
        answer = ask(authenticator, door=door, **bearer(token))
        assert (answer.status_code, answer.json().get("user")) == (200, acts_as and acts_as.email)
    assert provider.asked == 1


NOW = int(time.time())
BAD_TOKENS: dict[str, Callable[[], str]] = {
    "none": lambda: forged_token({"alg": "none", "kid": "first"}, None),
    "None": lambda: forged_token({"alg": "None", "kid": "first"}, None),
    "unsigned": lambda: make_token().rpartition(".")[0] + ".",
    "public key as a secret": lambda: forged_token({"alg": "HS256", "kid": "big"}, public_pem(rsa_key())),
    "published key as a secret": lambda: forged_token(
        {"alg": "HS256", "kid": "big"}, json.dumps(published(rsa_key(), "big")).encode()
    ),
    "its own key": lambda: make_token(ec_key("forger")),
    "its own key in the header": lambda: forged_token(
        {"alg": "ES256", "jwk": published(ec_key("forger"), "first"), "kid": "first"}, b"x"
    ),
    "its own keys' address": lambda: forged_token(
        {"alg": "ES256", "jku": "http://127.0.0.1:1/", "kid": "first"}, b"x"
    ),
    "a key of another type": lambda: make_token(rsa_key(), "first", "RS256"),
    "an algorithm the key is not for": lambda: make_token(rsa_key(), "big", "RS512"),
    "a key for encryption": lambda: make_token(rsa_key(), "encryption", "RS256"),
    "a short key": lambda: make_token(rsa_key(1024), "short", "RS256"),
    "no key id among several": lambda: make_token(key_id=None),
    "an unknown key id": lambda: make_token(key_id="other"),
    "a strange key id": lambda: forged_token({"alg": "ES256", "kid": ["first"]}, b"x"),
    "critical extensions": lambda: forged_token(
        {"alg": "ES256", "kid": "first", "crit": ["x"], "x": 1}, b"x"
    ),
    "another issuer": lambda: make_token(iss="https://id.example.com"),
    "no issuer": lambda: make_token(iss=None),
    "another audience": lambda: make_token(aud="somebody"),
    "no audience": lambda: make_token(aud=None),
    "expired": lambda: make_token(exp=NOW - 3600),
    "never expires": lambda: make_token(exp=None),
    "expires at no time": lambda: make_token(exp="soon"),
    "not yet valid": lambda: make_token(nbf=int(time.time()) + 3600),
    "issued in the future": lambda: make_token(iat=int(time.time()) + 3600),
    "nested": lambda: "e" + base64.urlsafe_b64encode(b"[" * 5000).decode()[1:] + ".e30.x",
    "too long": lambda: make_token(filler="x" * 9000),
    "not a token": lambda: "x",
    "a key of ours": make_key_text,
}


@probed
def test_a_token_that_is_not_good_is_nobody_s(provider: IdentityProvider) -> None:
    provider.keys = [
        published(ec_key(), "first"),
        published(rsa_key(), "big", alg="RS256"),
        published(rsa_key(), "encryption", use="enc"),
        published(rsa_key(1024), "short"),
    ]
    authenticator = make_jwt_authenticator(provider)
    statuses = {kind: ask(authenticator, **bearer(make())).status_code for kind, make in BAD_TOKENS.items()}
    assert statuses == dict.fromkeys(BAD_TOKENS, 401)
    assert ask(authenticator, **bearer(make_token())).status_code == 200


BAD_KEYS: list[Any] = [
    None,
    ["first"],
    [{"kid": "first"}],
    [{"kid": "first", "kty": "oct", "k": "c2VjcmV0"}],
    [{"kid": "first", "kty": "EC", "crv": "P-256", "x": 1, "y": []}],
    [{"kid": "first", "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}],
    [{"kid": "first", "kty": "EC", "crv": "P-256\x00", "x": "\ud800", "y": "AA"}],
    [{"kid": "first", "kty": "RSA", "n": {}, "e": "AQAB"}],
    [{"kid": "first", "kty": "RSA", "n": "AA", "e": "AA"}],
]


@probed
def test_keys_that_are_none_open_nothing_and_break_nothing(provider: IdentityProvider) -> None:
    authenticator = make_jwt_authenticator(provider)
    statuses = []
    for provider.keys in BAD_KEYS:
        KeySet.objects.all().delete()
        for algorithm in ("ES256", "RS256", "EdDSA", "HS256"):
            token = forged_token({"alg": algorithm, "kid": "first"}, b"secret")
            statuses.append(ask(authenticator, **bearer(token)).status_code)
    assert statuses == [401] * 4 * len(BAD_KEYS)
    assert provider.asked == len(BAD_KEYS)


@probed
def test_a_token_opens_only_the_workspace_whose_provider_made_it(provider: IdentityProvider) -> None:
    with identity_provider() as other:
        other.keys = [published(ec_key("other"), "first")]
        ours, theirs = make_jwt_authenticator(provider), make_jwt_authenticator(other)
        assert ask(theirs, **bearer(make_token(ec_key("other")))).status_code == 200
        problem_of(ask(ours, **bearer(make_token(ec_key("other")))), 401)
        problem_of(ask(theirs, **bearer(make_token())), 401)


@probed
def test_unknown_key_ids_make_nobody_ask_more_than_once_a_minute(provider: IdentityProvider) -> None:
    authenticator = make_jwt_authenticator(provider)
    assert ask(authenticator, **bearer(make_token())).status_code == 200
    for number in range(10):
        problem_of(ask(authenticator, **bearer(make_token(key_id=f"other-{number}"))), 401)
    assert provider.asked == 1

    provider.keys = [published(ec_key("second"), "second")]
    KeySet.objects.update(tried_at=timezone.now() - timedelta(seconds=61))
    assert ask(authenticator, **bearer(make_token(ec_key("second"), "second"))).status_code == 200
    problem_of(ask(authenticator, **bearer(make_token())), 401)  # the provider has withdrawn it
    assert provider.asked == 2


@probed
def test_while_the_provider_is_away_its_keys_stay_good_for_a_week(provider: IdentityProvider) -> None:
    authenticator = make_jwt_authenticator(provider)
    assert ask(authenticator, **bearer(make_token())).status_code == 200
    provider.status = 503
    for age, status in ((timedelta(hours=2), 200), (timedelta(days=6), 200), (timedelta(days=8), 401)):
        KeySet.objects.update(fetched_at=timezone.now() - age, tried_at=timezone.now() - timedelta(hours=1))
        assert ask(authenticator, **bearer(make_token())).status_code == status
    assert provider.asked == 4


@probed
def test_keys_are_fetched_through_the_guard(provider: IdentityProvider, settings: Settings) -> None:
    authenticator = make_jwt_authenticator(provider)
    settings.OUTBOUND_ALLOW = []
    problem_of(ask(authenticator, **bearer(make_token())), 401)
    assert provider.asked == 0


@probed
def test_a_token_of_one_use_is_good_once(provider: IdentityProvider) -> None:
    authenticator = make_jwt_authenticator(provider, once=True)
    token = make_token(jti="a")
    assert ask(authenticator, **bearer(token)).status_code == 200
    problem_of(ask(authenticator, **bearer(token)), 401)
    problem_of(ask(authenticator, **bearer(make_token(jti="a", sub="43"))), 401)
    problem_of(ask(authenticator, **bearer(make_token())), 401)
    problem_of(ask(authenticator, **bearer(make_token(jti="b", exp=NOW + 90_000))), 401)
    assert ask(authenticator, **bearer(make_token(jti="b"))).status_code == 200


@probed
def test_the_member_is_the_one_whose_verified_address_the_token_names(provider: IdentityProvider) -> None:
    authenticator = make_jwt_authenticator(provider, user="email")
    member = make_member(authenticator.integration.workspace, role="guest", email="ada@example.com")
    stranger = make_member()
    for named, who in (
        ({"email": member.email, "email_verified": True}, member.email),
        ({"email": "Ada@Example.com", "email_verified": True}, member.email),
        ({"email": member.email}, None),
        ({"email": member.email, "email_verified": "true"}, None),
        ({"email": stranger.email, "email_verified": True}, None),
        ({"email": "nobody@example.com", "email_verified": True}, None),
        ({"email": [member.email], "email_verified": True}, None),
        ({"email": "\x00", "email_verified": True}, None),
        ({"email": "ａda@example.com", "email_verified": True}, None),
        ({"email_verified": True}, None),
    ):
        answer = ask(authenticator, **bearer(make_token(**named)))
        assert (answer.status_code, answer.json().get("user")) == ((200, who) if who else (401, None)), named
    trusting = make_jwt_authenticator(
        provider, integration=authenticator.integration, user="email", unverified_email=True
    )
    assert ask(trusting, **bearer(make_token(email=member.email))).json()["user"] == member.email


@probed
def test_to_come_in_another_s_name_takes_a_grant(provider: IdentityProvider) -> None:
    own = make_member(role="owner")
    for grants, status in (
        (("messages:write",), 401),
        (("users:act_as:identity",), 401),
        (("users:act_as:jwt",), 200),
        (("users:act_as:any",), 200),
        (("users:act_as",), 200),
    ):
        integration = make_integration(acts_as=own, grants=grants)
        authenticator = make_jwt_authenticator(
            provider, integration=integration, user="email", unverified_email=True
        )
        other = make_member(integration.workspace)
        assert ask(authenticator, **bearer(make_token(email=other.email))).status_code == status
        assert ask(authenticator, **bearer(make_token(email=own.email))).status_code == 200


@probed
def test_the_member_is_the_one_whose_verified_identity_the_token_names(provider: IdentityProvider) -> None:
    authenticator = make_jwt_authenticator(provider, user="identity", channel="sso", claim="oid")
    workspace = authenticator.integration.workspace
    member, other = make_member(workspace, email="ada@example.com"), make_member(email="eve@example.com")
    named = {"channel": "sso", "verified_at": timezone.now(), "verified_by": "user:1"}
    Identity.objects.create(workspace=workspace, user=member, value="42", **named)
    Identity.objects.create(workspace=make_workspace(), user=member, value="43", **named)
    Identity.objects.create(workspace=workspace, user=member, channel="sso", value="44")
    Identity.objects.create(workspace=workspace, user=other, value="45", **named)  # no member here
    statuses = {
        handle: ask(authenticator, **bearer(make_token(oid=handle))).status_code
        for handle in ("42", "43", "44", "45", "46", "", "\x00", "4" * 400)
    }
    assert statuses == dict.fromkeys(statuses, 401) | {"42": 200}
    assert ask(authenticator, **bearer(make_token(oid=42))).status_code == 401


@probed
def test_a_number_in_a_token_is_of_the_country_of_the_integration_s_policy(
    provider: IdentityProvider,
) -> None:
    authenticator = make_jwt_authenticator(provider, user="identity", channel="sms", claim="phone_number")
    workspace = authenticator.integration.workspace
    named = {"channel": "sms", "verified_at": timezone.now(), "verified_by": "user:1"}
    member = make_member(workspace, email="ada@example.com")
    Identity.objects.create(workspace=workspace, user=member, value="+436601234567", **named)
    national = bearer(make_token(phone_number="0660 1234567"))
    problem_of(ask(authenticator, **national), 401)
    policy = IntakePolicy.objects.create(integration=authenticator.integration, default_country="AT")
    assert ask(authenticator, **national).json()["user"] == "ada@example.com"
    policy.default_country = "DE"
    policy.save()
    problem_of(ask(authenticator, **national), 401)
    assert ask(authenticator, **bearer(make_token(phone_number="+43 660 1234567"))).status_code == 200


@pytest.mark.django_db(transaction=True)
async def test_messages_that_arrive_together_are_each_in_the_name_of_its_own_member(
    provider: IdentityProvider,
) -> None:
    authenticator = await sync_to_async(make_jwt_authenticator)(provider, user="email", unverified_email=True)
    workspace = authenticator.integration.workspace
    emails = [f"person{number}@example.org" for number in range(6)]
    for email in emails:
        await sync_to_async(make_member)(workspace, email=email)

    async def post(email: str) -> Any:
        headers = {
            "X-Authenticator": str(authenticator.pk),
            "Authorization": f"Bearer {make_token(email=email)}",
        }
        body = {"content": f"I am {email}", "respond": "none"}
        return await AsyncClient().post(
            "/api/v1/intake/messages", json.dumps(body), content_type="application/json", headers=headers
        )

    answers = await asyncio.gather(*map(post, emails))
    assert [answer.status_code for answer in answers] == [202] * 6, answers[0].content
    messages = Message.objects.filter(text__startswith="I am ")
    said = {row async for row in messages.values_list("text", "conversation__owner__email")}
    assert said == {(f"I am {email}", email) for email in emails}


@probed
@pytest.mark.django_db(transaction=True)
async def test_asynchronous_and_live_doors_take_tokens_and_proofs_that_are_good_once(
    provider: IdentityProvider,
) -> None:
    authenticator = await sync_to_async(make_jwt_authenticator)(provider)
    named = {"X-Authenticator": str(authenticator.pk)}
    for door in (DRF, NINJA):
        await KeySet.objects.all().adelete()  # so that each has to ask the provider
        answer = await AsyncClient().get(door, headers=named | {"Authorization": f"Bearer {make_token()}"})
        assert answer.status_code == 200, answer.content
    assert provider.asked == 2

    def scope(headers: dict[str, str]) -> dict[str, Any]:
        pairs = {"x-authenticator": str(authenticator.pk)} | headers
        return {
            "type": "websocket",
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in pairs.items()],
        }

    for body in (b"", None):  # they look again while they are open
        principal = await principal_of(scope(bearer(make_token())), body)
        assert principal is not None
        assert principal.integration == authenticator.integration
    with pytest.raises(Unauthenticated):
        await principal_of(scope(bearer("x")), b"")

    authenticator = await sync_to_async(make_authenticator)()
    opened, again = scope(proof := signed(b"")), scope(proof)
    for body in (b"", None, None):
        principal = await principal_of(opened, body)
        assert principal is not None
        assert principal.user == authenticator.integration.acts_as
    for body in (b"", None):  # another connection with the same proof
        with pytest.raises(Unauthenticated):
            await principal_of(again, body)
    named = {name.replace("_", "-"): value for name, value in signed(b"{}").items()}
    named |= {"X-Authenticator": str(authenticator.pk)}
    request = AsyncRequestFactory().post("/", b"{}", content_type="application/json", headers=named)
    assert await sync_to_async(admit)(request)
    assert await principal_of(request.scope)  # the stream it is answered with looks again too
    await Authenticator.objects.filter(pk=authenticator.pk).aupdate(enabled=False)
    with pytest.raises(Unauthenticated):
        await principal_of(opened)
