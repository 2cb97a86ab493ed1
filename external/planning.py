"""What one transaction writes for messages whose users are known: decided message by message, written as a whole."""

import copy
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from chatcore import rows
from chatcore.accounts.models import Integration
from chatcore.accounts.principals import Principal
from chatcore.errors import ChatcoreError, NotFound
from chatcore.ids import just_before, uuid7
from chatcore.llm.models import Model
from conversations.actions.access import find_model
from conversations.actions.posting import Posting, write
from conversations.actions.replies import new_reply
from conversations.attachments import attach, attachments_of
from conversations.models import Conversation, Message
from conversations.texts import checked_title
from external import provenance, threads
from external.errors import LoopDetected
from external.files import fetch_files, places_of_bytes
from external.items import IntakeItem, Respond
from external.models import IntakeMessage, IntakePolicy, Thread
from external.resolving import Resolved
from external.threads import Places, ThreadKey
from external.webhooks.hops import conversation_told


@dataclass(frozen=True)
class Addressed:
    """A message and the user it is of. `place` is its place among those that came together."""

    place: int
    item: IntakeItem
    resolved: Resolved
    reply_id: uuid.UUID | None = None
    files: tuple[uuid.UUID, ...] = ()

    @property
    def principal(self) -> Principal:
        return self.resolved.principal

    @property
    def key(self) -> ThreadKey | None:
        """Of its thread; None if it names a conversation."""
        if self.item.conversation is not None:
            return None
        return self.resolved.user.id, self.item.thread or ""


@dataclass(frozen=True)
class Planned:
    """What becomes of an addressed message."""

    of: Addressed
    message: Message
    reply: Message | None


def continued(
    addressed: Addressed, places: Places, policy: IntakePolicy, now: datetime
) -> Conversation | None:
    """The conversation it goes on in; None if one has to be started. Raises NotFound."""
    if addressed.item.conversation is not None:
        named = places.writable(addressed.principal, addressed.item.conversation)
        if named is None:
            raise NotFound
        return named
    assert addressed.key
    thread = places.threads.get(addressed.key)
    if thread is None:
        return None
    found = places.writable(addressed.principal, thread.conversation_id)
    return None if found is None or threads.is_over(found, policy, now) else found


class Responders:
    """Who answers, asked once for all messages of one kind."""

    def __init__(self) -> None:
        self._known: dict[tuple[uuid.UUID | None, Respond, uuid.UUID | None], Model | ChatcoreError] = {}

    def of(self, principal: Principal, respond: Respond, usual: uuid.UUID | None) -> Model | None:
        """The model that shall reply, None if nobody. `usual` is the conversation's. Raises Invalid or NoModel."""
        if respond.kind == "none":
            return None
        question = (principal.user.id if principal.user else None, respond, usual)
        if question not in self._known:
            try:
                name = respond.model or None
                found: Model | ChatcoreError = find_model(
                    principal, name, otherwise=usual, pointer="/respond/model"
                )
            except ChatcoreError as error:
                found = error
            self._known[question] = found
        answer = self._known[question]
        if isinstance(answer, ChatcoreError):
            raise answer
        return answer


