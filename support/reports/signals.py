"""Signs that are worth a question, by person: no proof of anything. Credits nobody had asked for, amounts just under a
limit, and customers' pages opened without a ticket."""

from dataclasses import dataclass, field
from datetime import datetime

from redemption.models import User
from redemption.roles import Role
from support.models import AuditAction, format_amount
from support.reports.filters import JUST_UNDER, TENTHS, Filters
from support.reports.reading import read

PAGE = 50
# An amount counts as repeated from so many times on, and where it is so large a share of a person's credits.
REPEATED, REPEATED_SHARE = 5, 3
# A share is a sign only among so many.
ENOUGH = 5


@dataclass(slots=True)
class Signs:
    """Of one person in the period. `tenths`: what he granted alone, by the tenth of his limit that it lay in."""

    person: User
    credits: int = 0
    without_contact: int = 0
    alone: int = 0
    tenths: list[int] = field(default_factory=lambda: [0 for _ in TENTHS])
    look_ups: int = 0
    without_ticket: int = 0

    @property
    def role(self) -> str:
        return Role(self.person.role).label

    @property
    def just_under(self) -> int:
        return self.tenths[JUST_UNDER]

    @property
    def without_contact_share(self) -> int:
        return _percent(self.without_contact, self.credits)

    @property
    def just_under_share(self) -> int:
        return _percent(self.just_under, self.alone)

    @property
    def without_ticket_share(self) -> int:
        return _percent(self.without_ticket, self.look_ups)


def signal_rows(filters: Filters) -> list[Signs]:
    """Everybody who granted a credit or opened a customer's page in the period, by name."""
    found: dict[int, Signs] = {}
    granted = read(_CREDITS, filters, filters.days)
    looked = read(_LOOK_UPS, filters, filters.days, **_ANYBODY)
    people = User.objects.in_bulk({row[0] for row in granted} | {row[0] for row in looked})
    for pk, tenth, count, without_contact, alone in granted:
        signs = found.setdefault(pk, Signs(people[pk]))
        signs.credits += count
        signs.without_contact += without_contact
        signs.alone += alone
        if tenth is not None:
            signs.tenths[tenth] += count
    for pk, pages, without_ticket in looked:
        # Events outlive the people whom they name.
        if pk in people:
            signs = found.setdefault(pk, Signs(people[pk]))
            signs.look_ups, signs.without_ticket = int(pages), int(without_ticket)
    return sorted(found.values(), key=lambda signs: (str(signs.person).lower(), signs.person.pk))


@dataclass(frozen=True, slots=True)
class Repeated:
    person: User
    unit: str
    amount: int
    count: int
    of: int

    @property
    def shown(self) -> str:
        return format_amount(self.amount, self.unit)

    @property
    def share(self) -> int:
        return _percent(self.count, self.of)


def repeated_amounts(filters: Filters, *, limit: int = 20) -> list[Repeated]:
    """The same amount again and again from one person: at least five times, and a third of his credits."""
    found = read(_REPEATED, filters, filters.days, limit=limit)
    people = User.objects.in_bulk({row[0] for row in found})
    return [Repeated(people[pk], *rest) for pk, *rest in found]


@dataclass(frozen=True, slots=True)
class Domain:
    person: User
    name: str
    count: int
    of: int
    accounts: int


def domains(filters: Filters, *, limit: int = 20) -> list[Domain]:
    """E-mail domains whose accounts got several credits, most of them from one person."""
    found = read(_DOMAINS, filters, filters.days, limit=limit)
    people = User.objects.in_bulk({row[0] for row in found})
    return [Domain(people[pk], *rest) for pk, *rest in found]


@dataclass(frozen=True, slots=True)
class LookUp:
    """A customer's page that was opened, and no ticket is about it."""

    event: int
    at: datetime
    # account or code, and its id.
    kind: str
    record: int


def look_ups(filters: Filters, *, person: int, before: int | None) -> list[LookUp]:
    """One person's without a ticket, the newest first; one more than a page where there are more."""
    narrowed = {"opened": _OPENS, "person": person, "event": before or _NEWEST, "limit": PAGE + 1}
    return [LookUp(*row) for row in read(_LOOKED, filters, filters.days, **narrowed)]


def _percent(part: int, of: int) -> int:
    return round(100 * part / of) if of else 0


_GRANTED = """support_manualcredit c WHERE granted_at >= %(since)s AND granted_at < %(before)s
        AND (%(program)s::bigint IS NULL OR c.program_id = %(program)s)"""

