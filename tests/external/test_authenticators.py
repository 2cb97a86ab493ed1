"""Ways in besides keys: signed requests, tokens of others, classes of one's own; and every forgery we know of."""

import base64
import json
import time
import tomllib
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient, Client
from django.utils import timezone
from pytest_django import Settings
from standardwebhooks.webhooks import Webhook

from chatcore.accounts.channels import principal_of
from chatcore.accounts.models import Integration, Membership
from chatcore.errors import Unauthenticated
from external.authenticators import kinds
from external.authenticators.identifying import identify
from external.models import Authenticator, KeySet, UsedProof
from tests.accounts.factories import make_integration, make_key_text, make_member, make_workspace
from tests.api import key_client, make_client, problem_of, send, session_client
from tests.external.identity_provider import (
    AUDIENCE,
    ISSUER,
    IdentityProvider,
    ec_key,
    forged_token,
    identity_provider,
    make_token,
    public_pem,
    published,
    rsa_key,
)
from tests.factories import make_principal

ROOT = Path(__file__).parents[2]
AUTHENTICATORS = "/api/v1/authenticators/"
DRF, NINJA = "/api/v1/drf/", "/api/v1/ninja"
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER_SECRET = "whsec_" + base64.b64encode(bytes(range(32, 64))).decode()
probed = pytest.mark.urls("tests.accounts.urls")
pytestmark = pytest.mark.django_db


@pytest.fixture
def provider(settings: Settings) -> Iterator[IdentityProvider]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1:*"]
    with identity_provider() as found:
        yield found


def make_authenticator(kind: str = "signature", **fields: Any) -> Authenticator:
    """Of a new integration that acts for a new owner, unless one is given."""
    owner = fields.pop("integration", None) or make_integration(acts_as=make_member(role="owner"))
    fields = {"secret": SECRET if kind == "signature" else ""} | fields
    made: Authenticator = Authenticator.objects.create(
        integration=owner, kind=kind, name=uuid.uuid4().hex, **fields
    )
    return made


def make_jwt_authenticator(provider: IdentityProvider, **changes: Any) -> Authenticator:
    fields = {"integration": changes.pop("integration", None)}
    options = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": provider.url} | changes
    return make_authenticator("jwt", options=options, **fields)


def ask(
    authenticator: Authenticator,
    *,
    method: str = "POST",
    body: bytes = b"{}",
    door: str = DRF,
    **headers: str,
) -> Any:
    """`_` in a header's name stands for `-`."""
    named = {"X-Authenticator": str(authenticator.pk)}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    return make_client().generic(method, door, body, content_type="application/json", headers=named)


def signed(body: bytes = b"{}", *, secret: str = SECRET, at: float = 0, name: str = "") -> dict[str, str]:
    """The headers of a signed request, made by a library that is not ours; `at` is seconds from now."""
    name, moment = name or f"msg_{uuid.uuid4().hex}", datetime.fromtimestamp(int(time.time() + at), UTC)
    mark = Webhook(secret).sign(name, moment, body.decode())
    return {
        "webhook_id": name,
        "webhook_timestamp": str(int(moment.timestamp())),
        "webhook_signature": mark,
    }


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


# --- Signed requests -----------------------------------------------------------------------------------------------


@probed
@pytest.mark.parametrize("door", [DRF, NINJA])
def test_a_signed_request_is_the_integration_s(door: str) -> None:
    authenticator = make_authenticator()
    integration = authenticator.integration
    answer = ask(authenticator, door=door, **signed())
    assert answer.status_code == 200, answer.content
    assert answer.json() == {
        "user": integration.acts_as.email,
        "workspace": str(integration.workspace_id),
        "credential": "proof",
    }
    authenticator.refresh_from_db()
    assert authenticator.last_used_at is not None


FORGED: dict[str, Callable[[], dict[str, str]]] = {
    "without a signature": lambda: {**signed(), "webhook_signature": ""},
    "of another body": lambda: signed(b'{"a": 1}'),
    "with another secret": lambda: signed(secret=OTHER_SECRET),
    "too late": lambda: signed(at=-310),
    "too early": lambda: signed(at=310),
    "with another time": lambda: {**signed(), "webhook_timestamp": str(int(time.time()) + 1)},
    "with another id": lambda: {**signed(), "webhook_id": "msg_other"},
    "with a point in its id": lambda: signed(name="msg.1"),
    "without an id": lambda: {**signed(), "webhook_id": ""},
    "at no time": lambda: {**signed(), "webhook_timestamp": "²"},
    "at an endless time": lambda: {**signed(), "webhook_timestamp": "9" * 400},
    "by another method": lambda: {
        **signed(),
        "webhook_signature": signed()["webhook_signature"].replace("v1,", "v2,"),
    },
    "with many signatures": lambda: {
        **signed(),
        "webhook_signature": "v1,x " * 1000 + signed()["webhook_signature"],
    },
    "with strange letters": lambda: {**signed(), "webhook_signature": "v1,ü"},
    "beside a token": lambda: {**signed(), "authorization": "Bearer x.y.z"},
    "beside a key": lambda: {**signed(), "x_api_key": make_key_text()},
    "with nothing": dict,
}


