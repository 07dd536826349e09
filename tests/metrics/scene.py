from dataclasses import dataclass
from datetime import UTC, datetime

from systems.models import System
from tests.factories import People

# The committed evaluation files ended on 24 November 2026.
NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


@dataclass
class Scene:
    system: System
    people: People
    now: datetime = NOW
