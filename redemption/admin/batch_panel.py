"""What a batch's page shows above its fields: figures, what can be done, its print file, its last events."""

from dataclasses import dataclass, field
from typing import Any

from django.db.models import F, Q
from django.utils.safestring import SafeString

from redemption.admin.base import badge
from redemption.admin.batch_actions import ACTIONS, BatchAction
from redemption.models import (
    Batch,
    BatchJob,
    BatchStatus,
    BatchTally,
    CardEvent,
    JobStatus,
    PrintFile,
    PrintFileDownload,
    User,
)
from redemption.money import format_minor
from redemption.roles import Permission

MOST_EVENTS = 50
_COLOURS = {
    BatchStatus.DRAFT: "",
    BatchStatus.ISSUED: "info",
    BatchStatus.ACTIVE: "success",
    BatchStatus.FROZEN: "warning",
    BatchStatus.CLOSED: "danger",
}


@dataclass(frozen=True, slots=True)
class Panel:
    batch: Batch
    status: SafeString
    figures: list[tuple[str, str]]
    actions: list[BatchAction]
    job: BatchJob | None
    print_file: PrintFile | None
    may_fetch: bool
    may_destroy: bool
    downloads: list[PrintFileDownload] = field(default_factory=list)
    events: list[CardEvent] = field(default_factory=list)

    @property
    def is_working(self) -> bool:
        return self.job is not None and is_under_way(self.job)


def status_badge(batch: Batch) -> SafeString:
    return badge(batch.get_status_display(), _COLOURS[BatchStatus(batch.status)])


def is_under_way(job: BatchJob) -> bool:
    return job.status in {JobStatus.QUEUED, JobStatus.RUNNING}


def panel(batch: Batch, user: User) -> Panel:
    print_file = PrintFile.objects.select_related("destroyed_by").filter(batch=batch).first()
    may_fetch = bool(print_file and not print_file.destroyed_at and user.may(Permission.FETCH_PRINT_FILES))
    job = batch.jobs.select_related("by").first()
    open_actions = [action for action in ACTIONS.values() if action.is_open_to(user, batch)]
    # The one has a button of its own; without an expiry there is nothing to extend.
    destroy, extend = ACTIONS["destroy-print-file"], ACTIONS["extend"]
    aside = [destroy] if batch.expires_on else [destroy, extend]
    return Panel(
        batch=batch,
        status=status_badge(batch),
        figures=_figures(batch),
        # While the codes are being made, nothing else is done to the batch.
        actions=[] if job and is_under_way(job) else [action for action in open_actions if action not in aside],
        job=job if job and job.status != JobStatus.DONE else None,
        print_file=print_file,
        may_fetch=may_fetch,
        may_destroy=may_fetch and destroy in open_actions,
        downloads=list(print_file.downloads.select_related("by").order_by("-pk")[:MOST_EVENTS]) if print_file else [],
        events=_events(batch),
    )


def _figures(batch: Batch) -> list[tuple[str, str]]:
    tally = BatchTally.objects.filter(batch=batch).first()
    if not tally:
        return [("Codes to make", f"{batch.quantity:,}")]
    return [
        ("Issued", f"{tally.issued:,}"),
        ("Activated", f"{tally.activated:,}"),
        ("Redeemed", f"{tally.redeemed:,}"),
        ("Refused tries", f"{tally.refused:,}"),
        ("Outstanding", format_minor(tally.outstanding, batch.currency)),
    ]


def _events(batch: Batch) -> list[CardEvent]:
    """Events of the batch and of ranges, newest first. Single cards' are on their own pages: tills write millions."""
    if not batch.serials:
        return []
    is_single: Any = Q(first_serial=F("last_serial"))
    # A batch of one card has no ranges; its index is the one of single cards.
    which = is_single & Q(first_serial=batch.first_serial) if batch.quantity == 1 else Q(batch=batch) & ~is_single
    return list(CardEvent.objects.filter(which).select_related("by").order_by("-pk")[:MOST_EVENTS])
