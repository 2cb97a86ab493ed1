"""Schedules and their runs as the API shows them, and what it takes to make one."""

import uuid
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, Field, StrictBool

from chatcore.bodies import Body
from conversations.bodies import ABSENT, Content, Title
from external.bodies import Answer, Place, Responder, ThreadName
from external.models.schedules import Schedule, ScheduleRun
from external.schedules.clock import MAX_CRON_LENGTH

Missed = Annotated[
    Literal["once", "skip"],
    Field(description="Times that passed while no worker ran: posted once for all of them, or left out."),
]
Name = Annotated[str, Field(max_length=100)]


class ScheduleResource(BaseModel):
    """A message that is posted by the clock."""

    id: uuid.UUID
    integration: uuid.UUID = Field(description="The author of what is posted.")
    owner: uuid.UUID | None = Field(description="In whose name; null: the user the integration acts as.")
    name: str
    content: str
    title: str
    conversation: uuid.UUID | dict[Literal["thread"], str] | None = Field(description="As it was given.")
    respond: Literal["default", "none"] | dict[Literal["model"], str]
    cron: str | None = Field(description="Minute, hour, day, month, weekday; null: once, at `at`.")
    time_zone: str
    at: datetime | None
    missed: Missed
    enabled: bool
    next_run_at: datetime | None = Field(description="null: nothing is to come.")
    created_by: str = Field(description="`user:<id>` or `integration:<id>`.")
    created_at: datetime

    @classmethod
    def of(cls, schedule: Schedule) -> "ScheduleResource":
        thread: dict[Literal["thread"], str] | None = {"thread": schedule.thread} if schedule.thread else None
        plain: Literal["default", "none"] = "none" if schedule.respond == "none" else "default"
        return cls(
            id=schedule.id,
            integration=schedule.integration_id,
            owner=schedule.owner_id,
            name=schedule.name,
            content=schedule.content,
            title=schedule.title,
            conversation=schedule.conversation or thread,
            respond={"model": schedule.model_name} if schedule.model_name else plain,
            cron=schedule.cron or None,
            time_zone=schedule.time_zone,
            at=schedule.at,
            missed=Schedule.Missed(schedule.missed).value,
            enabled=schedule.enabled,
            next_run_at=schedule.next_run_at,
            created_by=schedule.created_by,
            created_at=schedule.created_at,
        )


class ScheduleRunResource(BaseModel):
    """One time a schedule was due, and what became of it."""

    due_at: datetime
    ran_at: datetime
    outcome: Literal["posted", "failed", "skipped"]
    missed: int = Field(description="Earlier times it stands for, which no worker saw; counted up to 100.")
    conversation: uuid.UUID | None
    message: uuid.UUID | None
    reply: uuid.UUID | None
    code: str | None = Field(description="Why it failed, as /api/docs/errors explains.")
    detail: str | None

    @classmethod
    def of(cls, run: ScheduleRun) -> "ScheduleRunResource":
        return cls(
            due_at=run.due_at,
            ran_at=run.ran_at,
            outcome=ScheduleRun.Outcome(run.outcome).value,
            missed=run.missed,
            conversation=run.conversation,
            message=run.message,
            reply=run.reply,
            code=run.code or None,
            detail=run.detail or None,
        )


class ScheduleChanges(Body):
    """What is to change of a schedule; what is not named stays. Another time counts from now on."""

    EXAMPLE: ClassVar = {"cron": "0 7 * * mon-fri", "time_zone": "Europe/Vienna"}

    name: Name = ABSENT
    content: Content = Field(
        ABSENT,
        description="`{{date}}`, `{{time}}`, `{{weekday}}`, `{{due_at}}` and `{{name}}` are filled in.",
    )
    title: Title = Field(ABSENT, description="Of the conversation, if a message opens one.")
    conversation: Place | None = Field(ABSENT, description="Where it goes: an id, or a name for a thread.")
    owner: uuid.UUID | None = Field(ABSENT, description="In whose name; else the integration's user.")
    respond: Answer = Field(ABSENT, description="Who replies: `default`, `none`, or a model.")
    cron: str | None = Field(
        ABSENT,
        max_length=MAX_CRON_LENGTH,
        description="When: minute, hour, day, month, weekday; or one of `@hourly` to `@yearly`.",
    )
    time_zone: str = Field(
        ABSENT, max_length=64, description="By whose clock: an IANA name such as Europe/Vienna."
    )
    at: AwareDatetime | None = Field(ABSENT, description="When, if only once: a time with its zone.")
    missed: Missed = ABSENT
    enabled: StrictBool = ABSENT

    def wishes(self) -> dict[str, Any]:
        """The fields the client named, as a schedule keeps them."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        if "conversation" in given:
            place = given.pop("conversation")
            given["conversation"] = place if isinstance(place, uuid.UUID) else None
            given["thread"] = place.thread if isinstance(place, ThreadName) else ""
        if "respond" in given:
            answer = given.pop("respond")
            given["respond"] = "model" if isinstance(answer, Responder) else answer
            given["model_name"] = answer.model if isinstance(answer, Responder) else ""
        return given


class NewSchedule(ScheduleChanges):
    """A message to post by the clock: either by a cron expression in a time zone, or once at an instant."""

    EXAMPLE: ClassVar = {
        "name": "Morning report",
        "content": "It is {{weekday}}, {{date}}. What is on today?",
        "cron": "0 7 * * mon-fri",
        "time_zone": "Europe/Vienna",
        "conversation": {"thread": "morning"},
        "respond": "none",
    }

    name: Name
    content: Content = Field(
        description="`{{date}}`, `{{time}}`, `{{weekday}}`, `{{due_at}}` and `{{name}}` are filled in."
    )
    integration: uuid.UUID = Field(
        ABSENT, description="The author of what is posted. A key's own need not be named."
    )
