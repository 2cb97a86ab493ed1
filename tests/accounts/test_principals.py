from datetime import timedelta
from itertools import product

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from chatcore.accounts import keys
from chatcore.accounts.models import Integration, Membership, User, Workspace
from chatcore.accounts.principals import NoWorkspace, Principal, asker, identify
from chatcore.errors import Forbidden, NotFound, Unauthenticated
from tests.accounts.factories import make_integration, make_key_text, make_member, make_user, make_workspace

WANTED = ("conversations:read", "messages:write", "models:use:gpt-5", "webhooks:manage")
MAY = {  # role of the acting user, grants of the key: what both allow
    ("owner", "*:*"): WANTED,
    ("owner", "messages:write"): ("messages:write",),
    ("owner", "models:use:gpt-*"): ("models:use:gpt-5",),
    ("member", "*:*"): WANTED[:3],
    ("member", "webhooks:manage"): (),
    ("guest", "conversations:*"): ("conversations:read",),
    ("", "webhooks:manage"): ("webhooks:manage",),
    ("", ""): (),
    ("stranger", "*:*"): (),
}


def make_principal(role: str, *grants: str) -> Principal:
    """Of a key; without a role it acts for nobody."""
    user = User(email="a@example.com") if role else None
    return Principal(user, Workspace(), Integration(), frozenset(grants), role, credential="key")


@pytest.mark.parametrize(("role", "grants"), MAY)
def test_a_key_may_what_its_grants_and_its_user_both_allow(role, grants):
    principal = make_principal(role, grants)
    assert tuple(grant for grant in WANTED if principal.may(grant)) == MAY[role, grants]


@pytest.mark.parametrize(
    ("grants", "models", "used"),
    [
        (("*:*",), None, ["gpt-5", "gpt-6"]),
        (("models:use:gpt-5",), None, ["gpt-5"]),
        (("*:*",), ["*-6"], ["gpt-6"]),
        (("models:use:gpt-5",), ["*-6"], []),
        (("models:read",), None, []),
    ],
)
def test_a_key_uses_models_that_its_grants_and_its_limits_both_allow(grants, models, used):
    principal = make_principal("", *grants)
    principal.integration.constraints = {} if models is None else {"models": models}
    assert [name for name in ("gpt-5", "gpt-6") if principal.may_use_model(name)] == used


@pytest.mark.parametrize("role", ["owner", "admin", "member", "guest"])
@pytest.mark.parametrize("credential", ["session", "token"])
@pytest.mark.django_db
def test_people_may_converse_in_every_role(role, credential):
    principal = identify(user=make_member(role=role))
    allowed = [
        f"{resource}:{action}"
        for resource, action in product(("conversations", "messages"), ("read", "write"))
        if principal.may(f"{resource}:{action}")
    ]
    assert len(allowed) == 4
    assert principal.may("replies:write")
    assert principal.may("models:use", "any-model:8b")
    assert principal.may("webhooks:manage") == (role in ("owner", "admin"))


def test_a_selector_may_come_apart_or_in_the_grant():
    principal = make_principal("owner", "models:use:llama3:8b")
    assert principal.may("models:use", "llama3:8b")
    assert principal.may("models:use:llama3:8b")
    assert not principal.may("models:use")
    assert not principal.may("")


def test_a_refusal_names_the_missing_grant():
    principal = make_principal("owner", "messages:read")
    principal.require("messages:read")
    with pytest.raises(Forbidden, match="models:use:gpt-5"):
        principal.require("models:use", "gpt-5")


def test_selectors_stop_where_the_user_s_rights_do():
    assert make_principal("owner", "conversations:read:a1").selectors("conversations:read") == {"a1"}
    assert make_principal("owner", "*:*").selectors("conversations:read") is None
    assert make_principal("stranger", "*:*").selectors("conversations:read") == frozenset()


