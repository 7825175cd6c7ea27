"""Small worlds for tests. Every function gives a row that works; keywords say what is different about it."""

import itertools
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from django.utils import timezone

from redemption.code_format import last_four
from redemption.digests import digester
from redemption.models import (
    FIRST_SERIAL,
    Account,
    Batch,
    BatchStatus,
    BatchTally,
    Benefit,
    Book,
    Code,
    CodeFormat,
    CodeStatus,
    MemberRole,
    Product,
    ProductKind,
    Program,
    Retailer,
    RetailerMember,
    Transfer,
    TransferKind,
    User,
)
from redemption.roles import Role
from support.actions.credits import Wanted, grant
from support.actions.reports import Told, open_report
from support.actions.tickets import open_ticket
from support.models import (
    CompromiseKind,
    CompromiseReport,
    CreditLimit,
    CreditPolicy,
    CreditReason,
    KnownError,
    ManualCredit,
    ReportChannel,
    Ticket,
    TicketChannel,
)
from support.reported_lines import Line

PASSWORD = "correct horse battery staple"
NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
_numbers = itertools.count(1)
_serials = itertools.count(FIRST_SERIAL, 1000)


def user(role: Role = Role.CUSTOMER, **fields: Any) -> User:
    fields.setdefault("email", f"user-{next(_numbers)}@example.com")
    return User.objects.create_user(password=fields.pop("password", PASSWORD), role=role, **fields)


def program(name: str = "Spotify Premium", *, prefix: str = "SPOTIFY", **fields: Any) -> Program:
    """Own code format: the prefix and three groups of four."""
    number = next(_numbers)
    fields = {
        "slug": f"program-{number}",
        "digest_name": f"program-{number}",
        "time_zone": "Europe/Stockholm",
        "share_link_patterns": [r"^spotify:(track|album|playlist|artist|user):", r"^https?://open\.spotify\.com/"],
        **fields,
    }
    made = Program.objects.create(name=f"{name} {number}", **fields)
    CodeFormat.objects.create(program=made, version=1, prefix=prefix)
    return made


def pin_program(**fields: Any) -> Program:
    """A supplier's format: eleven digits, no check symbol."""
    number = next(_numbers)
    made = Program.objects.create(
        name=f"Netflix {number}",
        slug=f"pin-{number}",
        digest_name=f"pin-{number}",
        time_zone="America/Los_Angeles",
        **fields,
    )
    CodeFormat.objects.create(
        program=made,
        version=1,
        alphabet="0123456789",
        length=11,
        has_check_symbol=False,
        look_alikes={"O": "0", "I": "1", "L": "1"},
    )
    return made


def product(of: Program | None = None, **fields: Any) -> Product:
    """A gift card of £30 credit, unless told otherwise; `months=3` makes it premium time."""
    of = of or program()
    premium = bool(fields.get("months") or fields.get("days"))
    fields = {
        "sku": f"SKU-{next(_numbers)}",
        "name": "Gift card",
        "kind": ProductKind.GIFT_CARD,
        "benefit": Benefit.PREMIUM if premium else Benefit.CREDIT,
        "value": 3000,
        "currency": "GBP",
        "countries": ["GB"],
        **fields,
    }
    return Product.objects.create(program=of, **fields)


def retailer(**fields: Any) -> Retailer:
    number = next(_numbers)
    return Retailer.objects.create(**{"name": f"Saturn {number}", "slug": f"saturn-{number}", **fields})


def member(of: Retailer | None = None, role: MemberRole = MemberRole.CLERK, **fields: Any) -> User:
    """Somebody who signs in for a retailer."""
    made = user(Role.RETAILER, **fields)
    RetailerMember.objects.create(retailer=of or retailer(), user=made, role=role)
    return made


def report(
    *cards: "Card",
    by: User | None = None,
    kind: CompromiseKind = CompromiseKind.STOLEN,
    now: datetime | None = None,
    **told: Any,
) -> CompromiseReport:
    """Cards of one retailer, reported by a clerk of it (or by `by`, an agent), and frozen."""
    of = cards[0].batch.retailer
    is_member = by is None or of.members.filter(user=by).exists()
    opened = open_report(
        retailer=of,
        lines=[Line(number, card.serial) for number, card in enumerate(cards, start=1)],
        told=Told(kind, **told),
        by=by or member(of),
        channel=ReportChannel.PORTAL if is_member else ReportChannel.DESK,
        now=now,
    )
    return opened.report


def batch(of: Product | None = None, *, size: int = 100, **fields: Any) -> Batch:
    """An active batch without codes yet; `card()` makes them."""
    of = of or product()
    first = fields.pop("first_serial", None) or next(_serials)
    made = Batch.objects.create(
        product=of,
        quantity=size,
        code_format=of.program.current_format(),
        **{
            "retailer_id": fields.pop("retailer_id", None) or retailer().pk,
            "created_by": User.objects.system(),
            "serials": (first, first + size),
            "status": BatchStatus.ACTIVE,
            "value": of.value,
            "currency": of.currency,
            **fields,
        },
    )
    BatchTally.objects.create(batch=made, issued=size)
    made.refresh_from_db(fields=["serials"])
    return made


@dataclass(frozen=True)
class Card:
    """A code in the clear, for tests to type."""

    text: str
    code: str
    serial: int
    batch: Batch

    @property
    def row(self) -> Code:
        return Code.objects.get(pk=self.serial)


