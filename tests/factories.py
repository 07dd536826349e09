"""Rows for tests, all of them made by the product's own actions: what a factory reaches, a person could have reached.

Shared and additive. Times are arguments as everywhere; `NOW` is the usual one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from allauth.mfa.models import Authenticator
from django.test import Client

from accounts.actions import complete_setup, create_user, enrol_totp, grant_role, setup_link
from accounts.models import User
from accounts.queries import admins
from accounts.roles import Role
from audit.actors import SYSTEM
from systems.actions import (
    add_component,
    approve_version,
    create_system,
    draft_version,
    submit_version,
    write_compatibility,
)
from systems.kinds import Area, Kind, reviewer_role
from systems.models import Component, System, Version
from systems.registry import breaks_of

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PASSWORD = "correct-horse-battery-staple"
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

_numbers = count(1)

PROMPT = b"You are the support assistant of a small shop.\nAnswer briefly and cite the article.\n"
INPUT_SCHEMA = {
    "type": "object",
    "required": ["question"],
    "properties": {"question": {"type": "string", "maxLength": 2000}},
    "additionalProperties": False,
}
OUTPUT_SCHEMA = {
    "type": "object",
    "required": ["answer"],
    "properties": {"answer": {"type": "string"}, "sources": {"type": "array", "items": {"type": "string"}}},
    "additionalProperties": False,
}
CONTRACT = {"max_context_chars": 12000, "max_output_tokens": 400, "timeout_ms": 10000, "retry_limit": 2}
MODEL = {
    "provider": "acme",
    "deployment": "support-small-2026-09",
    "prices": {"input": "0.40", "output": "1.60"},
}
DATASET = b'{"id": "1", "input": "Refund?", "tags": ["plain"]}\n{"id": "2", "input": "!!!", "tags": ["edge"]}\n'
FALLBACK = {"message": "We cannot answer just now. A colleague will write to you today."}

# One component of each kind that most systems have: kind -> (name, content).
PARTS: dict[str, tuple[str, bytes]] = {
    Kind.PROMPT: ("system-prompt", PROMPT),
    Kind.INPUT_SCHEMA: ("question", json.dumps(INPUT_SCHEMA).encode()),
    Kind.OUTPUT_SCHEMA: ("answer", json.dumps(OUTPUT_SCHEMA).encode()),
    Kind.CONTRACT: ("limits", json.dumps(CONTRACT).encode()),
    Kind.MODEL: ("chat", json.dumps(MODEL).encode()),
    Kind.DATASET: ("golden-set", DATASET),
    Kind.FALLBACK: ("apology", json.dumps(FALLBACK).encode()),
}


def make_admin(*, now: datetime = NOW, name: str = "Ada Admin") -> User:
    """The first admin, by the setup link; later calls return the same person."""
    link = setup_link(now)
    if link is None:
        return admins(demo=False, now=now).order_by("created_at")[0]
    token = link.rstrip("/").rsplit("/", 1)[-1]
    return complete_setup(
        token=token, email=f"admin{next(_numbers)}@example.test", name=name, password=PASSWORD, now=now
    )


def make_user(
    name: str = "Mara",
    *roles: str,
    system: str = "",
    now: datetime = NOW,
    password: str | None = None,
    admin: User | None = None,
) -> User:
    """A person with these roles on a system (empty: everywhere). While there is one admin, grants count at once."""
    admin = admin or make_admin(now=now)
    email = f"{name.split()[0].lower()}{next(_numbers)}@example.test"
    user = create_user(email=email, name=name, password=password, by=SYSTEM, now=now)
    for role in roles:
        grant_role(user=user, role=role, system=system, by=admin, now=now)
    return user


def sign_in(user: User, *, now: datetime = NOW) -> Client:
    """A browser's session of this person, who has a second factor: whoever may sign or verify needs one."""
    if not Authenticator.objects.filter(user=user).exists():
        enrol_totp(user, secret=TOTP_SECRET, now=now)
    client = Client()
    client.force_login(user, backend="accounts.backends.SignInBackend")
    return client


