"""The variables of ready replies, such as {requester}, filled in from a ticket."""

import re
from dataclasses import dataclass
from datetime import date, datetime

from django.views.decorators.debug import sensitive_variables
from django_countries.fields import Country

from redemption.models import Code, Program, User
from redemption.roles import Permission
from support.diagnosis import benefit_of, card_of, expiry_of
from support.models import Ticket

# What each stands for, as the pages explain it.
VARIABLES = {
    "requester": "the customer's name",
    "reference": "the ticket's reference",
    "program": "the program's name",
    "card": "the card's serial number",
    "card_country": "where the card works",
    "account_country": "the account's country; for those who may not see it, “another country”",
    "expires_on": "the card's last day",
    "works_from": "when it works by waiting alone, as the checks found it",
    "benefit": "what the card grants",
    "agent": "your name",
}
_WITH_AN_ARTICLE = (
    "United",
    "Netherlands",
    "Philippines",
    "Bahamas",
    "Dominican Republic",
    "Czech Republic",
    "Maldives",
)
_VARIABLE = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Filled:
    """A text with its variables filled in. Those without a value still stand in it, in their braces: `missing`."""

    text: str
    missing: list[str]


@sensitive_variables()
def values(ticket: Ticket, by: User, *, card: Code | None = None, works_from: datetime | None = None) -> dict[str, str]:
    """What can be filled in on this ticket; a variable that has no value is left out. `card`: the ticket's, where the
    caller has it with its state."""
    code = card or card_of(ticket.code_id)
    program = ticket.program or (code.batch.product.program if code else None)
    found = {
        "requester": _name(ticket, by) or "there",
        "reference": ticket.reference,
        "program": program.name if program else "",
        "agent": by.name or "Customer support",
        "account_country": _account_country(ticket, by),
    }
    if code:
        found |= {
            "card": str(code.pk),
            "card_country": _either([_in(country) for country in _countries(code)]),
            "expires_on": _day(expiry_of(code)),
            "benefit": benefit_of(code),
        }
    if works_from:
        found["works_from"] = moment(works_from, program)
    return {name: value for name, value in found.items() if value}


@sensitive_variables()
def fill(text: str, values: dict[str, str]) -> Filled:
    missing = list(dict.fromkeys(name for name in _VARIABLE.findall(text) if name not in values))
    return Filled(_VARIABLE.sub(lambda found: values.get(found[1], found[0]), text), missing)


def unknown(text: str) -> list[str]:
    """What stands in braces in a text and is no variable: a macro or a ready reply is not saved with it."""
    return list(dict.fromkeys(name for name in re.findall(r"\{([^{}]*)\}", text) if name not in VARIABLES))


def moment(at: datetime, program: Program | None) -> str:
    """“3 March 2026, 14:05 CET”, as clocks go at the program."""
    local = at.astimezone(program.zone) if program else at
    return f"{local:%-d %B %Y, %H:%M %Z}"


def _name(ticket: Ticket, by: User) -> str:
    return ticket.requester_name.strip() if by.may(Permission.SEE_PERSONAL_DATA) else ""


def _account_country(ticket: Ticket, by: User) -> str:
    if not ticket.account:
        return ""
    return _in(ticket.account.country) if by.may(Permission.SEE_PERSONAL_DATA) else "another country"


def _countries(code: Code) -> list[Country]:
    return [Country(country) for country in code.batch.product.countries]


def _in(country: Country) -> str:
    """Its name as it stands after “in”."""
    name = country.name
    return f"the {name}" if name.startswith(_WITH_AN_ARTICLE) else name


def _either(names: list[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _day(day: date | None) -> str:
    return f"{day:%-d %B %Y}" if day else ""
