"""The cards of one report: how many are in which state, a page of them, and which of them can be judged.

Each is one statement over the report's own lines, of which there may be 100,000; the cards are joined by their serial
numbers.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db import connection

from redemption.models import Code, CodeStatus, Replacement
from redemption.money import format_minor
from support.addresses import UnknownFilterError
from support.diagnosis import State, state_of, with_state
from support.models import TO_BE_JUDGED, Answer, CompromiseReport, Problem
from support.stages import ANSWERS, OUTCOMES, StageMeta

PAGE = 100
# What has been decided about a card, besides Outcome: nothing; it waits for a second person; or the second person has
# allowed its replacement, which nobody has handed over yet. Nothing can be decided about the others.
UNDECIDED, ASKED, ALLOWED, NEVER = "undecided", "asked", "allowed", "never"
DECISIONS = {
    UNDECIDED: StageMeta("To be judged", "gavel", "waiting"),
    ASKED: StageMeta("Waits for a second person", "hourglass_top", "waiting"),
    ALLOWED: StageMeta("To be handed over", "storefront", "blocked"),
    **{outcome.value: meta for outcome, meta in OUTCOMES.items()},
}


def in_statement(answers: Collection[Answer]) -> str:
    """For IN: the values are our own, and hold no quotes."""
    return "({})".format(", ".join(f"'{answer.value}'" for answer in answers))


_DECISION = f"""CASE
    WHEN r.outcome <> '' THEN r.outcome
    WHEN r.answer NOT IN {in_statement(TO_BE_JUDGED)} THEN '{NEVER}'
    WHEN q.status = 'pending' AND q.expires_at > %(now)s::timestamptz THEN '{ASKED}'
    WHEN q.status = 'approved' AND q.action = 'replace' THEN '{ALLOWED}'
    ELSE '{UNDECIDED}' END"""
_ROWS = f"""
    SELECT r.id, r.line, r.serial, r.problem, r.answer, r.redeemed_at, r.decided_at, r.request_id, c.status,
        {_DECISION} AS decision
    FROM support_reportedcard r
    LEFT JOIN redemption_code c ON c.serial = r.serial
    LEFT JOIN redemption_approvalrequest q ON q.id = r.request_id
    WHERE r.report_id = %(report)s::bigint"""


@dataclass(frozen=True, slots=True)
class Filters:
    """What an address asks for; "" is no such filter. `status` is a card's, as it is now."""

    answer: str = ""
    status: str = ""
    decision: str = ""

    @classmethod
    def read(cls, address: Mapping[str, str]) -> "Filters":
        """Raises UnknownFilterError."""
        filters = cls(**{field.name: address.get(field.name, "").strip() for field in fields(cls)})
        known = (
            filters.answer in {"", *Answer.values}
            and filters.status in {"", "none", *map(str, CodeStatus.values)}
            and filters.decision in {"", NEVER, *DECISIONS}
        )
        if not known:
            raise UnknownFilterError
        return filters

    @property
    def address(self) -> str:
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return urlencode({name: value for name, value in given.items() if value})

    @property
    def condition(self) -> str:
        return "".join(
            sql
            for value, sql in (
                (self.answer, " AND r.answer = %(answer)s::text"),
                (self.status == "none", " AND c.status IS NULL"),
                (self.status not in {"", "none"}, " AND c.status = %(status)s::smallint"),
            )
            if value
        )

    @property
    def parameters(self) -> dict[str, Any]:
        return {
            "answer": self.answer,
            "status": int(self.status) if self.status.isdecimal() else None,
            "decision": self.decision,
        }


@dataclass(frozen=True, slots=True)
class Group:
    """Cards that are alike: what was found, what they are now, what was decided."""

    filters: Filters
    answer: StageMeta
    now: str
    decision: StageMeta | None
    count: int
    is_chosen: bool


