"""Half a year of manual credits by three people, what they asked of a second person, and what became of it.

One of them is worth a question: his amounts lie just under his limit, he opens customers' pages without a ticket, and
he grants on calls that only he wrote down. Managers' figures and signals are there to find him.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from random import Random

from redemption import approvals
from redemption.models import ApprovalRequest, Code, Redemption, User
from redemption.money import decimals
from redemption.roles import Role
from support import audit, policy
from support.actions import credits, decisions, limits, reversals
from support.actions.credits import CreditError, NeedsSecondPersonError, Wanted
from support.demo import accounts
from support.demo.credit_tickets import SAID, Asked, open_all
from support.demo.diary import Diary
from support.demo.programs import MUSIC
from support.demo.state import DemoError
from support.demo.world import World
from support.limits import matrix_of
from support.models import DAYS, AuditAction, CreditReason, ManualCredit, Ticket

_WEEKS = 26
# Credits in a week, and in the week of the outage.
_A_WEEK, _OUTAGE_WEEK, _THE_OUTAGE = (5, 9), 20, 2
_NARROWED = 60
# Two accounts of one customer: the card went to the wrong one.
MOVED_FROM, MOVED_TO = "redeemed to the wrong one", "the right one"


class _People:
    def __init__(self, world: World) -> None:
        self.asha, self.sven = world.people[Role.AGENT], world.people[Role.SENIOR_AGENT]
        self.mara, self.ada = world.people[Role.MANAGER], world.people[Role.ADMINISTRATOR]
        self.system = world.people[Role.SYSTEM]
        self.bram = User(email="bram@demo.example", name="Bram Agent", role=Role.AGENT)
        # The one of everybody, hashed already.
        self.bram.password = self.asha.password
        self.bram.full_clean()
        self.bram.save()


def write(diary: Diary, random: Random) -> None:
    people = _People(diary.world)
    asked: list[tuple[Asked, Callable[[Asked, datetime], object]]] = []

    def ask(
        at: datetime, account: str, by: User, reason: str, do: Callable[[Asked, datetime], object], *,
        taken_down: bool = False, is_open: bool = False,
    ) -> None:  # fmt: skip
        subject, body = random.choice(SAID[reason])
        customer = diary.world.accounts[account]
        one = Asked(at - timedelta(hours=1), customer, by, subject, body, taken_down=taken_down, is_open=is_open)
        asked.append((one, do))
        diary.note(at, partial(do, one))

    _everyday(diary.world, people, random, ask)
    _stories(diary, people, ask)
    open_all([one for one, _ in asked], people.system)
    _limits(diary, people)
    _one_receipt_twice(diary, people)
    _a_card_moved(diary, people)
    diary.note(diary.world.now, partial(_looks, diary.world, people, random))


# --- Every day


def _everyday(world: World, people: _People, random: Random, ask: Callable[..., None]) -> None:
    crowd = [key for key in world.accounts if key.startswith("crowd ")]
    for weeks in range(_WEEKS):
        for _ in range(_OUTAGE_WEEK if weeks == _THE_OUTAGE else random.randint(*_A_WEEK)):
            at = world.ago(weeks * 7 + random.uniform(0.5, 6.9), random.randint(8, 17), random.randrange(60))
            by = random.choices([people.asha, people.bram, people.sven], [45, 30, 25])[0]
            is_failure = weeks == _THE_OUTAGE or random.random() < 0.6
            ask(
                at, random.choice(crowd), by, "technical_failure" if is_failure else "goodwill",
                partial(_grant, people, "technical_failure" if is_failure else "goodwill",
                        _share(by, people, random), random.random() < 0.2),
                taken_down=random.random() < (0.5 if by == people.bram else 0.08),
            )  # fmt: skip


def _share(by: User, people: _People, random: Random) -> float:
    """Of his limit for one credit."""
    if by == people.bram and random.random() < 0.7:
        return random.choice([0.95, 0.96, 0.98, 0.99])
    return random.choice([0.1, 0.15, 0.2, 0.2, 0.3, 0.35, 0.5, 0.5, 0.7, 1.0])


def _grant(people: _People, reason: str, share: float, in_days: bool, asked: Asked, at: datetime) -> None:
    """By his own limit of then, and what is above a rolling one by a colleague's leave."""
    unit = DAYS if in_days else asked.account.currency
    single = policy.limit_of(asked.by.role, unit, policy.current_policy()).single
    # In steps that people choose: half a euro, five crowns, a day.
    step = 1 if in_days else 5 * 10 ** decimals(unit) // (1 if unit == "SEK" else 10)
    wanted = _wanted(asked, unit, max(step, int(single * share) // step * step), reason)
    try:
        credits.grant(wanted, by=asked.by, now=at)
    except NeedsSecondPersonError:
        request = credits.request(wanted, why="The last one did not help him.", by=asked.by, now=at)
        decisions.approve(request, by=people.mara, now=at + timedelta(minutes=50))
    except CreditError:
        # As at the desk: somebody has so much premium time ahead that no more fits.
        return


def _wanted(asked: Asked, unit: str, amount: int, reason: str, note: str = "") -> Wanted:
    assert asked.ticket
    return Wanted(asked.account, unit, amount, CreditReason.objects.get(slug=reason), asked.ticket, note=note)


# --- What a second person decides


def _stories(diary: Diary, people: _People, ask: Callable[..., None]) -> None:
    world = diary.world

    def credit(
        days: float, hour: int, who: str, by: User, share: float, why: str,
        then: Callable[[ApprovalRequest, datetime], object] | None = None, *, reason: str = "technical_failure",
    ) -> None:  # fmt: skip
        """A request above what its asker may grant, and what became of it."""

        def do(asked: Asked, at: datetime) -> None:
            single = policy.limit_of(by.role, asked.account.currency, policy.current_policy()).single
            wanted = _wanted(asked, asked.account.currency, int(single * share), reason)
            request = credits.request(wanted, why=why, by=by, now=at)
            if then:
                then(request, at)

        at = world.now - timedelta(days=days) if hour < 0 else world.ago(days, hour)
        ask(at, who, by, reason, do, is_open=then is None)

    def yes(by: User, hours: float) -> Callable[[ApprovalRequest, datetime], object]:
        return lambda request, at: decisions.approve(request, by=by, now=at + timedelta(hours=hours))

    def no(by: User, hours: float, why: str) -> Callable[[ApprovalRequest, datetime], object]:
        return lambda request, at: decisions.reject(request, by=by, reason=why, now=at + timedelta(hours=hours))

    credit(150, 10, "crowd 3", people.asha, 1.5, "Three evenings lost, and his card was charged twice.",
           yes(people.sven, 3))  # fmt: skip
    credit(121, 14, "crowd 11", people.asha, 2, "The outage hit a wedding.", yes(people.mara, 20))
    credit(88, 9, "crowd 17", people.sven, 1.6, "A month of trouble, all of it in the log.", yes(people.mara, 1.5))
    credit(47, 11, "crowd 23", people.asha, 1.4, "Charged for two plans since August.", yes(people.sven, 0.5))
    credit(19, 16, "crowd 31", people.asha, 2, "Outage of the week, a choir’s rehearsal.", yes(people.mara, 4))
    credit(95, 15, "crowd 40", people.bram, 4, "He is upset.", no(people.mara, 5, "Nothing of ours failed: a kind "
           "word will do."), reason="goodwill")  # fmt: skip
    credit(36, 12, "crowd 44", people.bram, 3, "Promised on the telephone.", no(people.sven, 26, "Who promised it? "
           "There is no call in the log."), reason="goodwill")  # fmt: skip
    credit(64, 13, "crowd 52", people.asha, 1.5, "Twice the monthly price.",
           lambda request, at: decisions.withdraw(request, by=people.asha))  # fmt: skip
    credit(30, 10, "crowd 58", people.asha, 1.3, "He lost a week.", lambda request, at: None)
    diary.note(world.ago(22, 10), lambda at: approvals.expire(now=at))
    credit(2.2, -1, "during the outage", people.asha, 1.6, "The outage kept him from an evening that he had paid for.")
    credit(0.3, -1, "crowd 61", people.bram, 3.5, "Very good customer, very angry.", reason="goodwill")
    credit(0.03, -1, "crowd 66", people.sven, 1.5, "Charged for two plans since spring.")
    _reversed(diary, people, ask)


def _reversed(diary: Diary, people: _People, ask: Callable[..., None]) -> None:
    """One in money and one in days, granted to the wrong customers; a third waits."""
    world = diary.world

    def mistaken(days: float, who: str, unit: str, why: str, decided: bool) -> None:
        def do(asked: Asked, at: datetime) -> None:
            of = unit or asked.account.currency
            single = policy.limit_of(asked.by.role, of, policy.current_policy()).single
            made = credits.grant(_wanted(asked, of, single // 2, "goodwill"), by=asked.by, now=at)
            later = at + timedelta(hours=20)
            request = reversals.request_reversal(made, why=why, by=people.sven, now=later)
            if decided:
                decisions.approve(request, by=people.mara, reason="Seen.", now=later + timedelta(hours=2))

        ask(world.ago(days, 11), who, people.asha, "goodwill", do)

    mistaken(73, "crowd 70", "", "Meant for his namesake: the ticket says so.", True)
    mistaken(41, "crowd 74", DAYS, "He had cancelled a month before.", True)
    mistaken(3, "crowd 78", "", "The same evening was credited by me already.", False)


def _limits(diary: Diary, people: _People) -> None:
    """Narrowed for agents two months ago; another change waits. And one night nobody could grant anything."""
    world = diary.world
    diary.note(
        world.ago(101, 2), lambda at: limits.stop(reason="An agent’s session was stolen.", by=people.sven, now=at)
    )
    diary.note(world.ago(101, 4), lambda at: limits.resume(reason="His sessions are ended.", by=people.mara, now=at))

    def narrow(decided: bool, percent: int, why: str, by: User, at: datetime) -> None:
        current = policy.current_policy()
        matrix = {key: dict(limit) for key, limit in matrix_of(current).items()}
        for (_, role), limit in matrix.items():
            if role == Role.AGENT:
                limit["single"] = limit["single"] * percent // 100
        request = limits.request_policy(matrix, base=current.pk, why=why, by=by, now=at)
        if decided:
            decisions.approve(request, by=people.ada, reason="As agreed on Monday.", now=at + timedelta(hours=3))

    why = "Agents need less at once than we thought: half of all credits are below a third of it."
    diary.note(world.ago(_NARROWED, 9), partial(narrow, True, 80, why, people.mara))
    why = "Four credits in five lie just under the limit with one of us: look closer before it is lowered again."
    diary.note(world.now - timedelta(days=1.4), partial(narrow, False, 60, why, people.ada))


# --- What one should see


def _one_receipt_twice(diary: Diary, people: _People) -> None:
    """The receipt that came with two tickets was credited on both, by two people, to two accounts."""
    world = diary.world

    def grant(key: str, who: str, by: User, at: datetime) -> None:
        ticket = Ticket.objects.get(pk=world.tickets[key].pk)
        account = world.accounts[who]
        card = Code.objects.select_related("batch__product").get(pk=world.cards["us credit"][6].serial)
        wanted = Wanted(
            account, account.currency, 2000, CreditReason.objects.get(slug="stolen_before_sale"), ticket, card,
            receipt=ticket.attachments.filter(kind="receipt").order_by("pk").first(), note="Receipt seen.",
        )  # fmt: skip
        if not wanted.receipt:
            raise DemoError(f"{key} has no receipt.")
        credits.grant(wanted, by=by, now=at)

    american = accounts.crowd(world, MUSIC, "US")
    diary.note(world.ago(11, 10), partial(grant, "stolen", "buyer of a tampered card", people.asha))
    diary.note(world.ago(4, 15), partial(grant, "stolen again", american[0], people.bram))


def _a_card_moved(diary: Diary, people: _People) -> None:
    world = diary.world
    card = world.cards["de credit"][5]
    diary.try_code(world.ago(16, 18), MOVED_FROM, card)
    asked = Asked(
        world.ago(15, 9), world.accounts[MOVED_TO], people.asha, "Falsches Konto",
        "Ich habe meine Karte versehentlich auf mein altes Konto eingelöst. Können Sie das umbuchen?",
    )  # fmt: skip
    open_all([asked], people.system)

    def move(at: datetime) -> None:
        assert asked.ticket
        request = reversals.request_move(
            Redemption.objects.get(code_id=card.serial), to=asked.account, ticket=asked.ticket, by=people.asha, now=at,
            why="Both accounts are hers: same name, same telephone, asked from both addresses.",
        )  # fmt: skip
        decisions.approve(request, by=people.sven, reason="Seen both mails.", now=at + timedelta(hours=1))

    diary.note(world.ago(15, 11), move)


def _looks(world: World, people: _People, random: Random, at: datetime) -> None:
    """Customers' pages that were opened: with a ticket by one, without any by the other."""
    strangers = [account for key, account in world.accounts.items() if key.startswith("crowd ")]
    asking = {credit.account_id for credit in ManualCredit.objects.filter(granted_by=people.asha)}
    for account in random.sample(strangers, 18):
        audit.record(AuditAction.ACCOUNT_OPENED, by=people.bram, target=f"account:{account.pk}")
    for pk in sorted(asking)[:25]:
        audit.record(AuditAction.ACCOUNT_OPENED, by=people.asha, target=f"account:{pk}")
