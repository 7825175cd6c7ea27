"""Why an attempt loses, and what each reason may say to whom.

Three texts for every reason. The public gets one for all of them, byte for byte. The signed-in customer gets the
reason's *answer*: several reasons share one, because which of them it is would be worth money. Agents get it exactly.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from redemption.models import Program

PUBLIC_TEXT = "This code could not be redeemed. Sign in to see what you can do."


class Answer(models.TextChoices):
    """What a signed-in customer is told. A program's `wording` may say it in its own words."""

    NOT_VALID = (
        "code_not_valid",
        "This code is not valid. Check every character, and that the card was sold in the country of your account.",
    )
    ALREADY_REDEEMED = (
        "already_redeemed",
        "This code was redeemed before. If the card was new, go to its seller with the receipt.",
    )
    REDEEMED_BY_YOU = "redeemed_by_you", "You redeemed this code yourself. Its benefit is on your account."
    OTHER_PLAN = (
        "plan_not_allowed",
        "This code does not work with your plan. Change the plan, or give the code to somebody else.",
    )
    NEW_SUBSCRIBERS = (
        "new_subscribers_only",
        "This offer is for accounts that never had premium. Yours did; a gift card works.",
    )
    TOO_MUCH_TIME = (
        "too_much_time",
        "Your account has premium for a long time ahead already. Keep the code for later.",
    )
    TOO_MANY_ATTEMPTS = "too_many_attempts", "Too many codes were tried. Wait a day, then try again."
    RESTRICTED = "account_restricted", "Your account cannot redeem codes at present. Contact support."
    UNVERIFIED = "email_unverified", "Confirm your e-mail address first; we can send you the message again."
    LOCATION = (
        "location_differs",
        "You appear to be in another country than your account's. Turn off any VPN and try again.",
    )
    BILLED_ELSEWHERE = (
        "billed_elsewhere",
        "Your subscription is billed by another company. End it there, or let it run out; then redeem.",
    )
    CHECK_THE_CODE = (
        "check_the_code",
        "There is a slip in this code. Compare it with the card, character by character.",
    )
    SHARE_LINK = "share_link", "This is a link for sharing music, not a code to redeem."
    UNAVAILABLE = (
        "unavailable",
        "Redeeming does not work at this moment. Nothing was used up; try again later.",
    )
    CHALLENGE = (
        "challenge_required",
        "Very many codes are being tried at this moment. Show that it is you, with a number that we mail you.",
    )

    def text(self, program: "Program | None" = None) -> str:
        return (program.wording.get(self.value) if program else None) or self.label


class Fixer(StrEnum):
    CUSTOMER = "the customer"
    AGENT = "an agent"
    RETAILER = "the retailer"
    MANAGER = "a manager"
    NOBODY = "nobody"
    TIME = "waiting"


class RefusalReason(models.TextChoices):
    # What concerns the account, whatever the code. These burn no attempt.
    ATTEMPTS_SPENT = "attempts_spent", "Too many attempts"
    ACCOUNT_RESTRICTED = "account_restricted", "Account restricted"
    EMAIL_UNVERIFIED = "email_unverified", "E-mail not verified"
    LOCATION_DIFFERS = "location_differs", "Apparent location differs"
    BILLED_ELSEWHERE = "billed_elsewhere", "Billed by a third party"
    # The code.
    NOT_RECOGNISED = "not_recognised", "Not in the code's format"
    UNKNOWN = "unknown", "No such code"
    REDEEMED_BY_YOU = "redeemed_by_you", "Redeemed by this account"
    REDEEMED_BY_ANOTHER = "redeemed_by_another", "Redeemed by another account"
    VOID = "void", "Card voided"
    REPLACED = "replaced", "Card replaced"
    BATCH_NOT_ISSUED = "batch_not_issued", "Batch not issued"
    BATCH_NOT_ACTIVE = "batch_not_active", "Batch not activated"
    BATCH_FROZEN = "batch_frozen", "Batch frozen"
    BATCH_CLOSED = "batch_closed", "Batch closed"
    NOT_ACTIVATED = "not_activated", "Card not activated at the till"
    FROZEN = "frozen", "Card frozen"
    EXPIRED = "expired", "Expired"
    COUNTRY_DIFFERS = "country_differs", "Another country's card"
    CURRENCY_DIFFERS = "currency_differs", "Another currency's card"
    # The match of the two.
    PLAN_NOT_ALLOWED = "plan_not_allowed", "Plan not allowed"
    NOT_A_NEW_SUBSCRIBER = "not_a_new_subscriber", "Had premium before"
    STACKING_CAP = "stacking_cap", "Too much premium time ahead"

    @property
    def answer(self) -> Answer:
        return REFUSALS[self].answer

    @property
    def answer_key(self) -> str:
        return self.answer.value

    @property
    def burns_an_attempt(self) -> bool:
        return self not in ABOUT_THE_ACCOUNT


@dataclass(frozen=True, slots=True)
class Refusal:
    """`agent`: what is the matter, exactly. `remedy`: what puts it right. `fixer`: who can."""

    answer: Answer
    agent: str
    remedy: str
    fixer: Fixer


ABOUT_THE_ACCOUNT = frozenset(
    {
        RefusalReason.ATTEMPTS_SPENT,
        RefusalReason.ACCOUNT_RESTRICTED,
        RefusalReason.EMAIL_UNVERIFIED,
        RefusalReason.LOCATION_DIFFERS,
        RefusalReason.BILLED_ELSEWHERE,
    }
)

