"""Signs that are worth a question, by person; each opens what it was counted from."""

from collections.abc import Callable

from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from redemption.models import Account
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.models import AuditAction
from support.pages import older_than, page
from support.permissions import requires
from support.reports import signals as figures
from support.reports.charts import Cell, Chart, Series, number, percent
from support.reports.filters import JUST_UNDER, TENTHS, Filters
from support.reports.pictures import list_address
from support.reports.signals import PAGE, LookUp, Signs
from support.views.reporting import asked, choices


@require_safe
@requires(Permission.VIEW_REPORTS)
@transaction.atomic
def signals(request: StaffRequest) -> HttpResponse:
    found = asked(request)
    filters = found.filters.only("period", "first", "until", "program", "agent")
    audit.record(AuditAction.REPORT_OPENED, by=request.user, target="report:signals", query=filters.address)
    people = [] if found.error else figures.signal_rows(filters.but(agent=""))
    context = {
        **choices(found),
        "period": filters.weeks,
        "charts": _charts(people, filters.but(agent="")) if people else [],
        "repeated": [
            (row, list_address(filters, agent=row.person.pk, unit=row.unit, amount=row.amount))
            for row in (figures.repeated_amounts(filters) if people else [])
        ],
        "domains": [
            (row, list_address(filters, agent=row.person.pk, domain=row.name))
            for row in (figures.domains(filters) if people else [])
        ],
        **_looked(request, filters, people),
    }
    return page(request, "support/signals.html", context, title="Signals", status=found.status)


def _looked(request: StaffRequest, filters: Filters, people: list[Signs]) -> dict[str, object]:
    """One person's look-ups without a ticket, where the address names him."""
    signs = next((signs for signs in people if str(signs.person.pk) == filters.agent), None)
    if not signs:
        return {}
    before = older_than(request)
    rows = figures.look_ups(filters, person=signs.person.pk, before=before)
    return {
        "looker": signs.person,
        "look_ups": _with_pages(rows[:PAGE]),
        "older": rows[PAGE - 1].event if len(rows) > PAGE else None,
        "without": filters.but(agent="").address,
    }


def _with_pages(rows: list[LookUp]) -> list[tuple[LookUp, str, str]]:
    """Each with what it is called and where its page is."""
    accounts = Account.objects.in_bulk([row.record for row in rows if row.kind == "account"])
    named = []
    for row in rows:
        if row.kind == "code":
            named.append((row, f"Card {row.record}", reverse("code", args=[row.record])))
        elif account := accounts.get(row.record):
            named.append((row, f"Account {account.reference}", reverse("account", args=[account.reference])))
        else:
            named.append((row, f"Account {row.record}, which is gone", ""))
    return named


def _charts(people: list[Signs], filters: Filters) -> list[Chart]:
    tenths = [sum(signs.tenths[tenth] for signs in people) for tenth in TENTHS]
    return [
        _ranking(
            "contact",
            "Credits without a word of the customer’s",
            [signs for signs in people if signs.credits],
            "without_contact",
            "credits",
            lambda signs: list_address(filters, agent=signs.person.pk, contact="no"),
            "On tickets to which the customer had not written by then: nobody outside asked for them.",
        ),
        _ranking(
            "look-ups",
            "Customers’ pages opened without a ticket",
            [signs for signs in people if signs.look_ups],
            "without_ticket",
            "look_ups",
            lambda signs: f"{reverse('signals')}?{filters.but(agent=signs.person.pk).address}#look-ups",
            "Pages of accounts and cards that no ticket is about: neither one of the account or card, nor one from the "
            "account’s address, nor one of the account that redeemed the card. Of all programs.",
        ),
        Chart(
            "tenths",
            "How near credits come to the limit for one",
            "Share of the limit",
            "bars",
            "Credits granted alone",
            [f"{10 * tenth} to {10 * tenth + 10} %" for tenth in TENTHS],
            [
                Series(
                    "Credits",
                    [
                        number(count, list_address(filters, tenth=tenth) if count else "")
                        for tenth, count in enumerate(tenths)
                    ],
                )
            ],
            note="Of the limit that held for whoever granted them then.",
            marks={JUST_UNDER: "Just under the limit"} if tenths[JUST_UNDER] else {},
        ),
        _ranking(
            "just-under",
            "Just under the limit: 90 to 100 % of it",
            [signs for signs in people if signs.alone],
            "just_under",
            "alone",
            lambda signs: list_address(filters, agent=signs.person.pk, tenth=JUST_UNDER),
            "Among the credits that each granted alone.",
        ),
    ]


def _ranking(
    name: str, title: str, people: list[Signs], part: str, of: str, to: Callable[[Signs], str], note: str
) -> Chart:
    """People by how often a sign stands beside their name. Marked: half of what they did, where it was enough."""
    ranked = sorted(people, key=lambda signs: (-getattr(signs, part), str(signs.person), signs.person.pk))
    shares = [round(100 * getattr(signs, part) / getattr(signs, of)) for signs in ranked]
    return Chart(
        name,
        title,
        "Person",
        "sideways",
        "Credits" if of != "look_ups" else "Pages",
        [str(signs.person) for signs in ranked],
        [
            Series("Role", [Cell(None, signs.role) for signs in ranked], is_drawn=False),
            Series(
                "Signs", [number(getattr(signs, part), to(signs) if getattr(signs, part) else "") for signs in ranked]
            ),
            Series("Of all his", [number(getattr(signs, of)) for signs in ranked], is_drawn=False),
            Series("Share", [percent(share) for share in shares], is_drawn=False),
        ],
        note=note,
        marks={
            place: "Half of them or more"
            for place, signs in enumerate(ranked)
            if getattr(signs, part) >= figures.ENOUGH and shares[place] >= 50
        },
    )
