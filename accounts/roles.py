"""Roles, held per system or for the whole organisation. What each may do is said where it is done."""

from django.db import models


class Role(models.TextChoices):
    PRODUCT = "product", "Product"
    ENGINEERING = "engineering", "Engineering"
    OPERATIONS = "operations", "Operations"
    PLATFORM = "platform", "Platform owner"
    PRIVACY = "privacy", "Privacy"
    COMPLIANCE = "compliance", "Compliance"
    AUDITOR = "auditor", "Auditor"
    ADMIN = "admin", "Admin"


# Roles whose holders verify or sign: granting one takes a second person and is announced to all signers.
SIGNING_ROLES = frozenset(
    {Role.PRODUCT, Role.ENGINEERING, Role.OPERATIONS, Role.PLATFORM, Role.PRIVACY, Role.COMPLIANCE}
)
# An admin confirms the others, so one admin alone must not be able to make a second one.
CONFIRMED_ROLES = SIGNING_ROLES | {Role.ADMIN}
# Two of these sign every release: one person never holds both sides of one.
SIDES = (Role.ENGINEERING, Role.OPERATIONS)


def confirming_sides(role: str) -> tuple[Role, ...]:
    """The sides whose holders may be the second person for a grant of `role`: for a side, the other one."""
    return tuple(side for side in SIDES if side != role)