_R = RefusalReason
REFUSALS: dict[RefusalReason, Refusal] = {
    _R.ATTEMPTS_SPENT: Refusal(
        Answer.TOO_MANY_ATTEMPTS,
        "The account has used up its attempts.",
        "Wait until the block ends. A confirmed report of a stolen card lifts it at once.",
        Fixer.TIME,
    ),
    _R.ACCOUNT_RESTRICTED: Refusal(
        Answer.RESTRICTED,
        "The account is restricted.",
        "Have the restriction reviewed; no other step will help.",
        Fixer.MANAGER,
    ),
    _R.EMAIL_UNVERIFIED: Refusal(
        Answer.UNVERIFIED,
        "The account's e-mail address was never verified.",
        "Ask the customer to open the message that confirms it, spam folder included, or to have it sent again.",
        Fixer.CUSTOMER,
    ),
    _R.LOCATION_DIFFERS: Refusal(
        Answer.LOCATION,
        "The customer appears to be in another country than the account's.",
        "Ask the customer to turn the VPN off for the whole device, restart the browser and sign in anew.",
        Fixer.CUSTOMER,
    ),
    _R.BILLED_ELSEWHERE: Refusal(
        Answer.BILLED_ELSEWHERE,
        "Another company bills this subscription.",
        "The customer ends the subscription there or lets it run out, then switches to the service's own billing.",
        Fixer.CUSTOMER,
    ),
    _R.NOT_RECOGNISED: Refusal(
        Answer.NOT_VALID,
        "What was typed has not the shape of this program's codes.",
        "Ask for the card's back: the code stands under the scratch-off. It may also belong to another service.",
        Fixer.CUSTOMER,
    ),
    _R.UNKNOWN: Refusal(
        Answer.NOT_VALID,
        "The code was never ours.",
        "Ask where it was bought, for the receipt and for the serial number. Codes from resellers are often made up.",
        Fixer.CUSTOMER,
    ),
    _R.REDEEMED_BY_YOU: Refusal(
        Answer.REDEEMED_BY_YOU,
        "This same account has redeemed the code.",
        "Show the customer what it gave. Signing out and in again refreshes what the apps show.",
        Fixer.CUSTOMER,
    ),
    _R.REDEEMED_BY_ANOTHER: Refusal(
        Answer.ALREADY_REDEEMED,
        "Another account has redeemed the code.",
        "Ask for the receipt. If the other account is his own too, move the benefit; if not, report the card.",
        Fixer.AGENT,
    ),
    _R.VOID: Refusal(
        Answer.NOT_VALID,
        "The card was ended for good.",
        "The seller refunds or replaces it; the timeline says why it was voided.",
        Fixer.RETAILER,
    ),
    _R.REPLACED: Refusal(
        Answer.NOT_VALID,
        "The card was replaced; its value is on the successor.",
        "Open the successor from the timeline and tell the customer to use that card.",
        Fixer.AGENT,
    ),
    _R.BATCH_NOT_ISSUED: Refusal(
        Answer.NOT_VALID, "The batch is still a draft.", "Wait until the batch is issued.", Fixer.MANAGER
    ),
    _R.BATCH_NOT_ACTIVE: Refusal(
        Answer.NOT_VALID,
        "The batch has not been activated yet.",
        "A manager activates the batch once the retailer has received it.",
        Fixer.MANAGER,
    ),
    _R.BATCH_FROZEN: Refusal(
        Answer.NOT_VALID,
        "The whole batch is frozen.",
        "The timeline says why. When the matter is cleared, the batch is thawed and the card works again.",
        Fixer.MANAGER,
    ),
    _R.BATCH_CLOSED: Refusal(
        Answer.NOT_VALID,
        "The batch was closed.",
        "Replace the card if the customer has its receipt.",
        Fixer.MANAGER,
    ),
    _R.NOT_ACTIVATED: Refusal(
        Answer.NOT_VALID,
        "The till never told us that this card was sold.",
        "Some tills report late: wait a day, then have the seller activate it. One that was never sold may be stolen.",
        Fixer.RETAILER,
    ),
    _R.FROZEN: Refusal(
        Answer.NOT_VALID,
        "The card is frozen while a report is looked into.",
        "The timeline says who froze it and why. Thaw it when the report is cleared, or replace it.",
        Fixer.AGENT,
    ),
    _R.EXPIRED: Refusal(
        Answer.NOT_VALID,
        "The card's last day is over.",
        "A manager may extend the batch. Credit that was paid for can be granted by hand.",
        Fixer.MANAGER,
    ),
    _R.COUNTRY_DIFFERS: Refusal(
        Answer.NOT_VALID,
        "The card is for another country than the account's.",
        "The seller exchanges it, or somebody with an account in the card's country uses it.",
        Fixer.RETAILER,
    ),
    _R.CURRENCY_DIFFERS: Refusal(
        Answer.NOT_VALID,
        "The card's currency is not the account's.",
        "The seller exchanges it, or somebody with an account in that currency uses it.",
        Fixer.RETAILER,
    ),
    _R.PLAN_NOT_ALLOWED: Refusal(
        Answer.OTHER_PLAN,
        "The product does not work with the account's plan.",
        "The customer changes to one of the product's plans, or gives the card to somebody else.",
        Fixer.CUSTOMER,
    ),
    _R.NOT_A_NEW_SUBSCRIBER: Refusal(
        Answer.NEW_SUBSCRIBERS,
        "The offer is for accounts that never had premium, and this one had.",
        "No exception. A gift card has no such rule; nor has a new account, but that starts without any history.",
        Fixer.NOBODY,
    ),
    _R.STACKING_CAP: Refusal(
        Answer.TOO_MUCH_TIME,
        "With this card the account would have more premium time ahead than the program allows.",
        "Keep the card until the date given here.",
        Fixer.TIME,
    ),
}
