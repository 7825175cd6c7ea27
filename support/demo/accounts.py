"""Customers' accounts: one in each situation that support hears of, and a crowd without trouble. Names are made up."""

from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from allauth.account.models import EmailAddress

from redemption.models import Account, BillingProvider, Plan, Restriction, User
from redemption.roles import Role
from support.demo.programs import COUNTRIES, FILMS, MUSIC
from support.demo.world import World


@dataclass(frozen=True, slots=True)
class Situation:
    name: str
    country: str
    program: str = MUSIC
    fields: dict[str, Any] = field(default_factory=dict)


def _paying(provider: BillingProvider, plan: Plan = Plan.INDIVIDUAL) -> dict[str, Any]:
    return {"billing_provider": provider, "plan": plan, "had_premium": True}


SITUATIONS = {
    "billed by Apple": Situation("Nora Lind", "US", fields=_paying(BillingProvider.APPLE)),
    "billed by Google": Situation("Gus Okafor", "GB", fields=_paying(BillingProvider.GOOGLE)),
    "billed by a carrier": Situation("Tess Waverly", "GB", fields=_paying(BillingProvider.CARRIER)),
    "in a bundle": Situation("Bo Hagen", "DE", fields=_paying(BillingProvider.BUNDLE)),
    "unverified": Situation("Una Field", "GB", fields={"email_verified": False}),
    "flagged": Situation("Finn Marlow", "US", fields={"restriction": Restriction.UNUSUAL_ACTIVITY}),
    "disputing": Situation("Dora Klein", "DE", fields={"restriction": Restriction.PAYMENT_DISPUTE}),
    "against the policy": Situation("Piet Voss", "SE", fields={"restriction": Restriction.POLICY_VIOLATION}),
    "formerly premium": Situation("Frida Sund", "SE", fields={"had_premium": True}),
    "never premium": Situation("Nils Berg", "SE"),
    "student": Situation("Stella Quinn", "US", fields=_paying(BillingProvider.DIRECT, Plan.STUDENT)),
    "duo": Situation("Duncan Reed", "GB", fields=_paying(BillingProvider.DIRECT, Plan.DUO)),
    "family": Situation("Fabia Conti", "DE", fields=_paying(BillingProvider.DIRECT, Plan.FAMILY)),
    "with an American card": Situation("Arthur Penn", "GB"),
    "billed in another currency": Situation("Maja Ek", "SE", fields={"currency": "EUR"}),
    "behind a VPN": Situation("Viktor Adler", "DE", fields={"last_seen_country": "NL"}),
    "out of attempts": Situation("Gwen Archer", "US"),
    "stacking": Situation("Sam Hoarder", "US", fields={"plan": Plan.INDIVIDUAL, "had_premium": True}),
    "buyer of a tampered card": Situation("Vera Olsen", "US"),
    "stranger": Situation("K. Smith", "US"),
    "buyer of another": Situation("Henry Tate", "US"),
    "own account": Situation("Maya Rao", "GB"),
    "own old account": Situation("Maya R", "GB"),
    "with a damaged card": Situation("Ines Falk", "DE"),
    "with an old card": Situation("Oscar Byrne", "GB"),
    "too early": Situation("Tilly North", "GB"),
    "hasty": Situation("Hugo Brandt", "DE"),
    "with a frozen card": Situation("Freya Stone", "GB"),
    "with a stolen card": Situation("Colin Dray", "US"),
    "with a withdrawn card": Situation("Wilma Dahl", "SE"),
    "late": Situation("Lars Nyman", "SE"),
    "twice": Situation("Toby Lane", "US"),
    "sharing": Situation("Shira Gold", "US"),
    "mistyping": Situation("Milo Grant", "GB"),
    "reseller's victim": Situation("Rita Blum", "DE"),
    "on the phone": Situation("Ola Strand", "GB"),
    "during the outage": Situation("Otis Webb", "US"),
    "films": Situation(
        "Fay Holloway", "US", FILMS, {"plan": Plan.STANDARD, "billing_provider": BillingProvider.DIRECT}
    ),
    "films through a bundle": Situation("Burt Lowell", "US", FILMS, _paying(BillingProvider.BUNDLE, Plan.STANDARD)),
    "films, mistyping": Situation("Greta Sommer", "DE", FILMS, {"plan": Plan.BASIC}),
    "redeemed to the wrong one": Situation("Lena Vogt", "DE"),
    "the right one": Situation("Lena Vogt-Maier", "DE"),
    "films, another country": Situation("Pippa Shaw", "GB", FILMS, {"plan": Plan.BASIC}),
}
# Whom every code tells the same, beside the customer: with the one password of them all.
SIGNING_IN = {"billed by Apple", "unverified", "flagged", "student", "formerly premium", "stacking", "out of attempts"}
# As texts, because a list takes a line a name.
_FIRST = (
    "Ada Amir Anja Ben Carl Cora Dina Eli Elsa Emil Felix Gina Hana Ivan Jana Jun Kai Lea Leo Mia Noah Olga Pia Zoe"
)
_LAST = "Abbot Castell Drew Ekman Farrow Gallo Hale Ivers Jensen Keller Moss Nagel Pryce Rossi Sauer Toft Ulm Weiss"
CROWD = {MUSIC: 160, FILMS: 45}


def load(world: World, random: Random) -> None:
    for key, situation in SITUATIONS.items():
        _account(world, key, situation, joined=random.randrange(200, 1500))
    _account(world, "customer", Situation("Cleo Customer", "GB"), joined=700)
    _account(world, "customer's films", Situation("Cleo Customer", "GB", FILMS), joined=650)
    for number in range(sum(CROWD.values())):
        program = MUSIC if number < CROWD[MUSIC] else FILMS
        country = random.choice(list(COUNTRIES if program == MUSIC else ("US", "GB", "DE")))
        name = f"{random.choice(_FIRST.split())} {random.choice(_LAST.split())}"
        had_premium = random.random() < 0.4
        situation = Situation(name, country, program, {"had_premium": had_premium})
        _account(world, f"crowd {number}", situation, joined=random.randrange(200, 2500), number=number)


def crowd(world: World, program: str, country: str) -> list[str]:
    """The names of the crowd's accounts there."""
    return [
        key
        for key, account in world.accounts.items()
        if key.startswith("crowd ") and account.program.name == program and account.country.code == country
    ]


def _account(world: World, key: str, situation: Situation, *, joined: int, number: int | None = None) -> None:
    local = ".".join("".join(symbol for symbol in word if symbol.isalnum()) for word in situation.name.lower().split())
    customer = world.people[Role.CUSTOMER]
    user = customer if situation.name == customer.name else None
    if key in SIGNING_IN:
        user = User(email=f"{local}@example.com", name=situation.name, password=customer.password)
        user.full_clean()
        user.save()
    account = Account(
        program=world.programs[situation.program],
        email=user.email if user else f"{local}{number or ''}@example.com",
        user=user,
        country=situation.country,
        **{"email_verified": True, "currency": COUNTRIES[situation.country][0]} | situation.fields,
    )
    account.full_clean()
    account.save()
    if user and account.email_verified:
        EmailAddress.objects.get_or_create(user=user, email=user.email, defaults={"verified": True, "primary": True})
    Account.objects.filter(pk=account.pk).update(created_at=world.now - timedelta(days=joined))
    world.accounts[key] = account
