"""What a system is made of. Each kind says how its content is read, hashed and reviewed."""

from django.db import models

from accounts.roles import Role


class Kind(models.TextChoices):
    PROMPT = "prompt", "Prompt"
    INPUT_SCHEMA = "input_schema", "Input schema"
    OUTPUT_SCHEMA = "output_schema", "Output schema"
    CONTRACT = "contract", "Contract (limits)"
    MODEL = "model", "Model deployment"
    DATASET = "dataset", "Dataset"
    SOURCES = "sources", "Retrieval sources"
    FALLBACK = "fallback", "Fallback"
    INFRASTRUCTURE = "infrastructure", "Infrastructure"
    ARTIFACT = "artifact", "Artifact"


class Area(models.TextChoices):
    """What somebody answers for. The first six are also roles; the others are duties inside a role."""

    PRODUCT = "product", "Product"
    ENGINEERING = "engineering", "Engineering"
    OPERATIONS = "operations", "Operations"
    PLATFORM = "platform", "Platform owner"
    PRIVACY = "privacy", "Privacy"
    COMPLIANCE = "compliance", "Compliance"
    MODEL_REGRESSIONS = "model_regressions", "Model regressions"
    BUDGET = "budget", "Budget"
    ON_CALL = "on_call", "On-call rotation"
    ESCALATION = "escalation", "Escalation"


# Areas whose holder must hold the role of the same name; for the others any member of the system will do.
ROLE_AREAS = frozenset(
    {
        Area.PRODUCT,
        Area.ENGINEERING,
        Area.OPERATIONS,
        Area.PLATFORM,
        Area.PRIVACY,
        Area.COMPLIANCE,
    }
)


def reviewer_role(kind: str) -> Role:
    """Who approves a version: what counts as good is product's (datasets), all else engineering's."""
    return Role.PRODUCT if kind == Kind.DATASET else Role.ENGINEERING
