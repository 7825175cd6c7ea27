"""What staff do and look at on the domain's own pages and by its commands, told to the audit trail.

The desk keeps the trail, and nothing here imports the desk: it says at the start how to record. Until it has, telling
is an error, so that nothing goes on unrecorded.
"""

from collections.abc import Iterable
from typing import Any, Protocol

from redemption.models import User


class Recorder(Protocol):
    def __call__(
        self, action: str, *, by: User, target: str = "", also: Iterable[str] = (), personal: str = "", **details: Any
    ) -> object: ...


class NobodyRecordsError(Exception):
    """No desk is installed: a programming error."""


_recorder: Recorder | None = None


def record_with(recorder: Recorder) -> None:
    global _recorder
    _recorder = recorder


def tell(
    action: str, *, by: User, target: str = "", also: Iterable[str] = (), personal: str = "", **details: Any
) -> None:
    """One event, in the transaction of what it tells of. `action` is one of the desk's; `target` and `also` are such as
    “batch:7”; `details` are ids and enum values; what could name a person goes into `personal`, which can be erased."""
    if _recorder is None:
        raise NobodyRecordsError(action)
    _recorder(action, by=by, target=target, also=also, personal=personal, **details)
