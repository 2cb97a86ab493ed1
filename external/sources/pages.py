"""Pages of sources: each with the address to paste at the vendor, and the log of what came and went through it."""

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet

from chatcore.accounts.principals import Principal
from chatcore.accounts.web import PrincipalRequest
from conversations.models import Conversation
from external.adapters.registry import adapters
from external.models import Source
from external.sections.logs import page_of
from external.sections.options import options_shown
from external.sections.section import Section
from external.sources import actions
from external.sources.forms import SourceForm
from external.sources.opening import secret_names

LOGS = {"taken": "arrivals", "refused": "rejections", "replies": "replies"}


class Sources(Section[Source]):
    name: ClassVar = "source"
    plural: ClassVar = "sources"
    MANAGE: ClassVar = actions.MANAGE

    def rows(self, principal: Principal) -> "QuerySet[Source]":
        return actions.sources_of(principal).select_related("integration").order_by("name", "id")

    def find(self, principal: Principal, row_id: uuid.UUID) -> Source:
        return actions.find_source(principal, row_id)

    def form(self, principal: Principal, kind: str, row: Source | None, data: Any) -> SourceForm:
        return SourceForm(principal, kind, row, data)

    def add(self, principal: Principal, **fields: Any) -> Source:
        return actions.add_source(principal, **fields)

    def change(self, principal: Principal, row_id: uuid.UUID, **fields: Any) -> Source:
        return actions.change_source(principal, row_id, **fields)

    def remove(self, principal: Principal, row_id: uuid.UUID) -> None:
        actions.remove_source(principal, row_id)

    def kinds(self) -> Mapping[str, str]:
        return {name: each.LABEL for name, each in adapters().items()}

    def kind_of(self, row: Source) -> str:
        return row.adapter

    def shown(self, request: PrincipalRequest, row: Source) -> Mapping[str, Any]:
        log = request.GET.get("log", "")
        log = log if log in LOGS else "taken"
        entries = getattr(row, LOGS[log]).all()
        entries = entries if log == "refused" else entries.select_related("message")
        found, older = page_of(entries, request.GET.get("before", ""))
        named = [] if log == "refused" else [entry.message.conversation_id for entry in found]
        own = Conversation.objects.for_principal(request.principal).filter(id__in=named)
        return {
            "secrets": secret_names(row),
            "settings": options_shown(row.settings),
            "log": log,
            "entries": found,
            "older": older,
            "readable": set(own.values_list("id", flat=True)),
        }


SOURCES = Sources()
