"""Makers of rows for the tests, as plain functions: call them inside a test that has a database."""

import itertools
from typing import Any

from chatcore.accounts.models import Integration, Membership, User, Workspace
from chatcore.accounts.principals import Principal
from chatcore.accounts.roles import MEMBER_GRANTS
from chatcore.llm.models import Deployment, Model, Provider
from conversations import actions, attachments
from conversations.models import Attachment, Comparison, Conversation, Message

_numbers = itertools.count(1)
PASSWORD = "correct horse battery staple"


def make_user(**fields: Any) -> User:
    fields.setdefault("email", f"user{next(_numbers)}@example.com")
    return User.objects.create_user(password=fields.pop("password", None), **fields)


def make_workspace(**fields: Any) -> Workspace:
    return Workspace.objects.create(name=fields.pop("name", f"Workspace {next(_numbers)}"), **fields)


def make_principal(
    user: User | None = None, workspace: Workspace | None = None, role: str = Membership.Role.OWNER
) -> Principal:
    """A signed-in user, as a session makes it."""
    user = user or make_user()
    workspace = workspace or make_workspace()
    Membership.objects.get_or_create(user=user, workspace=workspace, defaults={"role": role})
    return Principal(user, workspace, None, MEMBER_GRANTS[role], role)


def make_key_principal(owner: Principal, *grants: str) -> Principal:
    """An integration that acts for the owner's user with these grants."""
    integration = Integration.objects.create(
        workspace=owner.workspace,
        name=f"Integration {next(_numbers)}",
        acts_as=owner.user,
        grants=list(grants),
    )
    return Principal(
        owner.user, owner.workspace, integration, frozenset(grants), owner.role, credential="key"
    )


def make_model(name: str = "", kind: str = "demo", **options: Any) -> Model:
    """A model everybody may use, with one deployment at a provider of this kind."""
    name = name or f"model-{next(_numbers)}"
    provider = Provider.objects.create(kind=kind, name=f"Provider {next(_numbers)}", **options)
    model = Model.objects.create(name=name, label=name.title())
    Deployment.objects.create(model=model, provider=provider, upstream_name=name)
    return model


def make_conversation(principal: Principal, *texts: str, **wishes: Any) -> Conversation:
    """A conversation with plain messages of these texts, one below the other."""
    conversation = actions.start_conversation(principal, **wishes)
    for text in texts:
        actions.post_message(principal, conversation.id, text=text, respond=False)
    conversation.refresh_from_db()
    return conversation


def make_reply(principal: Principal, conversation: Conversation, **fields: Any) -> Message:
    """A finished reply below the conversation's end."""
    reply = Message.objects.create(
        workspace=principal.workspace,
        conversation=conversation,
        parent=conversation.active_leaf,
        author=Message.Author.ASSISTANT,
        **{"text": "An answer.", "model_label": "Model"} | fields,
    )
    conversation.active_leaf = reply
    conversation.save(update_fields=["active_leaf"])
    return reply


def make_comparison(
    conversation: Conversation, message: Message, *names: str, **fields: Any
) -> list[Message]:
    """Finished replies of models of these names to the message, waiting for one to be chosen."""
    names = names or ("left", "right")
    comparison = Comparison(
        workspace=conversation.workspace,
        conversation=conversation,
        message=message,
        model_names=list(names),
    )
    comparison.save(force_insert=True)
    return [
        Message.objects.create(
            workspace=conversation.workspace,
            conversation=conversation,
            parent=message,
            author=Message.Author.ASSISTANT,
            comparison=comparison,
            **{"text": f"Said by {name}.", "model_name": name, "model_label": name.title()} | fields,
        )
        for name in names
    ]


def make_attachment(
    principal: Principal,
    name: str = "notes.txt",
    content: bytes = b"Some notes.",
    message: Message | None = None,
) -> Attachment:
    """A file of the principal's: the message's, or waiting for one."""
    stored = attachments.store(principal, name=name, media_type="", content=content)
    if message is not None:
        attachments.attach(message, [stored], principal)
        stored.refresh_from_db()
    return stored
