"""What retailers' people report, in every stage that a report can be in, and signs of what nobody has reported."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from redemption.cards import activate_cards
from redemption.models import TILL_SCOPES, ApprovalRequest, Book, Code, MemberRole, User
from redemption.refusals import RefusalReason as R
from redemption.roles import Role
from support.actions import credits, decisions, judging, keys, members, signs
from support.actions.credits import Wanted
from support.actions.messages import UNDO, add_customer_message, write_staff_message
from support.actions.reports import Told, open_report
from support.actions.tickets import open_ticket
from support.card_signs import raise_signs
from support.demo import accounts
from support.demo.diary import Diary
from support.demo.examples import MEMBERS
from support.demo.programs import MUSIC
from support.demo.state import DemoError
from support.demo.world import Card, World
from support.mail.outgoing import send
from support.models import (
    CardSign,
    CompromiseKind,
    CompromiseReport,
    CreditReason,
    Message,
    MessageKind,
    ReportChannel,
    TicketChannel,
    TicketStatus,
)
from support.reported_lines import Line

# Far behind what the crowd buys: these cards are sold here, or lie in the shop.
BOX = slice(500, 540)
COUNTER = slice(600, 604)
MIXED = slice(620, 623)
PALLET = slice(700, 1900)
UNREPORTED, DISPLAY, FAIR = slice(900, 910), slice(1200, 1206), slice(900, 905)
_MAPLE, _OTHER = "Maple & Main", "Corner Lantern"


@dataclass(frozen=True, slots=True)
class _People:
    """Who reports, who judges, and who decides."""

    clara: User
    max: User
    cora: User
    asha: User
    sven: User
    mara: User


def write(diary: Diary) -> None:
    world = diary.world
    people = _People(
        *(world.members[key] for key in MEMBERS),
        *(world.people[role] for role in (Role.AGENT, Role.SENIOR_AGENT, Role.MANAGER)),
    )
    _around_it(diary, people)
    _at_the_counter(diary, people)
    _opened_box(diary, people)
    _questions(diary, people)
    _answered(diary, people)
    _each_card_its_own_way(diary, people)
    _pallet(diary, people)
    _of_another_retailer(diary, people)
    _never_reported(diary)


def judge_signs(world: World) -> None:
    """As the nightly job raises them, from the figures as they are rolled up. One of them was looked into."""
    raise_signs(world.now)
    fair = CardSign.objects.filter(batch=world.batches["de credit"]).first()
    if not fair or CardSign.objects.count() < 2:
        raise DemoError("The signs that were planted are not raised.")
    signs.dismiss(
        fair, by=world.people[Role.AGENT], now=world.now,
        reason="Sold at a trade fair whose till was offline until the evening; the fair confirms it.",
    )  # fmt: skip


def _around_it(diary: Diary, people: _People) -> None:
    """Somebody is invited, and the tills have a key, whose secret nobody kept."""
    world = diary.world
    shop = world.retailers[_MAPLE]
    diary.note(
        world.ago(30, 9),
        lambda at: keys.make_key(retailer=shop, name="Tills, Portland", scopes=TILL_SCOPES, by=people.max, now=at),
    )
    diary.note(
        world.now,
        lambda at: members.invite(
            retailer=shop, email="casey@maple-main.example", role=MemberRole.CLERK, by=people.max, now=at
        ),
    )


# --- Reports


def _at_the_counter(diary: Diary, people: _People) -> None:
    """A customer is at the till: his new card is empty. The clerk takes what hung beside it down and reports it all."""
    world = diary.world
    cards = world.cards["us credit"][COUNTER]
    sold = world.now - timedelta(hours=2)
    _sell(diary, cards[:1], sold)
    thief, buyer = accounts.crowd(world, MUSIC, "US")[-2:]
    diary.try_code(sold + timedelta(minutes=3), thief, cards[0])
    diary.try_code(sold + timedelta(minutes=50), buyer, cards[0], R.REDEEMED_BY_ANOTHER)
    _report(
        diary, "counter", people.clara, cards, CompromiseKind.DRAINED, sold + timedelta(minutes=80),
        store="Portland, Main Street", till="3", receipt_number="R-20771", customer_present=True, sold_at=sold,
        note="He bought it two hours ago and it is empty. The three beside it look as if they had been opened.",
    )  # fmt: skip


def _opened_box(diary: Diary, people: _People) -> None:
    """A box was active before it was on sale, and somebody who knew its codes helped himself to four."""
    world = diary.world
    cards = world.cards["us credit"][BOX]
    _sell(diary, cards, world.ago(6, 9))
    for number, thief in enumerate(accounts.crowd(world, MUSIC, "US")[-6:-2]):
        diary.try_code(world.ago(5, 3, 10 * number), thief, cards[7 * number])
    _report(
        diary, "box", people.clara, cards, CompromiseKind.TAMPERED, world.ago(2, 10),
        store="Portland, Main Street", sold_at=world.ago(3, 9),
        note="The seal of the box was cut. We had it behind the counter since Monday.",
    )  # fmt: skip


def _questions(diary: Diary, people: _People) -> None:
    """Asked, answered, and asked once more."""
    world = diary.world
    cards = world.cards["us quarter"][400:520]
    _report(
        diary, "questions", people.max, cards, CompromiseKind.STOLEN, world.ago(8, 18),
        store="Salem", note="A box is missing after the delivery.",
    )  # fmt: skip

    def ask(text: str, at: datetime) -> None:
        asked = judging.ask_information(_of(world, "questions"), text=text, by=people.asha, now=at)
        _mail(asked, at)

    def answer(text: str, at: datetime) -> None:
        add_customer_message(
            ticket=_of(world, "questions").ticket, body=text, author=people.max, author_name=str(people.max), now=at
        )

    diary.note(world.ago(7, 9), partial(ask, "Who carried the box, and is there a delivery note with a number?"))
    diary.note(
        world.ago(7, 15),
        partial(answer, "Our own van. The delivery note is 4471, signed by nobody. We have told the police."),
    )
    diary.note(world.ago(6, 10), partial(ask, "Thank you. What is the reference that the police gave you?"))


def _answered(diary: Diary, people: _People) -> None:
    """Confirmed with a second person, and cleared by one."""
    world = diary.world
    _report(
        diary, "confirmed", people.max, world.cards["us quarter"][300:325], CompromiseKind.STOLEN, world.ago(21, 8),
        store="Eugene", police_reference="EPD 26-4410", note="Broken into at night, this box is gone.",
    )  # fmt: skip
    _report(
        diary, "cleared", people.clara, world.cards["us quarter"][330:336], CompromiseKind.STOLEN, world.ago(13, 9),
        store="Portland, Main Street", note="Six cards are missing from the display.",
    )  # fmt: skip

    def void(at: datetime) -> None:
        report = _of(world, "confirmed")
        asked = judging.request_void(
            report, serials=_serials(report), by=people.asha, reason="Stolen; the police have a file.", now=at
        )
        _allow(asked, people.mara, at)

    def clear(at: datetime) -> None:
        report = _of(world, "cleared")
        judging.clear(report, serials=_serials(report), by=people.asha, reason="Found in the safe, sealed.", now=at)

    diary.note(world.ago(20, 11), void)
    _solve(diary, "confirmed", people.asha, "All 25 are ended for good: nobody can redeem them.", world.ago(20, 13))
    diary.note(world.ago(12, 16), clear)
    _solve(diary, "cleared", people.asha, "Good news: they work again, put them back.", world.ago(12, 17))


def _each_card_its_own_way(diary: Diary, people: _People) -> None:
    """Three sold cards that thieves were quicker with: one replaced, one credited, one too late for either."""
    world = diary.world
    cards = world.cards["us credit"][MIXED]
    _sell(diary, cards, world.ago(10, 9))
    thieves, buyers = accounts.crowd(world, MUSIC, "US")[-9:-6], accounts.crowd(world, MUSIC, "US")[-12:-9]
    for card, thief, buyer in zip(cards, thieves, buyers, strict=True):
        diary.try_code(world.ago(10, 13), thief, card)
        diary.try_code(world.ago(10, 18), buyer, card, R.REDEEMED_BY_ANOTHER)
    _report(
        diary, "mixed", people.clara, cards, CompromiseKind.DRAINED, world.ago(9, 10),
        store="Portland, Main Street", note="Three customers came back with receipts.",
    )  # fmt: skip

    def replace(at: datetime) -> None:
        asked = judging.request_replacement(
            _of(world, "mixed"), serials=[cards[0].serial], source=Book.RECEIVABLE, by=people.asha,
            reason="Opened before the sale; receipt seen.", now=at,
        )  # fmt: skip
        _allow(asked, people.mara, at)
        made = judging.hand_over(
            _of(world, "mixed"), serial=cards[0].serial, by=people.asha, now=at + timedelta(hours=2)
        )
        if made is None:
            raise DemoError("The successor was sent by mail.")
        # Whoever hands it over sees it; here nobody needs it any more.

    def credit(at: datetime) -> None:
        account = world.accounts[buyers[1]]
        ticket = open_ticket(
            channel=TicketChannel.EMAIL, subject="My gift card was empty",
            body=f"The shop says I should write to you about card {cards[1].serial}.",
            requester_name="A customer of Maple & Main", requester_email=account.email, account=account,
            code=Code.objects.get(pk=cards[1].serial), now=at - timedelta(hours=1),
        )  # fmt: skip
        wanted = Wanted(
            account, account.currency, 3000, CreditReason.objects.get(slug="stolen_before_sale"), ticket,
            Code.objects.select_related("batch__product").get(pk=cards[1].serial), note="Receipt seen by the shop.",
        )  # fmt: skip
        credits.grant(wanted, by=people.sven, now=at)

    def close(at: datetime) -> None:
        judging.close(
            _of(world, "mixed"), serials=[cards[2].serial], by=people.asha, now=at,
            reason="Its buyer was paid back by the shop.",
        )  # fmt: skip

    diary.note(world.ago(8, 11), replace)
    diary.note(world.ago(8, 14), credit)
    diary.note(world.ago(7, 10), close)
    done = "The first card is replaced, the second customer was credited, and the third was paid back by you."
    _solve(diary, "mixed", people.asha, done, world.ago(7, 11))


def _pallet(diary: Diary, people: _People) -> None:
    _report(
        diary, "pallet", people.max, diary.world.cards["us credit"][PALLET], CompromiseKind.STOLEN,
        diary.world.ago(1, 7), store="Warehouse, Gresham", police_reference="GPD 26-11830",
        note="A pallet was taken from the yard in the night.",
    )  # fmt: skip


def _of_another_retailer(diary: Diary, people: _People) -> None:
    """Which the people of the first one never see."""
    world = diary.world
    _report(
        diary, "other", people.cora, world.cards["us month"][1500:1506], CompromiseKind.TAMPERED, world.ago(4, 12),
        store="Boise", note="Glue on the back of six cards.",
    )  # fmt: skip


# --- Signs


def _never_reported(diary: Diary) -> None:
    """Neighbours on a display that thieves had read, somebody who tries cards on the shelf, and a fair's till."""
    world = diary.world
    display = world.cards["gb credit"][DISPLAY]
    _sell(diary, display, world.ago(9, 10))
    british = accounts.crowd(world, MUSIC, "GB")
    for number, card in enumerate(display):
        diary.try_code(world.ago(9, 14, number), british[-1 - number], card)
        diary.try_code(world.ago(8 - number, 11), british[-7 - number], card, R.REDEEMED_BY_ANOTHER)
    american = accounts.crowd(world, MUSIC, "US")
    for number, card in enumerate(world.cards["us credit 10"][UNREPORTED][::2]):
        diary.note(world.ago(6 - number % 3, 22, number), partial(_too_early, diary, american[-13], card))
    german = accounts.crowd(world, MUSIC, "DE")
    fair = world.cards["de credit"][FAIR]
    for number, card in enumerate(fair):
        diary.note(world.ago(4, 14, 5 * number), partial(_too_early, diary, german[-1 - number], card))
    _sell(diary, fair, world.ago(4, 20))


