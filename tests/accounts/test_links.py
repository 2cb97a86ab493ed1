from datetime import timedelta

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from chatcore.accounts import links
from tests.accounts.factories import PASSWORD, make_member
from tests.accounts.parallel import in_parallel

pytestmark = pytest.mark.django_db


def path_of(user, *, age: timedelta = timedelta()) -> str:
    """The link's path, as if it had been made `age` ago."""
    link = links.sign_in_link(user)
    token = link.rstrip("/").rpartition("/")[2]
    made = links._tokens._num_seconds(links._tokens._now() - age)
    aged = links._tokens._make_token_with_timestamp(user, made, settings.SECRET_KEY)
    return link.replace(token, aged).removeprefix(settings.PUBLIC_URL)


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_the_link_is_absolute():
    assert links.sign_in_link(make_member()).startswith(f"{settings.PUBLIC_URL}/welcome/")


def test_opening_the_page_spends_nothing(client):
    user = make_member()
    path = path_of(user)
    for _ in range(2):
        answer = client.get(path)
        assert answer.status_code == 200
        assert user.email in answer.content.decode()
        assert "no-store" in answer["Cache-Control"]
    assert not signed_in(client)


def test_the_button_signs_in_once(client):
    user = make_member()
    path = path_of(user)
    answer = client.post(path)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.get("/").content.decode() == user.email
    for again in (Client(), client):
        assert again.get(path).status_code == 404
        assert again.post(path).status_code == 404


def test_the_button_needs_the_page(client):
    path = path_of(make_member())
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(path).status_code == 403
    strict.get(path)
    token = strict.cookies["csrftoken"].value
    assert strict.post(path, {"csrfmiddlewaretoken": token}).status_code == 302


def test_a_second_use_within_the_same_second_is_refused():
    user = make_member(last_login=timezone.now())
    path = path_of(user)
    assert Client().post(path).status_code == 302
    assert Client().post(path).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_of_four_hands_at_once_one_is_signed_in():
    path = path_of(make_member())
    statuses = in_parallel(4, lambda: Client().post(path).status_code)
    assert sorted(statuses) == [302, 404, 404, 404]


def test_the_link_lives_a_day(client):
    user = make_member()
    assert client.get(path_of(user, age=timedelta(hours=23))).status_code == 200
    assert client.get(path_of(user, age=timedelta(hours=25))).status_code == 404
    assert client.post(path_of(user, age=timedelta(hours=25))).status_code == 404


def test_a_forged_link_is_refused(client):
    user, other = make_member(), make_member()
    path = path_of(user)
    for forged in (path.replace(str(user.pk), str(other.pk)), path[:-2] + "/", path.replace("-", "", 5)):
        assert client.get(forged).status_code == 404


def test_what_changes_the_account_ends_the_link(client):
    password, sign_in, switched_off = make_member(), make_member(), make_member()
    paths = [path_of(user) for user in (password, sign_in, switched_off)]
    password.set_password(PASSWORD)
    password.save()
    Client().force_login(sign_in)
    switched_off.is_active = False
    switched_off.save()
    assert [client.post(path).status_code for path in paths] == [404, 404, 404]


def test_a_second_factor_still_stands_before_the_session(client):
    user = make_member()
    TOTP.activate(user, generate_totp_secret())
    answer = client.post(path_of(user))
    assert answer["Location"].startswith("/accounts/2fa/authenticate/")
    assert not signed_in(client)


def test_who_has_no_password_is_told_to_set_one(client):
    def told(user) -> str:
        return " ".join(str(message) for message in get_messages(client.post(path_of(user)).wsgi_request))

    assert "Set a password" in told(make_member())
    assert client.get("/accounts/password/set/").status_code == 200
    assert "Set a password" not in told(make_member(password=PASSWORD))
