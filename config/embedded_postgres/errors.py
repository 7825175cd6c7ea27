"""What a person reads when the embedded server cannot run."""

import errno
import os

from django.core.exceptions import ImproperlyConfigured

OR_ANOTHER_SERVER = "or set DATABASE_URL to a PostgreSQL server."


class EmbeddedPostgresError(ImproperlyConfigured):
    """The embedded server cannot run. The message says why, and what to do about it, in whole sentences."""


def tells_of_no_room(text: str) -> bool:
    return "No space left on device" in text or "Disk quota exceeded" in text


def no_room(place: object) -> EmbeddedPostgresError:
    return EmbeddedPostgresError(
        f"There is no room on the disk for the embedded database in {place}. Free some space (300 MB will do "
        f"to begin with), set VAR_DIR to a folder on another disk, {OR_ANOTHER_SERVER}"
    )


def from_os_error(error: OSError, place: object) -> EmbeddedPostgresError:
    """The sentence for an operating system's refusal, met while `place` was being prepared."""
    where = error.filename or place
    # A copied tree's error has no number of its own, only its files' texts.
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or tells_of_no_room(str(error)):
        return no_room(where)
    if isinstance(error, PermissionError):
        return EmbeddedPostgresError(
            f"The embedded database needs {where}, which user {os.geteuid()} may not use. Start as the user "
            f"that owns it, set VAR_DIR to a folder of your own, {OR_ANOTHER_SERVER}"
        )
    return EmbeddedPostgresError(
        f"The embedded database could not be prepared: {error.strerror or error} ({where}). "
        f"Set that right, {OR_ANOTHER_SERVER}"
    )