def _too_early(diary: Diary, account: str, card: Card, at: datetime) -> None:
    """Not with try_code(), which sees to it that the card is sold."""
    diary.try_now(at, account, card.text, R.NOT_ACTIVATED)


# --- What all of it needs


def _sell(diary: Diary, cards: Sequence[Card], at: datetime) -> None:
    diary.note(
        at,
        lambda at: activate_cards(
            first=cards[0].serial, last=cards[-1].serial, by=diary.world.people[Role.SYSTEM], now=at
        ),
    )


def _report(
    diary: Diary,
    key: str,
    by: User,
    cards: Sequence[Card],
    kind: CompromiseKind,
    at: datetime,
    *,
    store: str,
    note: str,
    till: str = "",
    receipt_number: str = "",
    police_reference: str = "",
    sold_at: datetime | None = None,
    customer_present: bool = False,
) -> None:
    told = Told(
        kind, store, till, sold_at, at - timedelta(minutes=30), receipt_number, customer_present, police_reference, note
    )

    def report(at: datetime) -> None:
        opened = open_report(
            retailer=by.memberships.get().retailer,
            lines=[Line(1, card.serial) for card in cards],
            told=told,
            by=by,
            channel=ReportChannel.PORTAL,
            now=at,
        )
        # When a job's row was made is the time of loading.
        CompromiseReport.objects.filter(pk=opened.report.pk).update(created_at=at)
        diary.world.reports[key] = opened.report

    diary.note(at, report)


def _solve(diary: Diary, key: str, by: User, text: str, at: datetime) -> None:
    """The last word to the retailer."""

    def solve(at: datetime) -> None:
        ticket = _of(diary.world, key).ticket
        _mail(
            write_staff_message(
                ticket=ticket, kind=MessageKind.REPLY, body=text, by=by, status=TicketStatus.SOLVED, now=at
            ),
            at,
        )

    diary.note(at, solve)


def _of(world: World, key: str) -> CompromiseReport:
    rows = CompromiseReport.objects.select_related("retailer", "ticket", "by")
    return rows.get(pk=world.reports[key].pk)


def _serials(report: CompromiseReport) -> list[int]:
    return [serial for serial in report.cards.values_list("serial", flat=True) if serial]


def _allow(asked: ApprovalRequest, by: User, at: datetime) -> None:
    decisions.approve(asked, by=by, reason="Seen the report.", now=at + timedelta(hours=1))


def _mail(message: Message, at: datetime) -> None:
    """As the job worker does it, ten seconds later: nothing is left to be sent when the demo starts."""
    send(message_id=message.pk, tries=0, now=at + UNDO)