@probed
def test_a_request_that_is_not_so_signed_is_nobody_s() -> None:
    authenticator = make_authenticator()
    statuses = {kind: ask(authenticator, **forge()).status_code for kind, forge in FORGED.items()}
    assert statuses == dict.fromkeys(FORGED, 401)
    assert not UsedProof.objects.exists()  # or a forger could use up the ids of others


@probed
def test_of_several_signatures_one_must_hold() -> None:
    headers = signed()
    headers["webhook_signature"] = f"v1,AAAA v1a,x {headers['webhook_signature']}"
    assert ask(make_authenticator(), **headers).status_code == 200


@probed
def test_a_request_is_good_once_for_its_authenticator() -> None:
    authenticator, other = make_authenticator(), make_authenticator()
    headers = signed()
    assert ask(authenticator, **headers).status_code == 200
    problem_of(ask(authenticator, **headers), 401)
    problem_of(ask(authenticator, door=NINJA, **headers), 401)
    assert ask(other, **headers).status_code == 200  # the same secret, but another's ids


@probed
def test_what_is_remembered_of_requests_is_forgotten_in_time() -> None:
    authenticator = make_authenticator()
    ask(authenticator, **signed())
    UsedProof.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    ask(authenticator, **signed())
    assert UsedProof.objects.count() == 1


# --- Who is let in at all ------------------------------------------------------------------------------------------


def _disable(integration: Integration) -> None:
    Integration.objects.filter(pk=integration.pk).update(enabled=False)


def _suspend(integration: Integration) -> None:
    assert integration.acts_as
    integration.acts_as.is_active = False
    integration.acts_as.save()


def _leave(integration: Integration) -> None:
    Membership.objects.filter(user=integration.acts_as).delete()


@probed
@pytest.mark.parametrize("end", [_disable, _suspend, _leave])
def test_nobody_comes_in_for_an_integration_or_a_user_that_is_out(end: Callable[[Integration], None]) -> None:
    authenticator = make_authenticator()
    assert ask(authenticator, **signed()).status_code == 200
    end(authenticator.integration)
    problem_of(ask(authenticator, **signed()), 401)


@probed
def test_a_disabled_an_unreadable_and_an_unknown_authenticator_are_refused_alike() -> None:
    good, disabled = make_authenticator(), make_authenticator(enabled=False)
    broken, strange = make_authenticator(secret="x"), make_authenticator("nothing")
    absent = Authenticator(pk=uuid.uuid4())
    answers = [problem_of(ask(each, **signed()), 401) for each in (disabled, broken, strange, absent)]
    answers.append(problem_of(make_client().get(DRF, headers={"X-Authenticator": "\x00"}), 401))
    assert len({json.dumps(answer | {"instance": ""}) for answer in answers}) == 1
    problem_of(ask(good, **signed(), x_workspace=str(make_workspace().pk)), 404)
    assert ask(good, **signed(), x_workspace=str(good.integration.workspace_id)).status_code == 200


def test_the_right_is_what_integration_and_user_may_together() -> None:
    guest = make_member(role="guest")
    integration = make_integration(acts_as=guest, grants=("messages:write", "integrations:manage"))
    headers = {name.replace("_", "-"): value for name, value in signed().items()}
    principal = identify(
        {"x-authenticator": str(make_authenticator(integration=integration).pk), **headers}, b"{}"
    )
    assert principal is not None
    assert principal.may("messages:write")
    assert not principal.may("messages:read")  # not granted
    assert not principal.may("integrations:manage")  # not a guest's


def test_an_integration_that_acts_for_nobody_may_what_it_is_granted() -> None:
    integration = make_integration(make_workspace(), grants=("messages:write",))
    headers = {name.replace("_", "-"): value for name, value in signed().items()}
    principal = identify(
        {"x-authenticator": str(make_authenticator(integration=integration).pk), **headers}, b"{}"
    )
    assert principal is not None
    assert (principal.user, principal.may("messages:write"), principal.may("messages:read")) == (
        None,
        True,
        False,
    )


