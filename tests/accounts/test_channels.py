import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client

from chatcore.accounts import keys
from chatcore.accounts.channels import ForeignOrigin, credentials_of, principal_of
from chatcore.accounts.principals import AddressNotAllowed
from chatcore.errors import TooMany, Unauthenticated
from tests.accounts.factories import make_integration, make_key_text, make_member

pytestmark = pytest.mark.django_db(transaction=True)


def make_scope(**headers: str) -> dict:
    """As an ASGI server hands it over; `_` in a name stands for `-`."""
    named = {"host": "testserver"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return {"type": "websocket", "headers": [(n.encode(), v.encode("latin-1")) for n, v in named.items()]}


def signed_in(user) -> str:
    """The Cookie header of a browser in which this user is signed in."""
    client = Client()
    client.force_login(user)
    return f"theme=dark; {settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


@pytest.fixture
def user():
    return make_member()


@pytest.fixture
def cookie(user):
    return signed_in(user)


async def test_without_credentials_it_is_nobody():
    assert await principal_of(make_scope()) is None
    assert await principal_of(make_scope(cookie="sessionid=0123456789abcdef0123456789abcdef")) is None
    assert await principal_of(make_scope(cookie="sessionid=x; =; ;")) is None


async def test_a_key_is_known_by_either_header(user):
    text = await sync_to_async(make_key_text)(user)
    for headers in ({"authorization": f"Bearer {text}"}, {"x_api_key": text}):
        principal = await principal_of(make_scope(**headers, origin="https://elsewhere.example"))
        assert (principal.user, principal.credential) == (user, "key")


async def test_a_bad_key_is_refused_also_beside_a_session(cookie):
    with pytest.raises(Unauthenticated):
        await principal_of(make_scope(cookie=cookie, x_api_key="cc_live_wrong"))


async def test_a_session_is_known_by_its_cookie(user, cookie):
    principal = await principal_of(make_scope(cookie=cookie))
    assert (principal.user, principal.credential) == (user, "session")


@pytest.mark.parametrize(
    "origin", ["http://testserver", "http://TESTSERVER", "https://app.example", settings.PUBLIC_URL]
)
async def test_pages_of_this_site_may_open_streams(cookie, origin, settings):
    settings.CSRF_TRUSTED_ORIGINS = ["https://app.example"]
    assert await principal_of(make_scope(cookie=cookie, origin=origin))


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "",
        "http://testserver:8001",
        "http://testserver.evil.example",
        "testserver",
    ],
)
async def test_a_page_of_another_site_may_not(cookie, origin):
    with pytest.raises(ForeignOrigin):
        await principal_of(make_scope(cookie=cookie, origin=origin))


async def test_a_host_that_is_not_ours_makes_no_origin_good(cookie):
    """As after DNS rebinding: both headers name the attacker's host, which resolves to this machine."""
    with pytest.raises(ForeignOrigin):
        await principal_of(make_scope(cookie=cookie, host="evil.example", origin="http://evil.example"))


async def test_a_session_ends_with_the_password(user, cookie):
    user.set_password("another-long-password")
    await user.asave()
    assert await principal_of(make_scope(cookie=cookie)) is None


async def test_a_session_ends_with_the_account(user, cookie):
    user.is_active = False
    await user.asave()
    assert await principal_of(make_scope(cookie=cookie)) is None


async def test_a_session_signed_with_a_former_secret_stays_as_it_is(user, cookie, settings):
    """Django's own lookup gives such a session a new key, whose cookie the browser would never get."""
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "a new secret"
    assert await principal_of(make_scope(cookie=cookie))
    assert await principal_of(make_scope(cookie=cookie))
    settings.SECRET_KEY_FALLBACKS = []
    assert await principal_of(make_scope(cookie=cookie)) is None


async def test_a_session_without_a_hash_is_nobody(cookie):
    session = SessionStore(cookie.rpartition("=")[2])
    await session.aget(HASH_SESSION_KEY)
    del session[HASH_SESSION_KEY]
    await session.asave()
    assert await principal_of(make_scope(cookie=cookie)) is None


async def test_a_key_opens_from_its_networks_only(settings):
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    integration = await sync_to_async(make_integration)(allowed_addresses=["192.0.2.0/24"])
    _, text = await sync_to_async(keys.mint)(integration)
    inside = make_scope(x_api_key=text) | {"client": ("192.0.2.7", 4711)}
    behind = make_scope(x_api_key=text, x_forwarded_for="192.0.2.7") | {"client": ("10.0.0.1", 4711)}
    elsewhere = make_scope(x_api_key=text, x_forwarded_for="192.0.2.7") | {"client": ("192.168.0.1", 4711)}
    for scope in (inside, behind):
        assert (await principal_of(scope)).integration == integration
    assert credentials_of(inside) != credentials_of(elsewhere)
    with pytest.raises(AddressNotAllowed):
        await principal_of(elsewhere)


async def test_guesses_at_keys_run_out_for_an_address(settings):
    settings.RATE_LIMIT_ADDRESS = 1
    guess = make_scope(x_api_key="cc_live_guess") | {"client": ("192.0.2.7", 4711)}
    with pytest.raises(Unauthenticated):
        await principal_of(guess)
    with pytest.raises(TooMany):
        await principal_of(guess)
