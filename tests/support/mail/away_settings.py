"""The tests' settings for a process that finds no database, and does not wait long for one."""

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES

DATABASES["default"]["OPTIONS"]["pool"]["timeout"] = 1
