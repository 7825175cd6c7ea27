"""Two people at the desk."""

import pytest

from redemption.roles import Role
from tests import factories


@pytest.fixture
def agent():
    return factories.user(Role.AGENT)


@pytest.fixture
def manager():
    return factories.user(Role.MANAGER)
