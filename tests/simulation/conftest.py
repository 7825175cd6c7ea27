import fcntl
import tempfile
from pathlib import Path

import pytest
from django.db import connection

# What a shared server must keep for everybody else.
LEFT_TO_OTHERS = 25


@pytest.fixture
def crowd(transactional_db, settings, pytestconfig):
    """How many connections a crowd may have, a hundred at most. They are real ones, one a thread, none of the pool's;
    one crowd at a time, because two would be more than a server takes."""
    connection.close()
    options = connection.settings_dict["OPTIONS"]
    pool, options["pool"] = options.get("pool"), None
    try:
        with (Path(tempfile.gettempdir()) / "redemption-desk-crowd.lock").open("w") as only_one:
            fcntl.flock(only_one, fcntl.LOCK_EX)
            yield min(100, _room())
    finally:
        connection.close()
        options["pool"] = pool


@pytest.fixture
def no_limits(settings):
    """Every try reaches the claim."""
    settings.ATTEMPTS_PER_ACCOUNT = settings.ATTEMPTS_PER_ADDRESS = settings.ATTEMPTS_PER_PROGRAM = 0


def _room() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('max_connections')::int - count(*) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend'"
        )
        return int(cursor.fetchone()[0]) - LEFT_TO_OTHERS
