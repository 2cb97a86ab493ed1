from html.parser import HTMLParser

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core import mail
from django.core.checks import run_checks
from django.test import Client

from chatcore.accounts.checks import peppers_are_strong, sign_up_is_known
from chatcore.accounts.models import Membership, User
from tests.accounts.doors import AUTH, post_json
from tests.accounts.factories import PASSWORD, make_member

pytestmark = pytest.mark.django_db


class Markup(HTMLParser):
    """Collects what a strict Content-Security-Policy would not run or apply."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.refused: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "script" and "src" not in given and given.get("type") != "application/json":
            self.refused.append("inline script")
        if tag == "style":
            self.refused.append("inline style sheet")
        self.refused += [name for name in given if name.startswith("on") or name == "style"]


def test_the_sign_in_page_signs_in(client):
    user = make_member(password=PASSWORD)
    page = client.get("/accounts/login/?next=/page/hello/")
    assert page.status_code == 200
    form = {"login": user.email.upper(), "password": PASSWORD, "next": "/page/hello/"}
    answer = client.post("/accounts/login/", form, follow=True)
    assert answer.redirect_chain == [("/page/hello/", 302)]
    assert answer.content.decode() == f"{user} hello"


def test_a_wrong_password_says_so_without_saying_who_exists(client):
    user = make_member(password=PASSWORD)
    texts = set()
    for login in (user.email, "nobody@example.com"):
        page = client.post("/accounts/login/", {"login": login, "password": "wrong-password"})
        assert page.status_code == 200
        texts.add(str(page.context["form"].errors))
    assert len(texts) == 1
    assert "_auth_user_id" not in client.session


def test_a_switched_off_account_is_told_so(client):
    user = make_member(password=PASSWORD, is_active=False)
    page = client.post("/accounts/login/", {"login": user.email, "password": PASSWORD}, follow=True)
    assert page.status_code == 200
    assert "_auth_user_id" not in client.session


def test_signing_out(client):
    client.force_login(make_member())
    assert client.get("/accounts/logout/").status_code == 200
    assert client.post("/accounts/logout/")["Location"] == "/accounts/login/"
    assert "_auth_user_id" not in client.session


def test_open_sign_up_gives_a_workspace_of_one_s_own(client, settings):
    settings.SIGN_UP = "open"
    form = {"email": "Ada.Lovelace@Example.com", "password1": PASSWORD}
    answer = client.post("/accounts/signup/", form)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    user = User.objects.get()
    membership = Membership.objects.get()
    assert user.email == "ada.lovelace@example.com"
    assert (membership.user, membership.role) == (user, "owner")
    assert client.get("/api/v1/drf/").json()["workspace"] == str(membership.workspace_id)


def test_open_sign_up_works_for_api_clients(settings):
    settings.SIGN_UP = "open"
    answer = post_json(Client(), f"{AUTH}/auth/signup", {"email": "a@example.com", "password": PASSWORD})
    assert answer.status_code == 200
    assert Membership.objects.get().user.email == "a@example.com"


def test_closed_sign_up_makes_no_account_at_any_door(client):
    form = {"email": "a@example.com", "password1": PASSWORD}
    assert "closed" in client.get("/accounts/signup/").content.decode()
    client.post("/accounts/signup/", form)
    answer = post_json(Client(), f"{AUTH}/auth/signup", {"email": "a@example.com", "password": PASSWORD})
    assert answer.status_code == 403
    assert not User.objects.exists()


def test_the_sign_in_page_offers_an_account_only_when_it_may(client, settings):
    assert "/accounts/signup/" not in client.get("/accounts/login/").content.decode()
    settings.SIGN_UP = "open"
    assert "/accounts/signup/" in client.get("/accounts/login/").content.decode()


def test_two_accounts_cannot_differ_in_case_only(client, settings):
    settings.SIGN_UP = "open"
    make_member(email="ada@example.com")
    client.post("/accounts/signup/", {"email": "ADA@example.com", "password1": PASSWORD})
    assert User.objects.count() == 1


@pytest.mark.parametrize("value", ["invited", "", "Open"])
def test_another_way_of_sign_up_stops_the_start(value, settings):
    settings.SIGN_UP = value
    assert [problem.id for problem in sign_up_is_known(None)] == ["accounts.E001"]


@pytest.mark.parametrize("peppers", [{}, {1: "short"}, {1: "11" * 32, 2: "zz" * 32}])
def test_a_weak_pepper_stops_the_start(peppers, settings):
    settings.KEY_PEPPERS = peppers
    assert [problem.id for problem in peppers_are_strong(None)] == ["accounts.E002"]


def test_the_settings_as_shipped_pass():
    assert sign_up_is_known(None) + peppers_are_strong(None) == []
    assert [problem for problem in run_checks() if problem.id.startswith("accounts.")] == []


@pytest.mark.parametrize(
    "path", ["login/", "signup/", "password/reset/", "password/reset/done/", "inactive/", "confirm-email/"]
)
def test_the_pages_before_sign_in_need_no_inline_script(client, path, settings):
    settings.SIGN_UP = "open"
    page = client.get(f"/accounts/{path}")
    assert page.status_code == 200
    assert Markup(page.content.decode()).refused == []


@pytest.mark.parametrize(
    "path",
    [
        "logout/",
        "email/",
        "password/change/",
        "reauthenticate/",
        "2fa/",
        "2fa/totp/activate/",
        "2fa/totp/deactivate/",
        "2fa/webauthn/",
        "2fa/webauthn/add/",
        "2fa/recovery-codes/",
        "2fa/recovery-codes/generate/",
    ],
)
def test_the_pages_of_one_s_account_need_no_inline_script(client, path):
    user = make_member(password=PASSWORD)
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    if path != "2fa/totp/activate/":
        TOTP.activate(user, generate_totp_secret())
        client.post("/accounts/2fa/recovery-codes/generate/")
    page = client.get(f"/accounts/{path}")
    assert page.status_code == 200
    assert "<main" in page.content.decode()
    assert Markup(page.content.decode()).refused == []


def test_a_forgotten_password_is_set_anew_by_mail(client):
    user = make_member(password=PASSWORD)
    client.post("/accounts/password/reset/", {"email": user.email})
    link = next(word for word in mail.outbox[0].body.split() if "/password/reset/key/" in word)
    page = client.get(link.partition("testserver")[2], follow=True)
    assert Markup(page.content.decode()).refused == []
    new = {"password1": "another-long-password", "password2": "another-long-password"}
    client.post(page.request["PATH_INFO"], new)
    user.refresh_from_db()
    assert user.check_password("another-long-password")
