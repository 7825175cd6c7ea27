"""What batch commands are told, turned into records; whatever is unknown gets a sentence."""

import time
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar

from django.core.management.base import CommandError, OutputWrapper
from django.db.models import Model, QuerySet

from redemption.models import Product, Program, Retailer, User

_Record = TypeVar("_Record", bound=Model)


def add_batch_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--product", metavar="SKU", required=True, help="what a code grants")
    parser.add_argument("--program", metavar="SLUG", default="", help="needed where several programs have the SKU")
    parser.add_argument("--retailer", metavar="SLUG", required=True, help="whom the codes are for")
    parser.add_argument("--by", metavar="EMAIL", required=True, help="who does it; needs a role that may")
    parser.add_argument("--expires", metavar="YYYY-MM-DD", default="", help="the last day on which the codes work")


def product_of(options: dict[str, Any]) -> Product:
    products = Product.objects.select_related("program")
    if options["program"]:
        products = products.filter(program=program_of(options["program"]))
    return _one(products, "product with the SKU", "sku", options["product"], "name one with --program")


def program_of(slug: str) -> Program:
    return _one(Program.objects.all(), "program", "slug", slug)


def retailer_of(options: dict[str, Any]) -> Retailer:
    return _one(Retailer.objects.all(), "retailer", "slug", options["retailer"])


def user_of(options: dict[str, Any]) -> User:
    return _one(User.objects.all(), "user", "email__iexact", options["by"])


def expiry_of(options: dict[str, Any]) -> date | None:
    try:
        return date.fromisoformat(options["expires"]) if options["expires"] else None
    except ValueError:
        raise CommandError("Write the expiry as YYYY-MM-DD, a day of the calendar.") from None


def _one(records: QuerySet[_Record], what: str, field: str, text: str, hint: str = "") -> _Record:
    # The database takes neither NUL bytes nor lone surrogates, and no record has them.
    found = list(records.filter(**{field: text}).order_by("pk")[:2]) if text.isprintable() else []
    if not found:
        raise CommandError(f"There is no {what} {text[:60] if text.isprintable() else '(unprintable)'}.")
    if len(found) > 1:
        raise CommandError(f"There are several: {hint}.")
    return found[0]


def counter(stream: OutputWrapper, what: str, total: int | None = None) -> Callable[[int], None]:
    """A progress callback: one line that counts up, from the second second on, and only for a person's eyes."""
    shown_at = time.monotonic()

    def show(done: int) -> None:
        nonlocal shown_at
        if stream.isatty() and time.monotonic() - shown_at >= 1:
            shown_at = time.monotonic()
            of = f" of {total:,}" if total is not None else ""
            stream.write(f"\r{done:,}{of} {what}")
            stream.flush()

    return show
