import json
import subprocess
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from chatcore.accounts import keys
from chatcore.accounts.bootstrap import KeyNameTaken, ensure, first_run
from chatcore.accounts.models import Integration, Key, Membership, User, Workspace
from chatcore.accounts.principals import identify
from chatcore.llm.models import Model
from tests.accounts.factories import PASSWORD, make_user
from tests.accounts.parallel import in_parallel

pytestmark = pytest.mark.django_db
EMAIL = "ada@example.com"


@pytest.fixture(autouse=True)
def _no_providers_around(monkeypatch):
    """Neither keys in the environment nor an Ollama of the machine."""
    monkeypatch.setenv("CHATCORE_NO_DETECT", "true")


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("bootstrap", *arguments, stdout=out)
    return out.getvalue()


def full(*more: str) -> list[str]:
    return [
        "--email",
        EMAIL,
        "--password",
        PASSWORD,
        "--workspace",
        "Acme",
        "--key-name",
        "ci",
        "--json",
        *more,
    ]


def test_the_command_makes_everything_and_prints_it_as_json():
    made = json.loads(run(*full()))
    user, workspace = User.objects.get(), Workspace.objects.get()
    assert made["workspace"] == {"id": str(workspace.pk), "name": "Acme"}
    assert made["user"] == {"id": str(user.pk), "email": EMAIL}
    assert user.check_password(PASSWORD)
    principal = identify(api_key=made["key"])
    assert (principal.user, principal.workspace, principal.role) == (user, workspace, "owner")
    assert all(principal.may(grant) for grant in ("messages:write", "models:use", "webhooks:manage"))


def test_repeating_it_changes_nothing_and_shows_no_key():
    first, again = json.loads(run(*full())), json.loads(run(*full()))
    assert again == first | {"key": None}
    assert [model.objects.count() for model in (User, Workspace, Membership, Integration, Key)] == [1] * 5
    assert identify(api_key=first["key"])


def test_the_password_is_kept_unless_one_is_given():
    assert "key" not in run("--email", EMAIL, "--password", PASSWORD, "--workspace", "Acme")
    run("--email", EMAIL.upper(), "--workspace", "Acme")
    assert User.objects.get().check_password(PASSWORD)
    run("--email", EMAIL, "--password", "another-long-password", "--workspace", "Acme")
    assert User.objects.get().check_password("another-long-password")


def test_a_repeated_password_signs_nobody_out(client):
    ensure(EMAIL, PASSWORD, "Acme", None)
    client.force_login(User.objects.get())
    ensure(EMAIL, PASSWORD, "Acme", None)
    assert client.get("/api/v1/drf/").status_code == 200


def test_a_new_key_is_asked_for():
    first = json.loads(run(*full()))["key"]
    second = json.loads(run(*full("--new-key")))["key"]
    assert second != first
    assert keys.find(first)
    assert keys.find(second)


def test_a_revoked_key_is_not_made_anew_by_repeating():
    run(*full())
    keys.revoke(Key.objects.get())
    assert json.loads(run(*full()))["key"] is None
    assert keys.find(json.loads(run(*full("--new-key")))["key"])


def test_only_the_first_account_is_staff_by_itself():
    ensure(EMAIL, None, "Acme", None)
    ensure("second@example.com", None, "Acme", None)
    ensure("third@example.com", None, "Acme", None, staff=True)
    staff = User.objects.filter(is_staff=True, is_superuser=True).values_list("email", flat=True)
    assert set(staff) == {EMAIL, "third@example.com"}


def test_a_second_account_joins_the_workspace_as_a_member():
    ensure(EMAIL, None, "Acme", None)
    joined = ensure("second@example.com", None, "Acme", "bot")
    assert Workspace.objects.count() == 1
    assert Membership.objects.get(user=joined.user).role == "member"
    assert identify(api_key=joined.key_text).user == joined.user


def test_a_key_name_of_somebody_else_is_refused():
    ensure(EMAIL, None, "Acme", "ci")
    with pytest.raises(KeyNameTaken):
        ensure("second@example.com", None, "Acme", "ci")
    with pytest.raises(CommandError, match="acts for somebody else"):
        run("--email", "second@example.com", "--workspace", "Acme", "--key-name", "ci")
    assert not User.objects.filter(email="second@example.com").exists()


def test_an_address_that_is_none_is_refused():
    with pytest.raises(CommandError, match="valid email"):
        run("--email", "nonsense", "--workspace", "Acme")


def test_without_json_it_prints_lines():
    assert EMAIL in run("--email", EMAIL, "--workspace", "Acme", "--key-name", "ci")


def test_the_first_run_gives_a_link_and_a_key(client, settings, monkeypatch):
    monkeypatch.setenv("OWNER_EMAIL", "boss@example.com")
    first = first_run()
    assert first is not None
    assert (first.user.email, first.workspace.name) == ("boss@example.com", "Home")
    assert first.user.is_superuser
    assert not first.user.has_usable_password()
    assert identify(api_key=first.key_text).may("messages:write")
    assert client.post(first.sign_in_link.removeprefix(settings.PUBLIC_URL)).status_code == 302
    assert client.get("/").content.decode() == "boss@example.com"


def test_after_the_first_run_a_model_can_answer():
    first_run()
    assert Model.objects.filter(is_default=True).exists()


def test_until_somebody_has_signed_in_the_link_is_offered_again_without_a_key(settings):
    first = first_run()
    again = first_run()
    assert first is not None
    assert again is not None
    assert (again.user, again.workspace) == (first.user, first.workspace)
    assert (again.key_text, again.curl_example) == (None, None)
    assert Key.objects.count() == 1
    assert Client().post(again.sign_in_link.removeprefix(settings.PUBLIC_URL)).status_code == 302
    assert first_run() is None


def test_an_installation_made_by_the_command_has_no_first_run():
    run(*full())
    assert first_run() is None


def test_no_link_is_made_for_somebody_who_is_no_owner():
    make_user()
    assert first_run() is None


@pytest.mark.django_db(transaction=True)
def test_of_two_servers_starting_at_once_one_is_first():
    runs = in_parallel(4, first_run)
    assert sum(run is not None and run.key_text is not None for run in runs) == 1
    assert User.objects.count() == 1


def test_the_example_is_shell_with_the_fresh_key(settings):
    first = first_run()
    assert first is not None
    assert first.curl_example is not None
    assert first.key_text in first.curl_example
    assert f"{settings.PUBLIC_URL}/api/v1/conversations/" in first.curl_example
    checked = subprocess.run(
        ["sh", "-n"], input=first.curl_example, text=True, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")
