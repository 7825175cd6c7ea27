"""What goes wrong: each situation that support hears of, once. Every reason to refuse a code is somebody's here.

Two never are: `batch_not_issued`, because a batch has its codes only from its issue on, and `attempts_spent`, because
a try that is turned away leaves no row of its own, only a count.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from redemption import outages
from redemption.models import Channel
from redemption.redeem import Result
from redemption.references import Untried
from redemption.refusals import RefusalReason as R
from redemption.roles import Role
from support.demo.diary import Diary, swapped, without_symbol
from support.demo.programs import FILMS, MUSIC
from support.demo.trade import KEPT

SHARE_LINK = "https://open.spotify.com/playlist/37i9dQZF1DX0XUsuxWHRQd"


def write(diary: Diary) -> None:
    _accounts_in_the_way(diary)
    _codes_that_are_none(diary)
    _cards_that_do_not_work(diary)
    _cards_that_do_not_fit(diary)
    _films(diary)
    _the_customer(diary)


def _accounts_in_the_way(diary: Diary) -> None:
    """Whatever the code: it is good, and stays so."""
    world = diary.world
    diary.try_code(world.ago(24, 18), "billed by Apple", world.cards["us credit"][0], R.BILLED_ELSEWHERE)
    diary.try_code(world.ago(19, 9), "billed by Google", world.cards["gb credit"][0], R.BILLED_ELSEWHERE)
    diary.try_code(world.ago(33, 20), "billed by a carrier", world.cards["gb month"][0], R.BILLED_ELSEWHERE)
    diary.try_code(world.ago(12, 7), "in a bundle", world.cards["de credit"][0], R.BILLED_ELSEWHERE)
    diary.try_code(world.ago(9, 15), "unverified", world.cards["gb credit"][1], R.EMAIL_UNVERIFIED)
    diary.try_code(world.ago(15, 22), "flagged", world.cards["us credit"][1], R.ACCOUNT_RESTRICTED)
    diary.try_code(world.ago(27, 11), "disputing", world.cards["de credit"][1], R.ACCOUNT_RESTRICTED)
    diary.try_code(world.ago(45, 13), "against the policy", world.cards["se credit"][0], R.ACCOUNT_RESTRICTED)
    vpn = world.cards["de month"][0]
    diary.try_code(world.ago(6, 21), "behind a VPN", vpn, R.LOCATION_DIFFERS, seen_in="NL")
    # Somebody guesses: four misses, then every further try is turned away for a day, also one with a good code.
    for minutes, unknown in enumerate(_never_ours(diary, 4)):
        diary.try_code(world.now - timedelta(hours=3, minutes=-minutes), "out of attempts", unknown, R.UNKNOWN)
    for minutes in (50, 40, 5):
        good = world.cards["us credit"][2]
        diary.try_code(world.now - timedelta(minutes=minutes), "out of attempts", good, Untried.THROTTLED)


def _codes_that_are_none(diary: Diary) -> None:
    world = diary.world
    diary.try_code(world.ago(11, 19), "reseller's victim", _never_ours(diary, 1)[0], R.UNKNOWN)
    # A campaign's motto, taken for a code.
    diary.try_code(world.ago(38, 10), "formerly premium", "AUTUMN SESSIONS", R.NOT_RECOGNISED)
    diary.try_code(world.ago(3, 16), "sharing", SHARE_LINK, Untried.SHARE_LINK, then=_remember(diary, "share link"))
    card = world.cards["gb credit"][2]
    diary.try_code(world.ago(4, 17), "mistyping", swapped(card.text), Untried.SLIP, then=_remember(diary, "slip"))
    diary.try_code(world.ago(4, 17, 2), "mistyping", without_symbol(card.text), R.NOT_RECOGNISED)
    diary.try_code(world.ago(4, 17, 5), "mistyping", f" {card.text.lower().replace('-', ' ')} ")

    outage = world.ago(17, 14)
    _switched_off(diary, MUSIC, outage - timedelta(minutes=20), 90, "We are working on it, and expect to be back soon.")
    diary.try_code(
        outage, "during the outage", world.cards["us credit"][3], Untried.UNAVAILABLE, then=_remember(diary, "outage")
    )
    diary.try_code(outage + timedelta(hours=3), "during the outage", world.cards["us credit"][3])


def _cards_that_do_not_work(diary: Diary) -> None:
    world = diary.world
    diary.try_code(world.ago(70, 12), "twice", world.cards["us month"][0])
    diary.try_code(world.ago(69, 8), "twice", world.cards["us month"][0], R.REDEEMED_BY_YOU)
    # The retailer deactivated what was left of these years ago.
    diary.try_code(world.ago(14, 15), "with an old card", world.cards["old credit"][KEPT + 3], R.VOID)
    diary.try_code(world.ago(1, 18), "too early", world.cards["on its way"][0], R.BATCH_NOT_ACTIVE)
    diary.try_code(world.ago(5, 20), "with a stolen card", world.cards["us stolen"][KEPT + 1], R.BATCH_FROZEN)
    withdrawn = world.cards["se withdrawn"][1]
    diary.bought(withdrawn, world.ago(66, 17))
    diary.try_code(world.ago(8, 9), "with a withdrawn card", withdrawn, R.BATCH_CLOSED)
    # Further along in the batch than any till has sold.
    diary.try_code(world.ago(2, 13), "hasty", world.cards["de credit 60"][-1], R.NOT_ACTIVATED)
    diary.try_code(world.ago(10, 11), "with a frozen card", world.cards["gb month"][3], R.FROZEN)
    diary.try_code(world.ago(21, 23), "late", world.cards["expired promo"][5], R.EXPIRED)


def _cards_that_do_not_fit(diary: Diary) -> None:
    world = diary.world
    diary.try_code(world.ago(22, 12), "with an American card", world.cards["us credit"][4], R.COUNTRY_DIFFERS)
    diary.try_code(world.ago(28, 12), "billed in another currency", world.cards["se credit"][1], R.CURRENCY_DIFFERS)
    diary.try_code(world.ago(16, 12), "student", world.cards["us month"][1], R.PLAN_NOT_ALLOWED)
    diary.try_code(world.ago(18, 12), "duo", world.cards["gb month"][1], R.PLAN_NOT_ALLOWED)
    diary.try_code(world.ago(20, 12), "family", world.cards["de month"][1], R.PLAN_NOT_ALLOWED)
    # Credit fits every plan.
    diary.try_code(world.ago(15, 12), "student", world.cards["us credit"][5])
    diary.try_code(world.ago(30, 12), "formerly premium", world.cards["trial"][0], R.NOT_A_NEW_SUBSCRIBER)
    diary.try_code(world.ago(29, 12), "never premium", world.cards["trial"][1])
    diary.try_code(world.ago(26, 12), "stacking", world.cards["us year"][0])
    diary.try_code(world.ago(25, 12), "stacking", world.cards["us quarter"][0])
    diary.try_code(world.ago(24, 12), "stacking", world.cards["us quarter"][1])
    diary.try_code(world.ago(23, 12), "stacking", world.cards["us quarter"][2], R.STACKING_CAP)


def _switched_off(diary: Diary, program: str, at: datetime, minutes: int, message: str) -> None:
    """By the manager, and on again."""
    of, by = diary.world.programs[program], diary.world.people[Role.MANAGER]
    diary.note(at, lambda at: outages.declare(program=of, message=message, by=by, now=at))
    diary.note(at + timedelta(minutes=minutes), lambda at: outages.end(program=of, by=by, now=at))


def _films(diary: Diary) -> None:
    world = diary.world
    _switched_off(diary, FILMS, world.ago(6, 9), 25, "A planned change of our systems.")
    pins = world.cards["us films"]
    diary.try_code(world.ago(50, 12), "films", pins[0])
    diary.try_code(world.ago(31, 12), "films through a bundle", pins[1], R.BILLED_ELSEWHERE)
    diary.try_code(world.ago(7, 12), "films, another country", pins[2], R.COUNTRY_DIFFERS)
    # No check symbol tells this slip at once: it looks like any other code, and costs an attempt.
    pin = world.cards["de films"][0]
    diary.try_code(world.ago(5, 12), "films, mistyping", swapped(pin.text), R.UNKNOWN)
    diary.try_code(world.ago(5, 12, 3), "films, mistyping", pin)


def _the_customer(diary: Diary) -> None:
    world = diary.world
    diary.try_code(world.ago(90, 12), "customer", world.cards["gb credit"][3])
    diary.try_code(world.ago(35, 12), "customer", world.cards["gb quarter"][0], channel=Channel.MOBILE)
    diary.try_code(world.ago(35, 13), "customer", world.cards["gb quarter"][0], R.REDEEMED_BY_YOU, channel=Channel.WEB)
    diary.try_code(world.ago(60, 12), "customer's films", world.cards["gb films"][0])


def _never_ours(diary: Diary, count: int) -> list[str]:
    """Well-formed codes that nobody has made."""
    pattern = diary.world.programs[MUSIC].current_format().pattern
    return [pattern.display(code.decode()) for code in pattern.generate(count)]


def _remember(diary: Diary, name: str) -> Callable[[Result], None]:
    def remember(result: Result) -> None:
        diary.world.references[name] = result.reference

    return remember
