"""The world that redeeming and looking up are measured in: one program, many cards, ten thousand accounts.

`limit` cards carry md5 of their serial number for a digest, so that pgbench's SQL can name one; `ours` carry real ones.
"""

import io
from dataclasses import dataclass

from django.db import connection

from redemption.code_format import last_four
from redemption.digests import digester
from redemption.models import (
    Account,
    Batch,
    BatchStatus,
    BatchTally,
    Benefit,
    Channel,
    Product,
    ProductKind,
    Retailer,
    User,
)
from redemption.models.program import CodeFormat, Program
from redemption.redeem import redeem

ACCOUNTS = 10_000
HISTORY = 3_000
COLUMNS = "serial, digest, batch_id, key_version, status, last_four, activated_at"


@dataclass(frozen=True)
class World:
    program: Program
    ours: Batch
    limit: Batch
    accounts: tuple[int, int]
    # Clear codes of `ours`, by position from its first serial number.
    codes: list[str]


def build(cards: int) -> World:
    """A fresh program with `cards` active cards for either side, and some history. Written by COPY: what is measured
    comes after."""
    cards += HISTORY
    program = Program.objects.create(name="Bench", slug="bench", digest_name="bench", time_zone="UTC")
    code_format = CodeFormat.objects.create(program=program, version=1, prefix="BENCH")
    product = Product.objects.create(
        program=program, sku="CARD", name="Card", kind=ProductKind.GIFT_CARD, benefit=Benefit.CREDIT, value=3000,
        currency="GBP", countries=["GB"],
    )  # fmt: skip
    retailer = Retailer.objects.create(name="Bench", slug="bench")
    batches = [
        Batch.objects.create(
            product=product, retailer=retailer, code_format=code_format, status=BatchStatus.ACTIVE, quantity=cards,
            serials=(first, first + cards), value=3000, currency="GBP", created_by=User.objects.system(),
        )
        for first in (1_000_000_000, 2_000_000_000)
    ]  # fmt: skip
    ours, limit = (Batch.objects.get(pk=batch.pk) for batch in batches)
    for batch in batches:
        BatchTally.objects.create(batch=batch, issued=cards)
    codes = [code.decode() for code in code_format.pattern.generate(cards)]
    digests = digester("bench")
    rows = io.StringIO()
    for position, (code, digest) in enumerate(zip(codes, digests.many(code.encode() for code in codes), strict=True)):
        rows.write(f"{1_000_000_000 + position}\t\\\\x{digest.hex()}\t{ours.pk}\t1\t1\t{last_four(code)}\t2026-01-01\n")
    with connection.cursor() as cursor, cursor.copy(f"COPY redemption_code ({COLUMNS}) FROM STDIN") as copy:
        copy.write(rows.getvalue())
    fill(limit)
    Account.objects.bulk_create(
        Account(program=program, email=f"{number}@example.com", email_verified=True, country="GB", currency="GBP")
        for number in range(ACCOUNTS)
    )
    # The planner must not take the tables for empty ones: some history first, then fresh statistics.
    everyone = list(Account.objects.select_related("program").order_by("pk"))
    for code, account in zip(codes[-HISTORY:], everyone, strict=False):
        redeem(account=account, text=code, channel=Channel.WEB, address=f"192.0.2.{account.pk}")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    first_account = everyone[0].pk
    return World(program, ours, limit, (first_account, first_account + ACCOUNTS - 1), codes[:-HISTORY])


def fill(batch: Batch) -> None:
    """Every card of a batch, active, with md5 of its serial number for a digest."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO redemption_code ({COLUMNS}) "
            "SELECT n, decode(md5(n::text), 'hex'), %s, 1, 1, upper(right(md5(n::text), 4)), now() "
            "FROM generate_series(%s::bigint, %s::bigint) AS n",
            [batch.pk, batch.first_serial, batch.last_serial],
        )