def groups(report: CompromiseReport, chosen: Filters, *, now: datetime) -> list[Group]:
    """Every card of the report stands in one; the largest first."""
    found = fetched(
        f"SELECT answer, status, decision, count(*) FROM ({_ROWS}) AS cards GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3",
        {"report": report.pk, "now": now},
    )
    made = []
    for answer, status, decision, count in found:
        filters = Filters(answer, "none" if status is None else str(status), decision)
        word = CodeStatus(status).label if status is not None else ""
        made.append(
            Group(filters, ANSWERS[Answer(answer)], word, DECISIONS.get(decision), count, is_chosen=filters == chosen)
        )
    return made


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the report, with its card as it is now. `tries`: before it was activated, if ever it was."""

    pk: int
    number: int
    serial: int | None
    problem: str
    answer: StageMeta
    is_too_late: bool
    redeemed_at: datetime | None
    decision: StageMeta | None
    decided_at: datetime | None
    request: int | None
    is_undecided: bool
    is_allowed: bool
    card: Code | None = None
    state: State | None = None
    tries: int = 0


def lines(report: CompromiseReport, filters: Filters, *, after: int | None, now: datetime) -> tuple[list[Line], bool]:
    """A page of them in their order, behind the line with the key `after`; and whether there are more. Three queries
    at most."""
    behind = (
        " AND (r.line, r.id) > (SELECT line, id FROM support_reportedcard"
        " WHERE id = %(after)s::bigint AND report_id = %(report)s::bigint)"
    )
    by_decision = " WHERE decision = %(decision)s::text" if filters.decision else ""
    found = fetched(
        f"SELECT * FROM ({_ROWS}{filters.condition}{behind if after else ''}) AS cards{by_decision}"
        " ORDER BY line, id LIMIT %(limit)s::int",
        {**filters.parameters, "report": report.pk, "now": now, "after": after, "limit": PAGE + 1},
    )
    made = [_line(row) for row in found[:PAGE]]
    serials = [line.serial for line in made if line.serial]
    cards = {card.pk: card for card in with_state(Code.objects.filter(pk__in=serials))} if serials else {}
    tries = _tries_before(serials) if serials else {}
    shown = [
        replace(line, card=card, state=state_of(card, now), tries=tries.get(card.pk, 0))
        if (card := cards.get(line.serial or 0))
        else line
        for line in made
    ]
    return shown, len(found) > PAGE


def _line(row: tuple[Any, ...]) -> Line:
    pk, number, serial, problem, answer, redeemed_at, decided_at, request, _, decision = row
    return Line(
        pk,
        number,
        serial,
        Problem(problem).label if problem else "",
        ANSWERS[Answer(answer)],
        Answer(answer).is_too_late,
        redeemed_at,
        DECISIONS.get(decision),
        decided_at,
        request if decision in {ASKED, ALLOWED} else None,
        decision == UNDECIDED,
        decision == ALLOWED,
    )


def _tries_before(serials: list[int]) -> dict[int, int]:
    found = fetched(
        "SELECT c.serial, count(*) FROM redemption_code c JOIN redemption_attempt a ON a.code_id = c.serial"
        " WHERE c.serial = ANY(%(serials)s::bigint[]) AND (c.activated_at IS NULL OR a.at < c.activated_at)"
        " GROUP BY 1",
        {"serials": serials},
    )
    return dict(found)


# --- What can be judged

# Which of the cards a verb takes at once.
FROZEN, TOO_LATE = "frozen", "too_late"


@dataclass(frozen=True, slots=True)
class Judged:
    """As far as judging goes. `status` is None where there is no such card."""

    serial: int
    answer: Answer
    status: CodeStatus | None
    decision: str


def to_judge(report: CompromiseReport, serials: Collection[int] | None, *, now: datetime) -> list[Judged]:
    """These cards of the report, or all of it that nobody has decided or handed over, in their order."""
    where = f"decision IN ('{UNDECIDED}', '{ALLOWED}')" if serials is None else "serial = ANY(%(serials)s::bigint[])"
    found = fetched(
        f"SELECT serial, answer, status, decision FROM ({_ROWS}) AS cards WHERE {where} ORDER BY serial",
        {"report": report.pk, "now": now, "serials": sorted(serials or ())},
    )
    return [
        Judged(serial, Answer(answer), None if status is None else CodeStatus(status), decision)
        for serial, answer, status, decision in found
    ]


def allowed(report: CompromiseReport, *, now: datetime, limit: int) -> list[int]:
    """Serial numbers of cards whose replacement was allowed and waits to be handed over."""
    found = fetched(
        f"SELECT serial FROM ({_ROWS}) AS cards WHERE decision = '{ALLOWED}' ORDER BY serial LIMIT %(limit)s::int",
        {"report": report.pk, "now": now, "limit": limit},
    )
    return [serial for (serial,) in found]


@dataclass(frozen=True, slots=True)
class Worth:
    """Cards of one currency in one status, and their value together; zero value: premium time."""

    currency: str
    status: CodeStatus
    count: int
    value: int

    @property
    def shown(self) -> str:
        return format_minor(self.value, self.currency) if self.value else "premium time"


def worth(serials: list[int]) -> list[Worth]:
    """What these cards are, as they are now. A successor is worth what it inherited."""
    found = fetched(
        "SELECT b.currency, c.status, count(*),"
        " sum(CASE WHEN b.purpose = 'replacements' THEN i.value ELSE b.value END)::bigint"
        " FROM unnest(%(serials)s::bigint[]) AS given (serial)"
        " JOIN redemption_code c ON c.serial = given.serial JOIN redemption_batch b ON b.id = c.batch_id"
        f" LEFT JOIN {Replacement._meta.db_table} i ON i.successor_id = c.serial GROUP BY 1, 2 ORDER BY 1, 2",
        {"serials": serials},
    )
    return [Worth(currency, CodeStatus(status), count, value) for currency, status, count, value in found]


def fetched(sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
