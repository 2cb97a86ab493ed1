"""The form of a schedule: what is posted, where, and when by the clock of a time zone."""

import functools
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chatcore.accounts.models import User
from chatcore.accounts.principals import Principal
from chatcore.errors import ChatcoreError, NotFound
from chatcore.llm.models import Model
from external.models import Schedule
from external.schedules.clock import MAX_CRON_LENGTH, zones
from external.sections.forms import SectionForm
from external.sections.options import PLAIN

MINUTES = "%Y-%m-%dT%H:%M"
MODEL = "model:"
TEXTS = ("name", "content", "title", "thread", "cron", "time_zone", "missed")
NULLABLE = ("conversation", "owner", "at")


class _LocalTime(forms.CharField):
    """A time by the clock on the wall, without a zone; None where it is empty."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MINUTES)

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        try:
            return datetime.fromisoformat(text).replace(tzinfo=None) if text else None
        except ValueError:
            raise forms.ValidationError(_("This is no date and time.")) from None


class ScheduleForm(SectionForm):
    content = forms.CharField(
        label=gettext_lazy("Message"),
        widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"}),
        help_text=gettext_lazy("{{date}}, {{time}}, {{weekday}}, {{due_at}} and {{name}} are filled in."),
    )
    cron = forms.CharField(
        label=gettext_lazy("Again and again"),
        required=False,
        max_length=MAX_CRON_LENGTH,
        widget=forms.TextInput(attrs={**PLAIN, "placeholder": "0 7 * * mon-fri", "dir": "ltr"}),
        help_text=gettext_lazy(
            "Minute, hour, day, month, weekday; or @hourly, @daily, @weekly, @monthly, @yearly."
        ),
    )
    at = _LocalTime(
        label=gettext_lazy("Or once, at"),
        required=False,
        help_text=gettext_lazy("By the clock of the time zone below."),
    )
    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"), initial="UTC")
    missed = forms.ChoiceField(
        label=gettext_lazy("If its time passes while nothing runs"),
        choices=[
            ("once", gettext_lazy("Post once for all that was missed")),
            ("skip", gettext_lazy("Leave it out")),
        ],
    )
    respond = forms.ChoiceField(label=gettext_lazy("Who replies"))
    owner = forms.ChoiceField(
        label=gettext_lazy("In whose name"),
        required=False,
        help_text=gettext_lazy("Whose conversation it goes to."),
    )
    thread = forms.CharField(
        label=gettext_lazy("Thread"),
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs=PLAIN),
        help_text=gettext_lazy(
            "A name of your own: what has one name goes to one conversation. Empty: a new one each time."
        ),
    )
    conversation = forms.UUIDField(
        label=gettext_lazy("Or a conversation"),
        required=False,
        widget=forms.TextInput(attrs=PLAIN),
        help_text=gettext_lazy("The id of one that there is."),
    )
    title = forms.CharField(
        label=gettext_lazy("Title of a new conversation"),
        required=False,
        max_length=200,
        widget=forms.TextInput,
    )

    def __init__(self, principal: Principal, row: Schedule | None, data: Any) -> None:
        super().__init__(principal, row, data, **(_initial(row) if row else {}))
        known = [*_zones(), *([row.time_zone] if row and row.time_zone not in _zones() else [])]
        self._choose("time_zone", [(zone, zone.replace("_", " ")) for zone in known])
        self._choose("respond", _answering(principal, row))
        members = User.objects.filter(memberships__workspace=principal.workspace).order_by("email")
        people = [(str(each.pk), f"{each.display_name} ({each.email})") for each in members]
        self._choose("owner", [("", _("The user the integration acts as")), *people])

    @property
    def what_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("integration", "name", "content", "respond") if name in self.fields]

    @property
    def when_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("cron", "at", "time_zone", "missed")]

    @property
    def where_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("thread", "conversation", "title", "owner")]

    def given(self) -> dict[str, Any]:
        """All of a new one; else what has changed: times that stay are not counted anew."""
        cleaned = self.cleaned_data
        fields = {name: cleaned[name] for name in TEXTS} | {name: cleaned[name] or None for name in NULLABLE}
        if fields["at"]:
            fields["at"] = fields["at"].replace(tzinfo=ZoneInfo(fields["time_zone"]))
        model = cleaned["respond"].removeprefix(MODEL) if cleaned["respond"].startswith(MODEL) else ""
        answer = {"respond": "model" if model else cleaned["respond"], "model_name": model}
        if self.row is None:
            return {**fields, **answer, "integration": cleaned["integration"]}
        changed = set(self.changed_data)
        if "time_zone" in changed and fields["at"]:
            changed.add("at")
        named = {name: value for name, value in fields.items() if name in changed}
        return named | (answer if "respond" in changed else {})

    def place_of_refusal(self, refusal: ChatcoreError) -> str | None:
        return (
            "conversation"
            if isinstance(refusal, NotFound) and self.cleaned_data.get("conversation")
            else None
        )

    def _choose(self, name: str, choices: list[tuple[str, Any]]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]


@functools.cache
def _zones() -> list[str]:
    """Those of places, and UTC first."""
    return [
        "UTC",
        *sorted(zone for zone in zones() if "/" in zone and not zone.startswith("Etc/")),
    ]


def _answering(principal: Principal, row: Schedule | None) -> list[tuple[str, Any]]:
    names = dict(Model.objects.for_principal(principal).order_by("name").values_list("name", "label"))
    if row and row.model_name:
        names.setdefault(row.model_name, row.model_name)
    models = [(f"{MODEL}{name}", label or name) for name, label in names.items()]
    return [("default", _("The conversation's model")), ("none", _("Nobody")), *models]


def _initial(row: Schedule) -> dict[str, Any]:
    at = row.at.astimezone(ZoneInfo(row.time_zone)).strftime(MINUTES) if row.at else None
    answer = f"{MODEL}{row.model_name}" if row.model_name else row.respond
    texts = {name: getattr(row, name) for name in TEXTS}
    return {**texts, "at": at, "owner": row.owner_id, "conversation": row.conversation, "respond": answer}