@pytest.mark.django_db
class TestIdentify:
    def test_nobody_sent_anything(self):
        assert identify() is None
        assert identify(user=AnonymousUser(), session={}) is None
        assert identify(authorization="Basic dXNlcjpwYXNz") is None

    @pytest.mark.parametrize("header", ["authorization", "api_key"])
    def test_a_key_acts_for_its_user_in_its_workspace(self, header, django_assert_max_num_queries):
        owner = make_member(role="owner")
        integration = make_integration(acts_as=owner, grants=("messages:write",))
        key, text = keys.mint(integration)
        with django_assert_max_num_queries(2):
            principal = identify(**{header: f"Bearer {text}" if header == "authorization" else text})
        assert principal.user == owner
        assert principal.workspace == owner.memberships.get().workspace
        assert (principal.integration, principal.key_id) == (integration, key.pk)
        assert (principal.role, principal.grants) == ("owner", {"messages:write"})
        assert principal.credential == "key"

    def test_the_scheme_is_read_in_any_case(self):
        text = make_key_text()
        assert identify(authorization=f"bearer  {text} ")

    def test_every_trouble_with_a_key_reads_the_same(self):
        texts = {"": "", "malformed": "cc_live_x", "other": "cc_test_1", "typo": f"{make_key_text()[:-1]}-"}
        for name in ("unknown", "revoked", "expired", "disabled"):
            integration = make_integration()
            key, texts[name] = keys.mint(integration)
            if name == "unknown":
                key.delete()
            elif name == "revoked":
                keys.revoke(key)
            elif name == "expired":
                key.expires_at = timezone.now() - timedelta(seconds=1)
                key.save()
            else:
                integration.enabled = False
                integration.save()
        bodies = set()
        for text in texts.values():
            with pytest.raises(Unauthenticated) as caught:
                identify(authorization=f"Bearer {text}")
            bodies.add(str(caught.value.problem()))
            with pytest.raises(Unauthenticated) as caught:
                identify(api_key=text)
            bodies.add(str(caught.value.problem()))
        assert len(bodies) == 1

    def test_two_keys_that_disagree_are_nobody(self):
        one, other = make_key_text(), make_key_text()
        assert identify(authorization=f"Bearer {one}", api_key=one)
        with pytest.raises(Unauthenticated):
            identify(authorization=f"Bearer {one}", api_key=other)

    def test_a_header_wins_over_the_session_a_browser_sends_along(self):
        owner, visitor = make_member(), make_member()
        principal = identify(api_key=make_key_text(owner), user=visitor, session={})
        assert principal.user == owner
        with pytest.raises(Unauthenticated):
            identify(api_key="cc_live_wrong", user=visitor, session={})

    def test_a_session_is_in_the_workspace_it_chose_while_a_member(self):
        user = make_member()
        first = user.memberships.get().workspace
        chosen, foreign = make_workspace(), make_workspace()
        Membership.objects.create(user=user, workspace=chosen, role="admin")
        for session, workspace in [
            ({}, first),
            ({"workspace": str(chosen.pk)}, chosen),
            ({"workspace": str(foreign.pk)}, first),
            ({"workspace": "nonsense"}, first),
        ]:
            assert identify(user=user, session=session).workspace == workspace
        assert identify(user=user, session={"workspace": str(chosen.pk)}).role == "admin"

    def test_a_person_costs_one_query(self, django_assert_num_queries):
        user = make_member()
        with django_assert_num_queries(1):
            identify(user=user, session={})

    def test_a_named_workspace_must_be_one_s_own(self):
        user, foreign = make_member(), make_workspace()
        own = user.memberships.get().workspace
        absent = "0190a7c2-0000-7000-8000-000000000000"
        text = make_key_text(user)
        assert identify(user=user, workspace=str(own.pk)).workspace == own
        assert identify(api_key=text, workspace=str(own.pk)).workspace == own
        bodies = set()
        for workspace in (str(foreign.pk), absent, "nonsense", ""):
            for credentials in ({"user": user}, {"api_key": text}):
                with pytest.raises(NotFound) as caught:
                    identify(**credentials, workspace=workspace)
                bodies.add(str(caught.value.problem()))
        assert len(bodies) == 1

    def test_without_any_workspace_there_is_nothing_to_do(self):
        with pytest.raises(NoWorkspace):
            identify(user=make_user(), session={})

    def test_a_switched_off_account_is_nobody(self):
        with pytest.raises(Unauthenticated):
            identify(user=make_member(is_active=False), session={})


@pytest.mark.django_db
class TestAsker:
    """Who asked earlier, by the ids that were kept."""

    def test_a_member_and_an_integration_come_back_with_the_rights_they_have_by_now(self):
        user = make_member(role="guest")
        workspace = user.memberships.get().workspace
        integration = make_integration(workspace, grants=("models:use:small",))
        person = asker(workspace.pk, user.pk, None)
        assert (person.user, person.workspace, person.role) == (user, workspace, "guest")
        assert person.grants == identify(user=user, session={}).grants
        outside = asker(workspace.pk, user.pk, integration.pk)
        assert (outside.integration, outside.grants) == (integration, {"models:use:small"})
        alone = asker(workspace.pk, None, integration.pk)
        assert (alone.user, alone.role) == (None, "")

    def test_nobody_comes_back_who_may_ask_no_more(self):
        user, away = make_member(), make_member(is_active=False)
        workspace = user.memberships.get().workspace
        integration = make_integration(workspace, enabled=False)
        assert asker(workspace.pk, None, None) is None
        assert asker(make_workspace().pk, user.pk, None) is None
        assert asker(away.memberships.get().workspace_id, away.pk, None) is None
        assert asker(workspace.pk, user.pk, integration.pk) is None