# --- Tokens of others ----------------------------------------------------------------------------------------------


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
@pytest.mark.django_db(transaction=True)
async def test_asynchronous_and_live_doors_take_tokens_and_no_proof_that_is_good_once(
    provider: IdentityProvider,
) -> None:
    authenticator = await sync_to_async(make_jwt_authenticator)(provider)
    named = {"X-Authenticator": str(authenticator.pk)}
    answer = await AsyncClient().get(NINJA, headers=named | {"Authorization": f"Bearer {make_token()}"})
    assert answer.status_code == 200, answer.content

    def scope(**headers: str) -> dict[str, Any]:
        pairs = {"x-authenticator": str(authenticator.pk)} | headers
        return {
            "type": "websocket",
            "headers": [(name.encode(), value.encode()) for name, value in pairs.items()],
        }

    for _ in range(2):  # they look again while they are open
        principal = await principal_of(scope(authorization=f"Bearer {make_token()}"))
        assert principal is not None
        assert principal.integration == authenticator.integration
    with pytest.raises(Unauthenticated):
        await principal_of(scope(authorization="Bearer x"))
    authenticator = await sync_to_async(make_authenticator)()
    with pytest.raises(Unauthenticated):
        await principal_of(scope(**{name.replace("_", "-"): value for name, value in signed(b"").items()}))


# --- Looking after them --------------------------------------------------------------------------------------------


def test_a_secret_goes_in_and_never_comes_out() -> None:
    owner = make_principal()
    client = session_client(owner)
    integration = make_integration(owner.workspace, acts_as=owner.user)
    body = {"integration": str(integration.pk), "name": "Signed", "kind": "signature", "secret": SECRET}
    made = send(client, "POST", AUTHENTICATORS, body)
    assert (made.status_code, made.json()["has_secret"]) == (201, True)
    address = made["Location"]
    changed = send(client, "PATCH", address, {"secret": OTHER_SECRET})
    for answer in (made, changed, client.get(address), client.get(AUTHENTICATORS)):
        assert b"whsec_" not in answer.content
    authenticator = Authenticator.objects.get()
    assert authenticator.secret == OTHER_SECRET
    problem_of(send(client, "POST", AUTHENTICATORS, body), 409)
    assert client.get(AUTHENTICATORS, {"integration": str(uuid.uuid4())}).json()["results"] == []


GOOD = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": "https://id.example.com/keys"}


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"kind": "other"}, "/kind"),
        ({"kind": "signature"}, "/secret"),
        ({"kind": "signature", "secret": "whsec_c2hvcnQ="}, "/secret"),
        ({"kind": "signature", "secret": SECRET.removeprefix("whsec_")}, "/secret"),
        ({"kind": "jwt"}, "/options"),
        ({"kind": "jwt", "options": GOOD | {"algorithms": ["HS256"]}}, "/options"),
        ({"kind": "jwt", "options": GOOD | {"algorithms": ["none"]}}, "/options"),
        ({"kind": "jwt", "options": GOOD | {"algorithms": [[]]}}, "/options"),
        ({"kind": "jwt", "options": GOOD | {"algorithms": []}}, "/options"),
        ({"kind": "jwt", "options": GOOD | {"jwks_url": "https://169.254.169.254/keys"}}, "/options"),
        ({"kind": "jwt", "options": GOOD | {"jwks_url": "file:///keys"}}, "/options"),
        ({"kind": "jwt", "options": GOOD | {"once": "yes"}}, "/options"),
        ({"kind": "jwt", "options": GOOD | {"user": "admin"}}, "/options"),
        ({"kind": "jwt", "options": GOOD | {"audiences": "x"}}, "/options"),
        ({"kind": "jwt", "options": GOOD, "integration": str(uuid.uuid4())}, "/integration"),
        ({"kind": "jwt", "options": GOOD, "name": "\x00"}, "/name"),
    ],
)
def test_what_cannot_be_used_is_refused_where_it_is_wrong(fields: dict[str, Any], pointer: str) -> None:
    owner = make_principal()
    integration = make_integration(owner.workspace)
    body = {"integration": str(integration.pk), "name": "New"} | fields
    problem = problem_of(send(session_client(owner), "POST", AUTHENTICATORS, body), 422)
    assert problem["errors"][0]["pointer"] == pointer
    assert not Authenticator.objects.exists()


