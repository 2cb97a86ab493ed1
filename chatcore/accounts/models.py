"""Tables of who is who: users, workspaces, memberships, integrations and their keys."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.db.models.lookups import Exact
from django.utils import timezone

from chatcore.accounts.constraints import in_one_form, validate_constraints
from chatcore.accounts.grants import validate_grant
from chatcore.accounts.querysets import KeyQuerySet, MembershipQuerySet
from chatcore.ids import uuid7
from chatcore.security.addresses import validate_network


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(Exact(Lower("email"), (username or "").lower()))

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person. Signs in with the e-mail address; belongs to workspaces by memberships."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=150, blank=True)
    is_active = models.BooleanField(default=True, help_text="Untick instead of deleting a person's account.")
    is_staff = models.BooleanField(default=False, help_text="May use the staff pages at /admin/.")
    date_joined = models.DateTimeField(default=timezone.now)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_unique")]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        super().clean()
        self.email = self.email.lower()

    @property
    def display_name(self) -> str:
        return self.name or self.email.partition("@")[0]

    @property
    def initials(self) -> str:
        words = self.display_name.replace(".", " ").replace("_", " ").split()
        letters = words[0][0] + words[1][0] if len(words) > 1 else self.display_name[:2]
        return letters.upper()


class Workspace(models.Model):
    """The tenant: every row of the product belongs to exactly one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A user's role in a workspace."""

    class Role(models.TextChoices):
        OWNER = "owner"
        ADMIN = "admin"
        MEMBER = "member"
        GUEST = "guest"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.MEMBER)
    joined_at = models.DateTimeField(auto_now_add=True)
    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "workspace"], name="membership_unique"),
            models.CheckConstraint(
                condition=models.Q(role__in=["owner", "admin", "member", "guest"]),
                name="membership_role_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.workspace} ({self.role})"


class Integration(models.Model):
    """An outside system with an identity of its own; what its keys may do is the same for all of them.

    `acts_as` is the user whose conversations it reads and writes; `grants` are `resource:action[:selector]`, and
    `constraints` narrow them: see constraints.py. Without `allowed_addresses` its keys may come from anywhere.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="integrations")
    name = models.CharField(max_length=100)
    acts_as = models.ForeignKey(
        User, on_delete=models.CASCADE, null=True, blank=True, related_name="integrations"
    )
    grants = ArrayField(
        models.CharField(max_length=120, validators=[validate_grant]), default=list, blank=True
    )
    allowed_addresses = ArrayField(
        models.CharField(max_length=43, validators=[validate_network]),
        default=list,
        db_default=[],
        blank=True,
        help_text="Addresses or networks (CIDR) its keys may come from. Empty: any.",
    )
    constraints = models.JSONField(
        default=dict,
        db_default={},
        blank=True,
        validators=[validate_constraints],
        help_text="What it is held to.",
    )
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="integration_name_unique")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        self.constraints = in_one_form(self.constraints)


class Key(models.Model):
    """One secret of an integration. Only its keyed hash is kept; the text is shown once, when it is made."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="keys")
    public_id = models.CharField(max_length=12, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    pepper = models.PositiveSmallIntegerField(editable=False, help_text="Which pepper made the digest.")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    objects = KeyQuerySet.as_manager()

    role: str  # the acting user's; only on rows read through KeyQuerySet.usable

    def __str__(self) -> str:
        return f"cc_live_{self.public_id}…"

    @property
    def is_live(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())
