"""The tests' settings for a `manage.py verify_audit` of its own on the database that TEST_DATABASE_NAME names, as its
owner: a restored copy belongs to whoever restored it."""

from tests.redemption.worker_settings import *  # noqa: F403
from tests.redemption.worker_settings import DATABASES
from tests.settings import DATABASE_OWNER

DATABASES["default"].update(DATABASE_OWNER)
