"""The pages that are the same for every kind: a kind says what it has, and which actions write it."""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, TypeVar

from django.contrib import messages
from django.db.models import Model, QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chatcore.accounts.principals import Principal
from chatcore.accounts.web import PrincipalRequest, with_principal
from chatcore.errors import ChatcoreError
from external.sections.forms import SectionForm

Row = TypeVar("Row", bound=Model)
FORMS = require_http_methods(["GET", "HEAD", "POST"])


class Section(ABC, Generic[Row]):
    """One kind of thing. `name` is that of one of them: of its URLs, its templates' folder is `plural`."""

    name: ClassVar[str]
    plural: ClassVar[str]
    MANAGE: ClassVar[str]  # the grant without which there are no forms

    @abstractmethod
    def rows(self, principal: Principal) -> "QuerySet[Row]":
        """Those of the list, in its order. Raises Forbidden."""

    @abstractmethod
    def find(self, principal: Principal, row_id: uuid.UUID) -> Row:
        """Raises Forbidden and NotFound."""

    @abstractmethod
    def form(self, principal: Principal, kind: str, row: Row | None, data: Any) -> SectionForm:
        """The form of a new one of that kind, or of one that there is."""

    @abstractmethod
    def add(self, principal: Principal, **fields: Any) -> Row: ...

    @abstractmethod
    def change(self, principal: Principal, row_id: uuid.UUID, **fields: Any) -> Row: ...

    @abstractmethod
    def remove(self, principal: Principal, row_id: uuid.UUID) -> None: ...

    def kinds(self) -> Mapping[str, str]:
        """What the form depends on and is chosen before it, by name; empty: there is one form."""
        return {}

    def kind_of(self, row: Row) -> str:  # noqa: ARG002
        """By name."""
        return ""

    def shown(self, request: PrincipalRequest, row: Row) -> Mapping[str, Any]:  # noqa: ARG002
        """What the page of one says beside it."""
        return {}

    def list_page(self, request: PrincipalRequest) -> HttpResponse:
        rows, kinds = self.rows(request.principal), self.kinds()
        named = ((row, self.kind_of(row)) for row in rows)
        return self._render(request, "list", {"rows": [(row, kinds.get(kind, kind)) for row, kind in named]})

    def page(self, request: PrincipalRequest, row_id: uuid.UUID) -> HttpResponse:
        row = self.find(request.principal, row_id)
        context = {"row": row, "kind": self.kinds().get(self.kind_of(row)), **self.shown(request, row)}
        return self._render(request, self.name, context)

    def add_page(self, request: PrincipalRequest) -> HttpResponse:
        """The form, or first which of the kinds."""
        request.principal.require(self.MANAGE)
        kind, kinds = request.GET.get("kind", ""), self.kinds()
        if kinds and kind not in kinds:
            return self._render(request, "choose", {"kinds": kinds})
        form = self.form(request.principal, kind, None, request.POST or None)
        return self._written(request, form, None, lambda: self.add(request.principal, **form.given()))

    def edit_page(self, request: PrincipalRequest, row_id: uuid.UUID) -> HttpResponse:
        request.principal.require(self.MANAGE)
        row = self.find(request.principal, row_id)
        form = self.form(request.principal, self.kind_of(row), row, request.POST or None)
        return self._written(
            request, form, row, lambda: self.change(request.principal, row_id, **form.given())
        )

    def switch(self, request: PrincipalRequest, row_id: uuid.UUID) -> HttpResponse:
        """On or off, as `enabled` says."""
        try:
            self.change(request.principal, row_id, enabled=request.POST.get("enabled") == "1")
        except ChatcoreError as refusal:
            if refusal.status in (403, 404):
                raise
            messages.error(request, refusal.detail)
        return redirect(self.name, row_id)

    def remove_row(self, request: PrincipalRequest, row_id: uuid.UUID) -> HttpResponse:
        self.remove(request.principal, row_id)
        return redirect(self.plural)

    def urls(self) -> list[URLPattern]:
        """Under /workspace/: `schedules`, `add_schedule`, `schedule`, `edit_schedule` and so on."""
        here, name = f"workspace/{self.plural}/", self.name
        one = f"{here}<uuid:row_id>/"
        return [
            path(here, never_cache(require_safe(_known(self.list_page))), name=self.plural),
            path(f"{here}add/", never_cache(FORMS(_known(self.add_page))), name=f"add_{name}"),
            path(one, never_cache(require_safe(_known(self.page))), name=name),
            path(f"{one}edit/", never_cache(FORMS(_known(self.edit_page))), name=f"edit_{name}"),
            path(f"{one}switch/", require_POST(_known(self.switch)), name=f"switch_{name}"),
            path(f"{one}remove/", require_POST(_known(self.remove_row)), name=f"remove_{name}"),
        ]

    def _written(
        self, request: PrincipalRequest, form: SectionForm, row: Row | None, write: Callable[[], Row]
    ) -> HttpResponse:
        """The page of what is written, or the form with what is wrong beside its fields."""
        if form.is_valid():
            try:
                return redirect(self.name, write().pk)
            except ChatcoreError as refusal:
                form.complain(refusal)
        context = {"form": form, "row": row, "has_kinds": bool(self.kinds())}
        return self._render(request, "form", context, status=422 if form.errors else 200)

    def _render(
        self, request: PrincipalRequest, template: str, context: Mapping[str, Any], status: int = 200
    ) -> HttpResponse:
        names = {"all_url": self.plural, "one_url": self.name, "add_url": f"add_{self.name}"}
        urls = names | {f"{verb}_url": f"{verb}_{self.name}" for verb in ("edit", "switch", "remove")}
        may_write = request.principal.may(self.MANAGE)
        context = {**urls, "may_write": may_write, **context}
        return render(request, f"{self.plural}/{template}.html", context, status=status)


def _known(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponseBase]:
    return with_principal(view)
