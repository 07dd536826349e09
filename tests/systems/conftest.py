import pytest

from systems.models import System
from tests.factories import People, make_people, make_system


@pytest.fixture
def people() -> People:
    return make_people()


@pytest.fixture
def system(people: People) -> System:
    return make_system(people=people)