def card(of: Batch | None = None, *, status: CodeStatus = CodeStatus.ACTIVE, sold: bool | None = None) -> Card:
    """One code of a batch, sold (with its transfer) unless inactive; a frozen one may be unsold: `sold=False`."""
    return cards(1, of, status=status, sold=sold)[0]


def cards(
    count: int, of: Batch | None = None, *, status: CodeStatus = CodeStatus.ACTIVE, sold: bool | None = None
) -> list[Card]:
    of = of or batch(size=max(100, count))
    sold = status != CodeStatus.INACTIVE if sold is None else sold
    pattern = of.code_format.pattern
    digests = digester(of.product.program.digest_name)
    made = Code.objects.filter(batch=of).count()
    now = timezone.now()
    texts = _clear_codes(pattern, count)
    rows = [
        Code(
            serial=of.serials.lower + made + position,
            digest=digests.current(text),
            batch=of,
            key_version=digests.version,
            status=status,
            last_four=last_four(text),
            activated_at=now if sold else None,
        )
        for position, text in enumerate(texts)
    ]
    Code.objects.bulk_create(rows)
    if sold and of.value:
        Transfer.objects.bulk_create(
            Transfer(
                debit=Book.RECEIVABLE,
                credit=Book.LIABILITY,
                amount=of.value,
                currency=of.currency,
                kind=TransferKind.ACTIVATE,
                source=f"code:{row.serial}",
                program_id=of.product.program_id,
                retailer_id=of.retailer_id,
                batch=of,
                code=row,
                effective_at=now,
                recorded_at=now,
            )
            for row in rows
        )
    return [Card(pattern.display(text), text, row.serial, of) for text, row in zip(texts, rows, strict=True)]


def _clear_codes(pattern: Any, count: int) -> list[str]:
    if pattern.check_symbol:
        return [code.decode() for code in pattern.generate(count)]
    # Eleven digits, however many tests there were before.
    return [str(10**10 + (19 + 7_919_191 * next(_numbers)) % (9 * 10**10)) for _ in range(count)]


def account(of: Program | None = None, **fields: Any) -> Account:
    """A verified British account on the free plan, billed by nobody."""
    return Account.objects.create(
        program=of or program(),
        **{
            "email": f"customer-{next(_numbers)}@example.com",
            "email_verified": True,
            "country": "GB",
            "currency": "GBP",
            **fields,
        },
    )


def last_day(days_ago: int) -> date:
    return date.fromordinal(timezone.now().date().toordinal() - days_ago)


# --- The desk


def ticket(of: Program | None = None, **fields: Any) -> Ticket:
    """A customer's e-mail that nobody has read yet; `body` is what it says."""
    fields = {
        "channel": TicketChannel.EMAIL,
        "subject": "My card does not work",
        "body": "I scratched it and typed it, and it does not work.",
        "requester_name": "Ada",
        "requester_email": f"customer-{next(_numbers)}@example.com",
        "program": of,
        "now": NOON,
        **fields,
    }
    return open_ticket(**fields)


def known_error(of: Program | None = None, wording: str = "This code is not valid", **fields: Any) -> KnownError:
    """The catalogue's own where it has this wording: it is seeded."""
    return KnownError.objects.update_or_create(program=of, wording=wording, defaults=fields)[0]


# --- Credits


def credit_reason(slug: str = "technical_failure", **fields: Any) -> CreditReason:
    """One of the product's own, unless told otherwise: needs nothing beside the ticket."""
    defaults = {"name": slug.replace("_", " ").capitalize(), **fields}
    return CreditReason.objects.update_or_create(slug=slug, defaults=defaults)[0]


def credit_policy(*roles: Role, unit: str = "GBP", **limits: int) -> CreditPolicy:
    """A new version in which these roles, agents unless told otherwise, have limits that nobody passes by accident, but
    for those given. `approves` is for all of them."""
    made = CreditPolicy.objects.create(made_at=timezone.now(), reason="For a test.")
    for role in roles or (Role.AGENT,):
        CreditLimit.objects.create(
            policy=made,
            role=role,
            unit=unit,
            **{
                "single": 10**6,
                "day_sum": 10**7,
                "week_sum": 10**7,
                "month_sum": 10**7,
                "account_sum": 10**7,
                "day_count": 1000,
                "week_count": 1000,
                "month_count": 1000,
                "account_count": 1000,
                **limits,
            },
        )
    return made


def wanted(to: Account | None = None, **fields: Any) -> Wanted:
    """£5 for a technical failure, on a ticket of the account's."""
    to = to or account()
    fields.setdefault("ticket", None)
    return Wanted(
        **{
            "account": to,
            "unit": to.currency,
            "amount": 500,
            "reason": credit_reason(),
            **fields,
            "ticket": fields["ticket"] or ticket(to.program, account=to),
        }
    )


def credit(
    to: Account | None = None, *, by: User | None = None, now: datetime | None = None, **fields: Any
) -> ManualCredit:
    """A credit that was granted by an agent; where his role has no limit at all in force, by one that allows it."""
    asked = wanted(to, **fields)
    by = by or user(Role.AGENT)
    if not CreditLimit.objects.filter(policy__in=CreditPolicy.objects.order_by("-pk")[:1], role=by.role).exists():
        credit_policy(Role(by.role), unit=asked.unit)
    return grant(asked, by=by, now=now)
