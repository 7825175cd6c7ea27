"""A till of the retailer whose `batch` the test's own file makes."""

import pytest

from tests.support.till.tills import Till


@pytest.fixture
def till(batch):
    return Till(batch.retailer)
