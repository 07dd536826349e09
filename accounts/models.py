"""People, the roles they hold, and the tokens that act for them."""

from typing import Any, ClassVar

from django.contrib.auth import load_backend
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from accounts.roles import CONFIRMED_ROLES, Role
from web.ids import uuid7


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A person. Permissions come from roles alone (`accounts.backends`): there are no groups and no superusers."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120)
    is_active = models.BooleanField(default=True)
    is_demo = models.BooleanField(default=False, help_text="Made by the demo project, and removed with it.")
    created_at = models.DateTimeField(auto_now_add=True)
    # Wrong second factors in a row, and when the last one was: see accounts.reauth.
    failed_factors = models.PositiveSmallIntegerField(default=0)
    failed_factors_at = models.DateTimeField(null=True, blank=True)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    # What this person holds, as long as this object lives: see accounts.queries.held_by.
    holds: tuple[tuple[str, str], ...] | None = None

    objects = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="accounts_user_email_any_case")]

    def __str__(self) -> str:
        return self.name or self.email

    # How the record names this person: see audit.actors.Actor.
    @property
    def actor_id(self) -> str:
        return f"user:{self.pk}"

    @property
    def actor_name(self) -> str:
        return str(self)

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """From roles alone: the sign-in backend inherits Django's, which asks for groups we don't have."""
        return self.is_active and load_backend("accounts.backends.RoleBackend").has_perm(self, perm, obj)


class RoleGrant(models.Model):
    """One role of one person, on one system or (empty slug) everywhere. Rows end; they are never deleted."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="grants")
    role = models.CharField(max_length=20, choices=Role.choices)
    system = models.SlugField(max_length=60, blank=True, help_text="Empty: the whole organisation.")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True, help_text="A stand-in is a role until a date.")
    granted_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True)
    granted_at = models.DateTimeField()
    confirmed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True)
    confirmed_at = models.DateTimeField(null=True)
    founding = models.BooleanField(default=False, help_text="Granted while the installation had one admin.")
    revoked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True)
    revoked_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True, help_text="When its end date was noticed and acted upon.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="accounts_grant_once",
                fields=["user", "role", "system"],
                condition=Q(revoked_at__isnull=True, ended_at__isnull=True),
            ),
            models.CheckConstraint(name="accounts_grant_admin_everywhere", condition=~Q(role="admin") | Q(system="")),
            models.CheckConstraint(
                name="accounts_grant_confirmed_by_another", condition=Q(confirmed_by=None) | ~Q(confirmed_by=F("user"))
            ),
            models.CheckConstraint(
                name="accounts_grant_confirmed_both_or_neither",
                condition=Q(confirmed_by__isnull=True, confirmed_at__isnull=True)
                | Q(confirmed_by__isnull=False, confirmed_at__isnull=False),
            ),
            models.CheckConstraint(
                name="accounts_grant_revoked_both_or_neither",
                condition=Q(revoked_by__isnull=True, revoked_at__isnull=True)
                | Q(revoked_by__isnull=False, revoked_at__isnull=False),
            ),
            models.CheckConstraint(
                name="accounts_grant_second_person", condition=Q(confirmed_by=None) | ~Q(confirmed_by=F("granted_by"))
            ),
            models.CheckConstraint(
                name="accounts_grant_ends_after_start", condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at"))
            ),
        ]
        indexes = [models.Index(fields=["user", "system"], name="accounts_grant_user", condition=Q(revoked_at=None))]

    def __str__(self) -> str:
        return f"{self.role} of {self.system or 'the organisation'}"

    @property
    def confirmed(self) -> bool:
        """Whether it has all the people that its role asks for."""
        return self.founding or self.confirmed_at is not None or self.role not in CONFIRMED_ROLES

    @property
    def pending(self) -> bool:
        """Granted, but without effect until a second person confirms it."""
        return not self.confirmed and self.revoked_at is None and self.ended_at is None


class FactorReset(models.Model):
    """A lost second factor: one person asks for its removal, and for holders of signing roles another one confirms."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="factor_resets")
    reason = models.CharField(max_length=300)
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    confirmed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="accounts_reset_once", fields=["user"], condition=Q(done_at=None)),
            models.CheckConstraint(
                name="accounts_reset_second_person",
                condition=Q(confirmed_by=None)
                | (~Q(confirmed_by=F("requested_by")) & ~Q(confirmed_by=F("user")) & Q(done_at__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"factor reset of {self.user}"


class ApiToken(models.Model):
    """A machine's key. It has a named owner and writes as that person; it never verifies and never signs."""

    class Scope(models.TextChoices):
        INGEST = "ingest", "Send request traces of one system and environment"
        EVALUATIONS_WRITE = "evaluations:write", "Push evaluation results"
        EVIDENCE_WRITE = "evidence:write", "Attach evidence"
        GATE_READ = "gate:read", "Ask the gate"
        STATUS_READ = "status:read", "Read the status of a system"
        TRAIL_READ = "trail:read", "Read the request trail"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    public_id = models.CharField(max_length=16, unique=True)
    secret_hash = models.CharField(max_length=64)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="tokens")
    name = models.CharField(max_length=100)
    scopes = ArrayField(models.CharField(max_length=30, choices=Scope.choices))
    system = models.SlugField(max_length=60, blank=True, help_text="Empty: every system its owner may see.")
    environment = models.SlugField(max_length=40, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="accounts_token_ingest_is_fixed",
                condition=~Q(scopes__contains=["ingest"]) | (~Q(system="") & ~Q(environment="")),
            ),
            models.CheckConstraint(name="accounts_token_has_scope", condition=Q(scopes__len__gt=0)),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def actor_id(self) -> str:
        return self.owner.actor_id

    @property
    def actor_name(self) -> str:
        return self.owner.actor_name

    @property
    def via(self) -> str:
        return f"token:{self.public_id}"
