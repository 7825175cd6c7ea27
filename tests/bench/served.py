"""The settings of the server that a bench starts: the tests', on the bench's own database, as its owner."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASE_OWNER, DATABASES

DATABASES["default"].update(DATABASE_OWNER, NAME=os.environ["BENCH_DATABASE_NAME"])
# What is measured is redeeming, and not who may how often.
PLATFORM_REQUESTS_PER_MINUTE = 0
