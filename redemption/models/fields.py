"""Columns that Django has no field for."""

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Func

if TYPE_CHECKING:
    _IntegerField = models.Field[int, int]
    _ForeignKey = models.ForeignKey[Any, Any]
else:
    _IntegerField, _ForeignKey = models.Field, models.ForeignKey


class TransactionIdField(_IntegerField):
    """The id of the transaction that wrote the row (`xid8`), set by the database and by nobody else.

    Rows below `pg_snapshot_xmin(pg_current_snapshot())` are complete: no older transaction can still add one.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.update(editable=False, db_default=Func(function="pg_current_xact_id"))
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["editable"], kwargs["db_default"]
        return name, path, args, kwargs

    def db_type(self, connection: Any) -> str:
        return "xid8"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> int | None:
        return None if value is None else int(value)

    def get_prep_value(self, value: Any) -> Any:
        return value if value is None or hasattr(value, "resolve_expression") else str(value)


class HotForeignKey(_ForeignKey):
    """A reference to one of few rows that millions of rows share: programs, retailers, batches.

    The database checks nothing per row: each check would lock the shared parent, and a hundred redemptions at once
    would queue for it. What is referred to cannot go away: a batch with codes refuses to be deleted, and it holds its
    product, retailer and program by constraints.
    """

    def __init__(self, to: Any, on_delete: Any = models.PROTECT, **kwargs: Any) -> None:
        kwargs.update(on_delete=on_delete, db_constraint=False, db_index=False)
        super().__init__(to, **kwargs)
