"""Advisory locks, held to the end of the transaction. The first number is the class, the second the row's id.

Redemptions share a batch's lock while they claim a code of it; whatever changes the batch takes it alone (a trigger
sees to that), and so waits for them: nothing is redeemed once a freeze has committed. The database keeps such locks in
memory, where `FOR SHARE` on a popular batch's row would write to disk at every redemption.
"""

from django.db import connection

BATCH = 1
PROGRAM_CODES = 2
SERIALS = 3
WORKLOAD = 4
SENDING = 5
# Shared by whoever grants a credit, taken by whoever stops all credits or changes their limits.
CREDITS = 6
# The rolling sums of one person, then of one account: always in this order.
CREDITS_BY = 7
CREDITS_TO = 8
SEALING = 9
# Whoever gives the application its rights in the database.
RIGHTS = 10
# Whoever mails a retailer what became of a report.
TELLING = 11
# Shared by whoever freezes what a retailer reports, taken by whoever judges what it has reported.
REPORTS = 12
# Whoever raises the signs of compromised cards.
SIGNS = 14
# Of two requests of machines with one idempotency key, the second waits.
API_REQUESTS = 13
# Whoever makes a key for a program's platform.
PLATFORM_KEYS = 15


def share(lock: int, row_id: int) -> None:
    """Waits for whoever has taken the lock and keeps others from taking it, to the end of the transaction."""
    assert connection.in_atomic_block, "a lock outside a transaction is gone at once"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s::int, %s::int)", [lock, row_id])


def take(lock: int, row_id: int = 0) -> None:
    """Waits for the lock and keeps it to the end of the transaction; needs one."""
    assert connection.in_atomic_block, "a lock outside a transaction is gone at once"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s::int, %s::int)", [lock, row_id])