# The tenths of support.reports.credit_list, reckoned from the other side; the limit itself is in the last one.
_CREDITS = f"""
    SELECT c.granted_by_id,
        CASE WHEN c.approval_id IS NULL AND c.amount <= l.single
            THEN least({JUST_UNDER}, c.amount * 10 / nullif(l.single, 0)) END AS tenth,
        count(*), count(*) FILTER (WHERE NOT c.customer_wrote), count(*) FILTER (WHERE c.approval_id IS NULL)
    FROM (SELECT * FROM {_GRANTED}) AS c
    LEFT JOIN support_creditlimit l ON l.policy_id = c.policy_id AND l.role = c.granted_as AND l.unit = c.unit
    GROUP BY 1, 2
"""
_REPEATED = f"""
    WITH same AS (
        SELECT granted_by_id, unit, amount, count(*) AS count,
            sum(count(*)) OVER (PARTITION BY granted_by_id, unit) AS of
        FROM {_GRANTED} GROUP BY 1, 2, 3
    )
    SELECT granted_by_id, unit, amount, count, of::bigint FROM same
    WHERE count >= {REPEATED} AND count * {REPEATED_SHARE} >= of
    ORDER BY count DESC, granted_by_id, unit, amount LIMIT %(limit)s
"""
_DOMAINS = f"""
    WITH given AS (
        SELECT granted_by_id, lower(split_part(a.email, '@', 2)) AS domain, count(*) AS count,
            count(DISTINCT a.id) AS accounts
        FROM (SELECT * FROM {_GRANTED}) AS c JOIN redemption_account a ON a.id = c.account_id GROUP BY 1, 2
    ), shared AS (
        SELECT *, sum(count) OVER (PARTITION BY domain)::bigint AS of FROM given
    )
    SELECT granted_by_id, domain, count, of, accounts FROM shared
    WHERE count >= {ENOUGH} AND count * 2 > of ORDER BY count DESC, domain, granted_by_id LIMIT %(limit)s
"""

_NEWEST = 2**63 - 1
_OPENS = [AuditAction.ACCOUNT_OPENED.value, AuditAction.CODE_OPENED.value]
_ANYBODY = {"opened": _OPENS, "person": None, "event": _NEWEST}
# Customers' pages that somebody opened: an account's or a card's; and of them, those that no ticket is about: neither
# one of the account or card itself, nor one from the account's address, nor one of the account that redeemed the card.
_OPENED = """
    WITH opened AS (
        SELECT id, at, actor_id, target, split_part(target, ':', 1) AS kind,
            split_part(target, ':', 2)::bigint AS record
        FROM support_auditevent
        WHERE at >= %(since)s AND at < %(before)s AND action = ANY(%(opened)s)
            AND target ~ '^(account|code):[0-9]{1,18}$'
            AND (%(person)s::bigint IS NULL OR actor_id = %(person)s) AND id < %(event)s
    ), pages AS (
        SELECT actor_id, kind, record, count(*) AS times, max(id) AS latest FROM opened GROUP BY 1, 2, 3
    ), unasked AS (
        SELECT actor_id, kind, record, times, latest FROM pages p
        WHERE kind = 'account'
            AND NOT EXISTS (SELECT FROM support_ticket t WHERE t.account_id = p.record)
        UNION ALL
        SELECT actor_id, kind, record, times, latest FROM pages p
        WHERE kind = 'code' AND NOT EXISTS (SELECT FROM support_ticket t WHERE t.code_id = p.record)
    ), strange AS (
        SELECT * FROM unasked u WHERE NOT EXISTS (
            SELECT FROM redemption_account a JOIN support_ticket t ON lower(t.requester_email) = lower(a.email)
            WHERE u.kind = 'account' AND a.id = u.record AND t.account_id IS NULL
        ) AND NOT EXISTS (
            SELECT FROM redemption_redemption r JOIN support_ticket t ON t.account_id = r.account_id
            WHERE u.kind = 'code' AND r.code_id = u.record
        )
    )
"""
_LOOK_UPS = f"""{_OPENED}
    SELECT p.actor_id, sum(p.times), coalesce(sum(s.times), 0)
    FROM pages p LEFT JOIN strange s USING (actor_id, kind, record) GROUP BY 1
"""
_LOOKED = f"""{_OPENED}
    SELECT o.id, o.at, o.kind, o.record FROM opened o JOIN strange s USING (actor_id, kind, record)
    ORDER BY o.id DESC LIMIT %(limit)s
"""
