"""Who the bench is: an admin, an auditor's session, tokens, and a system with the usual policies."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.test import Client
from django.utils import timezone

from accounts.actions import complete_setup, create_user, setup_link
from accounts.actions.roles import write_grant
from accounts.actions.tokens import issue_token
from accounts.models import User
from accounts.queries import admins
from accounts.roles import Role
from audit.actors import SYSTEM
from bench.trail.traffic import SYSTEM as BENCH_BOT
from systems.actions import create_system
from systems.models import System


def admin() -> User:
    now = timezone.now()
    if link := setup_link(now):
        key = link.rstrip("/").rsplit("/", 1)[-1]
        return complete_setup(
            token=key, email="bench@example.test", name="Bench", password="a bench needs no secret", now=now
        )
    return admins(demo=False, now=now).order_by("created_at")[0]


def system() -> System:
    found = System.objects.filter(slug=BENCH_BOT).first()
    return found or create_system(slug=BENCH_BOT, name="Bench bot", by=admin(), now=timezone.now())


def somebody(role: str, slug: str = "") -> User:
    now = timezone.now()
    user = create_user(email=f"{role}-{now.timestamp()}@example.test", name=f"Bench {role}", by=SYSTEM, now=now)
    with transaction.atomic():
        write_grant(user=user, role=role, system=slug, starts_at=None, ends_at=None, founding=True, by=SYSTEM, now=now)
    return user


def token(slug: str, *scopes: str, environment: str = "production") -> str:
    owner = somebody(Role.ENGINEERING, slug)
    return issue_token(
        owner=owner, name="bench", scopes=scopes, system=slug, environment=environment, by=admin(), now=timezone.now()
    )[1]


def cookie(user: Any) -> str:
    client = Client()
    client.force_login(user, backend="accounts.backends.SignInBackend")
    return f"sessionid={client.cookies['sessionid'].value}"


def median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def p95(values: Sequence[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.95))]