@dataclass
class People:
    """One person for each role, and a second engineer, since nobody approves what they wrote."""

    admin: User
    product: User
    product2: User
    engineer: User
    engineer2: User
    operator: User
    operator2: User
    platform: User
    privacy: User
    compliance: User
    auditor: User

    def owners(self) -> dict[str, User]:
        return {
            Area.PRODUCT: self.product,
            Area.ENGINEERING: self.engineer,
            Area.OPERATIONS: self.operator,
            Area.PLATFORM: self.platform,
            Area.PRIVACY: self.privacy,
            Area.COMPLIANCE: self.compliance,
            Area.MODEL_REGRESSIONS: self.engineer,
            Area.BUDGET: self.product,
            Area.ON_CALL: self.operator,
            Area.ESCALATION: self.operator,
        }


def make_people(*, system: str = "", now: datetime = NOW, password: str | None = None) -> People:
    admin = make_admin(now=now)

    def one(name: str, role: str) -> User:
        return make_user(name, role, system=system, now=now, password=password, admin=admin)

    return People(
        admin=admin,
        product=one("Petra Product", Role.PRODUCT),
        product2=one("Paul Product", Role.PRODUCT),
        engineer=one("Emil Engineer", Role.ENGINEERING),
        engineer2=one("Ella Engineer", Role.ENGINEERING),
        operator=one("Otto Operator", Role.OPERATIONS),
        operator2=one("Olga Operator", Role.OPERATIONS),
        platform=one("Pia Platform", Role.PLATFORM),
        privacy=one("Priya Privacy", Role.PRIVACY),
        compliance=one("Carl Compliance", Role.COMPLIANCE),
        auditor=one("Aud Auditor", Role.AUDITOR),
    )


def make_system(
    slug: str = "support-bot",
    *,
    people: People | None = None,
    owners: Mapping[str, User] | None = None,
    now: datetime = NOW,
    **fields: Any,
) -> System:
    """A system; with `people` every area has its owner."""
    fields.setdefault("name", slug.replace("-", " ").capitalize())
    if people is not None and owners is None:
        owners = people.owners()
    return create_system(slug=slug, by=make_admin(now=now), now=now, owners=owners, **fields)


def make_component(
    system: System, kind: str = Kind.PROMPT, name: str = "", *, by: User, now: datetime = NOW
) -> Component:
    return add_component(system=system, kind=kind, name=name or PARTS[kind][0], by=by, now=now)


def make_version(
    component: Component,
    content: bytes | None = None,
    *,
    by: User,
    reviewer: User | None = None,
    now: datetime = NOW,
    meta: Mapping[str, Any] | None = None,
    note: str = "",
) -> Version:
    """The next version; with a reviewer it is submitted and approved."""
    data = PARTS[component.kind][1] if content is None else content
    version = draft_version(component=component, content=data, by=by, now=now, meta=meta, note=note)
    if reviewer is None:
        return version
    if breaks_of(version)[1]:
        write_compatibility(version=version, text="Read it anew.", window_days=30, by=by, now=now)
    version = submit_version(version=version, by=by, now=now)
    return approve_version(version=version, by=reviewer, now=now, note="Read it line by line.")


@dataclass
class Whole:
    """A system with every owner and an approved version of each usual component, written by `people.engineer`."""

    system: System
    people: People
    versions: dict[str, Version] = field(default_factory=dict)


def make_whole_system(
    slug: str = "support-bot", *, people: People | None = None, now: datetime = NOW, password: str | None = None
) -> Whole:
    people = people or make_people(now=now, password=password)
    whole = Whole(make_system(slug, people=people, now=now), people)
    for kind in PARTS:
        reviewer = people.product if reviewer_role(kind) == Role.PRODUCT else people.engineer2
        component = make_component(whole.system, kind, by=people.engineer, now=now)
        whole.versions[kind] = make_version(component, by=people.engineer, reviewer=reviewer, now=now)
    return whole
