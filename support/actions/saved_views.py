"""A person's own views of the queue: named, renamed, thrown away."""

from django.db import IntegrityError, transaction

from redemption.models import User
from support.models import SavedView
from support.queue import Query
from support.redaction import redact

MOST_VIEWS = 30
_LONGEST_NAME = 60


class SavedViewError(Exception):
    """Why a view is not kept so, in a sentence for its owner."""


def save_view(*, name: str, query: Query, by: User) -> SavedView:
    if SavedView.objects.filter(owner=by).count() >= MOST_VIEWS:
        raise SavedViewError(f"You have {MOST_VIEWS} views. Delete one first.")
    return _write(SavedView(owner=by, query=query.address), name)


def rename_view(*, view: SavedView, name: str) -> SavedView:
    return _write(view, name)


def _write(view: SavedView, name: str) -> SavedView:
    view.name = " ".join(redact(name.replace("\0", "")).text.split())
    if not 1 <= len(view.name) <= _LONGEST_NAME:
        raise SavedViewError(f"Give it a name of {_LONGEST_NAME} characters at most.")
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError:
        raise SavedViewError("You have a view of this name already.") from None
    return view
