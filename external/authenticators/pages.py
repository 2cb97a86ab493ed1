"""Pages of authenticators: what a system names in X-Authenticator, by what it proves itself, and when it last did."""

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet

from chatcore.accounts.principals import Principal
from chatcore.accounts.web import PrincipalRequest
from external.authenticators import actions
from external.authenticators.forms import AuthenticatorForm
from external.authenticators.kinds import kinds
from external.models import Authenticator, KeySet
from external.sections.options import options_shown
from external.sections.section import Section


class Authenticators(Section[Authenticator]):
    name: ClassVar = "authenticator"
    plural: ClassVar = "authenticators"
    MANAGE: ClassVar = actions.MANAGE

    def rows(self, principal: Principal) -> "QuerySet[Authenticator]":
        principal.require(actions.MANAGE)
        rows = Authenticator.objects.for_principal(principal).described()
        found: QuerySet[Authenticator] = rows.select_related("integration").order_by("name", "id")
        return found

    def find(self, principal: Principal, row_id: uuid.UUID) -> Authenticator:
        return actions.find_authenticator(principal, row_id)

    def form(
        self, principal: Principal, kind: str, row: Authenticator | None, data: Any
    ) -> AuthenticatorForm:
        return AuthenticatorForm(principal, kind, row, data)

    def add(self, principal: Principal, **fields: Any) -> Authenticator:
        return actions.add_authenticator(principal, **fields)

    def change(self, principal: Principal, row_id: uuid.UUID, **fields: Any) -> Authenticator:
        return actions.change_authenticator(principal, row_id, **fields)

    def remove(self, principal: Principal, row_id: uuid.UUID) -> None:
        actions.remove_authenticator(principal, row_id)

    def kinds(self) -> Mapping[str, str]:
        return {name: each.LABEL for name, each in kinds().items()}

    def kind_of(self, row: Authenticator) -> str:
        return row.kind

    def shown(self, request: PrincipalRequest, row: Authenticator) -> Mapping[str, Any]:  # noqa: ARG002
        return {
            "header": str(row.pk),
            "key_set": KeySet.objects.filter(pk=row.pk).first(),
            "options": options_shown(row.options),
        }


AUTHENTICATORS = Authenticators()