class Plan:
    """Messages to be written together. `add` refuses before anything is planned; `write` stores all of it.

    `ids` are those that the next conversations of threads shall have.
    """

    def __init__(
        self,
        sender: Principal,
        policy: IntakePolicy,
        places: Places,
        responders: Responders,
        ids: Mapping[ThreadKey, uuid.UUID],
    ) -> None:
        assert sender.integration
        self._sender = sender
        self.integration: Integration = sender.integration
        self.policy = policy
        self.planned: list[Planned] = []
        self._now: datetime = timezone.now()
        self._responders = responders
        self._ids = {key: each for key, each in ids.items() if each not in places.conversations}
        self._before = places
        self._places = Places(
            {known: copy.copy(each) for known, each in places.conversations.items()},
            dict(places.audiences),
            dict(places.threads),
        )
        self._told: dict[uuid.UUID, uuid.UUID | None] = {}
        self._ends: dict[uuid.UUID, uuid.UUID | None] = {}
        self._started: list[Conversation] = []
        self._opened: list[Thread] = []
        self._closed: list[Thread] = []

    def add(self, addressed: Addressed) -> None:
        """Raises what the message is refused with."""
        principal, item = addressed.principal, addressed.item
        conversation = continued(addressed, self._places, self.policy, self._now)
        self._refuse_echo(item, conversation)
        thread = None if item.conversation is not None else item.thread or ""
        principal.check_constraints(conversation=conversation, thread=thread, metadata=item.metadata)
        closes = item.closes(self.policy)
        usual = conversation.model_id if conversation else None
        model = None if closes else self._responders.of(principal, item.respond, usual)
        if conversation is None:
            principal.require("conversations:write")
            conversation = self._start(addressed)
        message = self._message(addressed, conversation)
        reply = (
            new_reply(principal, message, model, item.params, addressed.reply_id)
            if model is not None
            else None
        )
        self._ends[conversation.id] = reply.id if reply else message.id
        self.planned.append(Planned(addressed, message, reply))
        if closes and addressed.key in self._places.threads:
            self._close(addressed.key)

    def _refuse_echo(self, item: IntakeItem, conversation: Conversation | None) -> None:
        """Raises LoopDetected for what a webhook has told of the conversation that it comes back to."""
        if item.heard is None or conversation is None:
            return
        if item.heard not in self._told:
            self._told[item.heard] = conversation_told(self.integration, item.heard)
        if self._told[item.heard] == conversation.id:
            raise LoopDetected(
                "The message comes with the webhook-id of a delivery that told of this conversation: it answers itself."
            )

    def write(self) -> None:
        """Raises BudgetExceeded, PriceUnknown, or Raced, after which the transaction must not commit."""
        threads.save(self._opened, self._closed)
        for each in self.planned:
            if each.of.files:
                attach(each.message, each.of.files, self._sender, places_of_bytes(each.of.item.attachments))
        write(
            [self._posting(each) for each in self.planned],
            started=self._started,
            audiences=self._places.audiences,
        )
        provenance.save([self._origin(each) for each in self.planned])
        for each in self.planned:
            fetch_files(each.message.id, each.of.item.attachments)
        self._before.adopt(self._places)

    def _start(self, addressed: Addressed) -> Conversation:
        """In place of the thread's former conversation, if it had one."""
        assert addressed.key
        if addressed.key in self._places.threads:
            self._close(addressed.key)
        title = addressed.item.title
        conversation = Conversation(
            id=self._ids.pop(addressed.key, None) or uuid7(),
            workspace_id=self.integration.workspace_id,
            owner_id=addressed.resolved.user.id,
            title=checked_title(title) if title else "",
            title_source=Conversation.TitleSource.GIVEN if title else Conversation.TitleSource.DRAFT,
            last_message_at=self._now,
        )
        user_id, name = addressed.key
        thread = Thread(
            integration_id=self.integration.id, user_id=user_id, name=name, conversation_id=conversation.id
        )
        self._places.conversations[conversation.id] = conversation
        self._places.audiences[conversation.id] = (user_id,)
        self._places.threads[addressed.key] = thread
        self._started.append(conversation)
        self._opened.append(thread)
        return conversation

    def _close(self, key: ThreadKey) -> None:
        thread = self._places.threads.pop(key)
        thread.closed_at = self._now
        if thread not in self._opened:
            self._closed.append(thread)

    def _message(self, addressed: Addressed, conversation: Conversation) -> Message:
        return rows.new(
            Message,
            id=just_before(addressed.reply_id) if addressed.reply_id else uuid7(),
            workspace_id=conversation.workspace_id,
            conversation=conversation,
            parent_id=self._ends.get(conversation.id, conversation.active_leaf_id),
            author=Message.Author.INTEGRATION,
            user=addressed.resolved.user,
            integration=self.integration,
            text=addressed.item.content,
        )

    def _posting(self, each: Planned) -> Posting:
        replies: Sequence[Message] = [each.reply] if each.reply else []
        files = attachments_of(each.message) if each.of.files else []
        return Posting(each.of.principal, each.message.conversation, each.message, replies, files)

    def _origin(self, each: Planned) -> IntakeMessage:
        item = each.of.item
        return rows.new(
            IntakeMessage,
            message_id=each.message.id,
            integration_id=self.integration.id,
            key_id=each.of.principal.key_id,
            source=item.source,
            strategy=each.of.resolved.strategy,
            external_id=item.external_id,
            thread=item.thread or "",
            hops=item.hops,
            metadata=item.metadata,
        )
