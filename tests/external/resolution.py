"""A workspace with the people of docs/users.md, and what is decided there, in its words."""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from allauth.headless.tokens.strategies.jwt import internal
from django.test import Client
from django.utils import timezone

from chatcore.accounts.models import Integration, User
from chatcore.accounts.principals import Principal
from chatcore.accounts.tokens import TokenStrategy
from chatcore.errors import ChatcoreError
from conversations.models import Conversation
from external.models import Identity
from external.resolving import IdentitySelector, Selectors, UserSelector, resolve
from tests.factories import make_conversation, make_principal, make_user

DOCUMENT = Path(__file__).parents[2] / "docs" / "users.md"
AXES = {
    "Acts as": ["nobody", "Bob", "an owner"],
    "Token": ["·", "Alice's"],
    "User": ["·", "Alice", "Bob", "Eve"],
    "Identity": ["·", "Alice's", "nobody's"],
    "Conversation": ["·", "Alice's", "Bob's", "Eve's"],
    "Rights": ["none", "any", "jwt", "identity", "guests"],
}
RIGHTS = {
    "none": (),
    "any": ("users:act_as:any",),
    "jwt": ("users:act_as:jwt",),
    "identity": ("users:act_as:identity",),
    "guests": ("users:act_as:identity", "users:provision"),
}
NUMBER, UNKNOWN = "+436601234567", "+436607654321"
Case = dict[str, str]


@dataclass(frozen=True)
class Rule:
    cells: dict[str, str]
    outcome: str

    def fits(self, case: Case) -> bool:
        return all(_fits(cell, case[name]) for name, cell in self.cells.items())


def _fits(cell: str, value: str) -> bool:
    if cell.startswith("not "):
        return value != cell[4:]
    return not cell or value in cell.split(", ")


def rules() -> list[Rule]:
    """The table of the document, from the top."""
    lines = DOCUMENT.read_text().split("## The whole table")[1].split("\n## ")[0].splitlines()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if re.match(r"\| ?\w?", line)
    ]
    header, _, *body = rows
    assert header == [*AXES, "Outcome"]
    return [Rule(dict(zip(AXES, row[:-1], strict=True)), row[-1]) for row in body]


def cases() -> Iterator[Case]:
    """Every combination. An integration that acts as Bob has the rights of a member: none of these."""
    for values in product(*AXES.values()):
        case = dict(zip(AXES, values, strict=True))
        if case["Acts as"] != "Bob" or case["Rights"] == "none":
            yield case


class People:
    """Alice and Bob, members, and an owner; Eve elsewhere. Alice's number is verified."""

    def __init__(self) -> None:
        self.owner = make_principal()
        self.workspace = self.owner.workspace
        self.alice = make_principal(make_user(email="alice@example.com"), self.workspace, "member")
        self.bob = make_principal(make_user(email="bob@example.com"), self.workspace, "member")
        self.eve = make_principal(make_user(email="eve@example.com"))
        self.talks = {
            "Alice's": make_conversation(self.alice, "Hello."),
            "Bob's": make_conversation(self.bob, "Hello."),
            "Eve's": make_conversation(self.eve, "Hello."),
        }
        for principal, value in ((self.alice, NUMBER), (self.eve, UNKNOWN)):
            self.verify(principal, "sms", value)

    @property
    def users(self) -> dict[str, User]:
        found = {"an owner": self.owner, "Alice": self.alice, "Bob": self.bob, "Eve": self.eve}
        return {name: user for name, principal in found.items() if (user := principal.user)}

    def verify(self, principal: Principal, channel: str, value: str) -> Identity:
        identity: Identity = Identity.objects.create(
            workspace=principal.workspace,
            user=principal.user,
            channel=channel,
            value=value,
            verified_at=timezone.now(),
            verified_by=principal.author,
        )
        return identity

    def key(self, acts_as: str, *grants: str) -> Principal:
        """An integration of the workspace with these grants, beside `messages:write` unless they say more of it."""
        user = self.users.get(acts_as)
        granted = (
            frozenset(grants) if any("messages" in text for text in grants) else {*grants, "messages:write"}
        )
        name = f"{acts_as} {uuid.uuid4()}"
        integration = Integration.objects.create(
            workspace=self.workspace, name=name, acts_as=user, grants=sorted(granted)
        )
        role = user.memberships.get(workspace=self.workspace).role if user else ""
        return Principal(user, self.workspace, integration, frozenset(granted), role, credential="key")

    def selectors(self, case: Case, token: str) -> Selectors:
        number = {"Alice's": NUMBER, "nobody's": UNKNOWN}.get(case["Identity"])
        user = self.users.get(case["User"])
        talk: Conversation | None = self.talks.get(case["Conversation"])
        return Selectors(
            token=token if case["Token"] == "Alice's" else None,
            user=UserSelector(id=user.id) if user else None,
            identity=IdentitySelector("sms", number) if number else None,
            conversation=talk.id if talk else None,
        )

    def outcome(self, principal: Principal, selectors: Selectors, **options: object) -> str:
        """`strategy: name`, or the code of the refusal."""
        try:
            found = resolve(principal, selectors, **options)  # type: ignore[arg-type]
        except ChatcoreError as error:
            return error.code
        names = [name for name, user in self.users.items() if user == found.user]
        return f"{found.strategy}: {names[0]}" if names else found.strategy


def token_of(user: User | None) -> str:
    """An access token, as signing in gives one."""
    assert user
    client = Client()
    client.force_login(user)
    token: str = internal.create_access_token(user, client.session, TokenStrategy().get_claims(user))
    return token
