import base64
import json
import time

import jwt
import pytest
from allauth.headless.tokens.strategies.jwt import internal
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from cryptography.hazmat.primitives import serialization
from django.conf import settings
from django.test import Client

from chatcore.accounts.tokens import AUDIENCE, issuer, user_of_token
from tests.accounts.doors import AUTH, bearer, opens, post_json, sign_in, tokens_of
from tests.accounts.factories import PASSWORD, make_member
from tests.accounts.parallel import in_parallel

pytestmark = pytest.mark.django_db


@pytest.fixture
def user():
    return make_member(password=PASSWORD)


def claims_of(token: str) -> dict:
    return jwt.decode(token, options={"verify_signature": False})


def signed(claims: dict, key: str | None = None, algorithm: str = "RS256") -> str:
    return jwt.encode(claims, key or settings.HEADLESS_JWT_PRIVATE_KEY, algorithm=algorithm)


def refresh(token: str) -> Client:
    return post_json(Client(), f"{AUTH}/tokens/refresh", {"refresh_token": token})


def test_an_access_token_says_who_made_it_for_whom(user):
    claims = claims_of(tokens_of(user.email)["access_token"])
    assert (claims["iss"], claims["aud"], claims["sub"]) == (issuer(), AUDIENCE, str(user.pk))
    assert claims["exp"] - claims["iat"] == 300


def test_its_user_is_found(user, django_assert_num_queries):
    token = tokens_of(user.email)["access_token"]
    with django_assert_num_queries(2):
        found = user_of_token(token)
    assert found is not None
    assert found[0] == user


def test_a_wrong_password_gives_no_token(user):
    answer = sign_in(Client(), user.email, "another-password")
    assert answer.status_code == 400
    assert "access_token" not in answer.content.decode()


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "another-service"},
        {"iss": "https://elsewhere.example"},
        {"aud": None},
        {"iss": None},
        {"exp": None},
        {"exp": 1},
        {"token_use": "refresh"},
        {"sid": "bm90IGEgc2Vzc2lvbiBvZiBvdXJz"},
        {"sub": "0190a7c2-0000-7000-8000-000000000000"},
    ],
    ids=str,
)
def test_a_claim_that_is_not_ours_is_refused_even_when_signed_with_our_key(user, change):
    claims = claims_of(tokens_of(user.email)["access_token"])
    changed = {name: value for name, value in (claims | change).items() if value is not None}
    assert opens(signed(claims))
    assert not opens(signed(changed))


def test_the_algorithm_cannot_be_chosen_by_the_sender(user):
    claims = claims_of(tokens_of(user.email)["access_token"])
    private = serialization.load_pem_private_key(settings.HEADLESS_JWT_PRIVATE_KEY.encode(), None)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=")
    hmac_key = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = base64.urlsafe_b64encode(hmac_key.sign(header + b"." + payload, public)).rstrip(b"=")
    assert not opens(b".".join((header, payload, signature)).decode())
    assert not opens(jwt.encode(claims, "", algorithm="none"))
    assert not opens(signed(claims, settings.SECRET_KEY, "HS256"))


@pytest.mark.parametrize("text", ["x", "a.b.c", "é.é.é", "[" * 9000])
def test_nonsense_is_refused(text):
    assert user_of_token(text) is None


def test_a_deeply_nested_header_is_refused():
    header = base64.urlsafe_b64encode(b"[" * 5000).decode().rstrip("=")
    assert user_of_token(f"{header}.e30.e30") is None
    assert not opens(f"{header}.e30.e30")
    assert refresh(f"{header}.e30.e30").status_code == 400


def test_a_refresh_token_opens_nothing_and_an_access_token_refreshes_nothing(user):
    tokens = tokens_of(user.email)
    assert not opens(tokens["refresh_token"])
    assert refresh(tokens["access_token"]).status_code == 400


def test_a_refresh_token_is_good_once(user):
    tokens = tokens_of(user.email)
    first = refresh(tokens["refresh_token"])
    assert first.status_code == 200
    assert opens(first.json()["data"]["access_token"])
    assert refresh(tokens["refresh_token"]).status_code == 400
    assert refresh(first.json()["data"]["refresh_token"]).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_eight_refreshes_at_once_with_one_token_one_succeeds(user):
    token = tokens_of(user.email)["refresh_token"]
    for _ in range(4):
        answers = in_parallel(8, lambda token=token: refresh(token))
        assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
        token = next(answer for answer in answers if answer.status_code == 200).json()["data"][
            "refresh_token"
        ]


def test_signing_out_ends_both_tokens_of_that_session_only(user):
    tokens, others = tokens_of(user.email), tokens_of(user.email)
    assert Client().delete(f"{AUTH}/auth/session", **bearer(tokens["access_token"])).status_code == 401
    assert not opens(tokens["access_token"])
    assert refresh(tokens["refresh_token"]).status_code == 400
    assert opens(others["access_token"])


def test_a_new_password_ends_every_token(user):
    tokens = tokens_of(user.email)
    assert opens(tokens["access_token"])
    user.set_password("another-long-password")
    user.save()
    assert not opens(tokens["access_token"])
    assert refresh(tokens["refresh_token"]).status_code == 400


def test_a_switched_off_account_s_tokens_end(user):
    tokens = tokens_of(user.email)
    user.is_active = False
    user.save()
    assert not opens(tokens["access_token"])
    assert refresh(tokens["refresh_token"]).status_code == 400
    assert sign_in(Client(), user.email).status_code == 401


def test_another_service_s_token_does_not_open_the_account_pages(user):
    claims = claims_of(tokens_of(user.email)["access_token"])
    path = f"{AUTH}/account/authenticators"
    ours, theirs = signed(claims), signed(claims | {"aud": "another-service"})
    assert Client().get(path, **bearer(ours)).status_code == 200
    assert Client().get(path, **bearer(theirs)).status_code == 401


def test_a_second_factor_stands_before_the_tokens(user):
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    held = sign_in(Client(), user.email)
    assert held.status_code == 401
    assert "access_token" not in held.content.decode()
    session = {"headers": {"X-Session-Token": held.json()["meta"]["session_token"]}}
    path = f"{AUTH}/auth/2fa/authenticate"
    assert post_json(Client(), path, {"code": "000000"}, **session).status_code == 400
    code = format_hotp_value(hotp_value(secret, int(time.time()) // 30))
    passed = post_json(Client(), path, {"code": code}, **session)
    assert passed.status_code == 200
    assert opens(passed.json()["meta"]["access_token"])


def test_the_session_of_a_held_sign_in_is_nobody_s(user):
    TOTP.activate(user, generate_totp_secret())
    session_key = sign_in(Client(), user.email).json()["meta"]["session_token"]
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = session_key
    assert client.get("/api/v1/drf/").status_code == 401


def test_our_key_signs_no_token_of_the_wrong_kind(user):
    """The life of a refresh token stands in the session: one that was never handed out is refused."""
    claims = claims_of(tokens_of(user.email)["refresh_token"])
    assert internal.decode_token(signed(claims), "refresh")
    assert refresh(signed(claims | {"jti": "never-handed-out"})).status_code == 400
