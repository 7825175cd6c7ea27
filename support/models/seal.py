"""Seals over what must not change: Merkle trees of rows, chained and signed. Append-only, and no logic reads them."""

from django.db import models


class SealedKind(models.IntegerChoices):
    """The sealed tables. Numbers go into the leaves and never change."""

    EVENT = 1, "Audit event"
    TRANSFER = 2, "Transfer"
    APPROVAL = 3, "Approval"
    CREDIT = 4, "Manual credit"
    REVERSAL = 5, "Reversal"
    POLICY = 6, "Credit policy"
    LIMIT = 7, "Credit limit"
    STOP = 8, "Credit stop"


class Seal(models.Model):
    number = models.PositiveBigIntegerField(primary_key=True)
    # The form of the leaves and of what is signed: the columns of a table may grow.
    version = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    # The server's own id: on another one, as after a restore, transaction ids begin anew.
    cluster = models.CharField(max_length=20)
    # Rows below this transaction id were complete.
    horizon = models.BigIntegerField()
    # {kind: rows}
    counts = models.JSONField()
    count = models.PositiveBigIntegerField()
    root = models.BinaryField(max_length=32)
    previous = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)
    signature = models.BinaryField(max_length=64)
    # The first eight bytes of the public key's hash.
    key_id = models.BinaryField(max_length=8)

    class Meta:
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"Seal {self.number}"


class SealedRow(models.Model):
    """Which seal a row is under, and its leaf. The primary key seals each row once."""

    pk = models.CompositePrimaryKey("kind", "row")
    kind = models.PositiveSmallIntegerField(choices=SealedKind)
    row = models.BigIntegerField()
    seal = models.BigIntegerField()
    leaf = models.BinaryField(max_length=32)

    class Meta:
        ordering = ["kind", "row"]

    def __str__(self) -> str:
        return f"{SealedKind(self.kind).label} {self.row}"


class SealMark(models.Model):
    """One row: up to which seal the files outside the database go, and when we last looked for something to seal."""

    exported = models.PositiveBigIntegerField(default=0)
    mailed = models.PositiveBigIntegerField(default=0)
    looked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return str(self.exported)
