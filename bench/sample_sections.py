"""Schedules, sources and authenticators in every state, for pictures of their pages. Nothing of it is ever sent."""

from datetime import timedelta

from django.utils import timezone

from chatcore.accounts.models import Integration, Membership
from conversations.models import Message
from external.models import Arrival, Authenticator, KeySet, ReplyPart, Schedule, ScheduleRun, Source
from external.schedules.actions import save_schedule


def fill_sections(email: str) -> dict[str, str]:
    """The addresses of the pages, by the names of their pictures."""
    member = Membership.objects.select_related("workspace", "user").get(user__email=email)
    author = Integration.objects.create(
        workspace=member.workspace, name="Front desk", acts_as=member.user, grants=["*:*"]
    )
    schedule, source, authenticator = _schedule(author), _source(author), _authenticator(author)
    return {
        "schedule": f"/workspace/schedules/{schedule.pk}/",
        "schedule-edit": f"/workspace/schedules/{schedule.pk}/edit/",
        "source": f"/workspace/sources/{source.pk}/",
        "source-refused": f"/workspace/sources/{source.pk}/?log=refused",
        "authenticator": f"/workspace/authenticators/{authenticator.pk}/",
    }


def _schedule(author: Integration) -> Schedule:
    now = timezone.now()
    usual = {"workspace": author.workspace, "integration": author, "created_by": "user:1", "respond": "none"}
    report = Schedule(
        name="Morning report",
        content="It is {{weekday}}, {{date}}.\nWhat is on today, and who is at the desk?",
        cron="0 7 * * mon-fri",
        time_zone="Europe/Vienna",
        thread="morning",
        **usual,
    )
    off = Schedule(
        name="Weekly backup reminder", content="Is it there?", cron="0 9 * * 1", enabled=False, **usual
    )
    once = Schedule(name="Fire drill", content="Out!", at=now + timedelta(days=9), **usual)
    for each in (report, off, once):
        save_schedule(each, timing_changed=True)
    message = Message.objects.filter(workspace=author.workspace).latest("id")
    posted = {"outcome": "posted", "conversation": message.conversation_id, "message": message.id}
    failed = {"outcome": "failed", "code": "forbidden", "detail": "This needs the grant conversations:write."}
    for day, outcome in enumerate((posted, {"outcome": "skipped"}, failed, {**posted, "missed": 3}), -4):
        ScheduleRun.objects.create(schedule=report, due_at=now + timedelta(days=day), ran_at=now, **outcome)
    return report


def _source(author: Integration) -> Source:
    line = Source(
        integration=author,
        name="Support line",
        adapter="twilio",
        settings={"account_sid": "AC" + 31 * "0" + "1"},
    )
    line.secrets = {"auth_token": "never shown"}
    line.save()
    Source.objects.create(integration=author, name="Grafana alerts", adapter="generic", enabled=False)
    for message in Message.objects.filter(workspace=author.workspace).order_by("-id")[:4]:
        Arrival.objects.create(source=line, message=message)
        ReplyPart.objects.create(
            source=line, message=message, part=0, text="", address={}, status="delivered"
        )
    line.rejections.create(code="unauthenticated", detail="The signature does not hold.", is_proven=False)
    line.rejections.create(
        code="invalid", detail="content must not be empty.", body="Body=&From=%2B4366012345"
    )
    return line


def _authenticator(author: Integration) -> Authenticator:
    host = "https://id.example.com"
    options = {"issuer": f"{host}/", "audience": "chatcore", "jwks_url": f"{host}/keys", "user": "email"}
    now = timezone.now()
    tokens: Authenticator = Authenticator.objects.create(
        integration=author, name="Our identity provider", kind="jwt", options=options, last_used_at=now
    )
    KeySet.objects.create(authenticator=tokens, keys=[{}, {}], fetched_at=now - timedelta(minutes=20))
    Authenticator.objects.create(integration=author, name="Till", kind="signature", secret="none")
    return tokens