def test_an_integration_of_another_workspace_is_not_there() -> None:
    owner, other = make_principal(), make_authenticator()
    body = {"integration": str(other.integration_id), "name": "New", "kind": "signature", "secret": SECRET}
    problem_of(send(session_client(owner), "POST", AUTHENTICATORS, body), 422)
    problem_of(session_client(owner).get(f"{AUTHENTICATORS}{other.pk}/"), 404)


def test_nobody_makes_a_way_in_to_more_than_they_may_themselves() -> None:
    owner = make_principal()
    weak = key_client(owner, "integrations:manage", "messages:write")
    for grants, status in ((("messages:write",), 201), (("messages:read",), 403), (("*:*",), 403)):
        integration = make_integration(owner.workspace, grants=grants)
        body = {"integration": str(integration.pk), "name": "New", "kind": "signature", "secret": SECRET}
        assert send(weak, "POST", AUTHENTICATORS, body).status_code == status
    strong = make_authenticator(integration=make_integration(owner.workspace, acts_as=owner.user))
    problem_of(send(weak, "PATCH", f"{AUTHENTICATORS}{strong.pk}/", {"secret": OTHER_SECRET}), 403)


def test_an_integration_has_at_most_ten() -> None:
    owner = make_principal()
    integration = make_integration(owner.workspace)
    for _ in range(10):
        make_authenticator(integration=integration)
    body = {"integration": str(integration.pk), "name": "New", "kind": "signature", "secret": SECRET}
    problem = problem_of(send(session_client(owner), "POST", AUTHENTICATORS, body), 409)
    assert problem["code"] == "too_many_authenticators"


def test_keys_fetched_for_other_options_are_forgotten(settings: Settings) -> None:
    owner = make_principal()
    integration = make_integration(owner.workspace)
    authenticator = make_authenticator("jwt", integration=integration, options=GOOD)
    KeySet.objects.create(authenticator=authenticator, keys=[published(ec_key(), "first")])
    address = f"{AUTHENTICATORS}{authenticator.pk}/"
    assert send(session_client(owner), "PATCH", address, {"name": "Other"}).status_code == 200
    assert KeySet.objects.exists()
    moved = GOOD | {"jwks_url": "https://id.example.net/keys"}
    assert send(session_client(owner), "PATCH", address, {"options": moved}).status_code == 200
    assert not KeySet.objects.exists()


def test_staff_make_and_change_them_without_seeing_a_secret(admin_client: Client) -> None:
    integration = make_integration()
    page = "/admin/external/authenticator/"
    fields = {"integration": str(integration.pk), "name": "Signed", "kind": "signature", "options": "{}"}
    refused = admin_client.post(f"{page}add/", fields)
    assert "its secret must be whsec_" in refused.content.decode()
    assert (
        admin_client.post(f"{page}add/", fields | {"new_secret": SECRET, "enabled": "on"}).status_code == 302
    )
    made = Authenticator.objects.get()
    assert (made.secret, made.enabled) == (SECRET, True)
    change = admin_client.get(f"{page}{made.pk}/change/")
    assert change.status_code == 200
    assert SECRET not in change.content.decode()
    assert admin_client.post(f"{page}{made.pk}/change/", fields).status_code == 302
    made.refresh_from_db()
    assert (made.secret, made.enabled) == (SECRET, False)
    assert admin_client.get(page, {"q": "Signed"}).status_code == 200


# --- A class of one's own -------------------------------------------------------------------------------------------


@pytest.fixture
def ticket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example as an installer would leave it: its folder on the path, and what pyproject.toml says beside it."""
    example = ROOT / "examples" / "authenticator"
    project = tomllib.loads((example / "pyproject.toml").read_text())["project"]
    info = tmp_path / "chatcore_ticket_authenticator-1.0.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1.0.0\n")
    points = project["entry-points"][kinds.ENTRY_POINTS]
    lines = [f"{name} = {place}" for name, place in points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{kinds.ENTRY_POINTS}]", *lines, ""]))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(example))
    kinds._installed.cache_clear()
    yield
    kinds._installed.cache_clear()


@probed
@pytest.mark.usefixtures("ticket")
def test_a_class_of_an_installed_package_is_a_kind() -> None:
    import hashlib
    import hmac

    secret = "a secret of at least thirty-two characters"
    authenticator = make_authenticator("ticket", secret=secret)
    member = make_member(authenticator.integration.workspace)
    text = f"{member.email} {int(time.time()) + 60}"
    mark = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    assert ask(authenticator, x_ticket=f"{text} {mark}").json()["user"] == member.email
    problem_of(ask(authenticator, x_ticket=f"{text} {mark[::-1]}"), 401)
    problem_of(ask(authenticator), 401)
