"""Causes that lie with the card: what was typed, where it works, and what became of it."""

from redemption.refusals import RefusalReason as R
from support.catalogue.causes import CauseText

MISTYPED = CauseText(
    "The code was typed with a slip",
    "Which characters are hard to read, and are any of them 0 and O, 1 and l, 5 and S, 8 and B?",
    "The customer reads the code off the card again, one character at a time, and leaves out spaces at both ends.",
    "One character of the code seems to differ from the card. Please read it off again slowly: 0 and O, 1 and l, "
    "5 and S, 8 and B look much alike in print. If you copied it from a message, make sure that no space came along "
    "before or after it. Tries with a slip like this cost you nothing else: the card keeps its value.",
    (R.NOT_RECOGNISED,),
)
UNREADABLE = CauseText(
    "Part of the code is still covered, or was scratched away",
    "Is every character free, and none torn or rubbed off? A photo of the back shows it.",
    "The customer uncovers the rest. If characters are lost, an agent finds the card by its serial number and has it "
    "replaced.",
    "It looks as if part of the code is still under the silver strip. Please uncover the whole of it and enter it "
    "again without spaces. If some of it can no longer be read, send us the serial number from the card’s back and a "
    "picture of your receipt, with the code itself covered: we can replace the card.",
)
OTHER_SERVICE = CauseText(
    "The code belongs to another service",
    "Whose name and logo are on the card, and what does the card say it is for?",
    "The customer redeems it at the service that is printed on it; we cannot move it.",
    "This code is not one of {program}’s: the card seems to be for another service. Its front says which one, and its "
    "back where to redeem it. It is untouched, so it will work there.",
    (R.NOT_RECOGNISED, R.UNKNOWN),
)
NEVER_OURS = CauseText(
    "The code was never issued by us",
    "Where was it bought, for how much, and is there a receipt or a serial number?",
    "The customer asks the seller for the money back. Codes from resellers and auction pages are often made up; an "
    "agent notes the seller.",
    "We have no record of this code: it was not issued for {program}. Codes that are sold by other people, or far "
    "below their price, are often made up. Please ask the seller for your money back, through the page or bank that "
    "you paid with if need be. Tell us where you bought it, and we will look into the seller.",
    (R.UNKNOWN,),
)
COUNTRY = CauseText(
    "The card is for another country than the account",
    "In which country was the card bought, and which country does the account show?",
    "The seller exchanges it for a card of the account’s country, or the customer gives it to somebody whose account "
    "is in the card’s country. An agent cannot lift the rule.",
    "Your card works in {card_country}, and your account is in {account_country}, so it cannot be redeemed there. The "
    "card has kept its full value. The shop that sold it can exchange it, or you can give it to somebody whose account "
    "is in {card_country}. Please do not try it again before: further tries would only block your account for a day.",
    (R.COUNTRY_DIFFERS,),
)
CURRENCY = CauseText(
    "The card’s currency is not the account’s",
    "Which currency is printed on the card, and in which one is the account billed?",
    "The seller exchanges it, or somebody with an account in that currency uses it.",
    "The credit on your card is in another currency than your account is billed in, so the two do not go together. The "
    "card has kept its full value: the shop can exchange it, or somebody with an account in its currency can use it.",
    (R.CURRENCY_DIFFERS,),
)
NOT_ACTIVATED = CauseText(
    "The till never activated the card",
    "When and where was it bought, and does the receipt list the card with its amount?",
    "Within a day of the purchase: wait, some tills report late. After that the seller activates it with the receipt. "
    "A card without any receipt may have been taken unpaid: an agent freezes it.",
    "The shop has not told us yet that card {card} was sold, and until then it does not work. Some tills report only "
    "overnight, so please try again 24 hours after the purchase. If it still fails, take the card and the receipt "
    "back to the shop: they can activate it at the till. A picture of the receipt helps us to help you.",
    (R.NOT_ACTIVATED,),
)
EXPIRED = CauseText(
    "The code’s last day is over",
    "Was it paid for, or given away with an offer? What date is printed on it?",
    "A manager may extend the batch. Credit that was paid for can be granted by hand; a free offer has ended.",
    "The last day on which this code could be redeemed was {expires_on}. If somebody paid for the card, send us a "
    "picture of the receipt and we will see what we can do. A code that came free with an offer has ended with it.",
    (R.EXPIRED,),
)
FROZEN = CauseText(
    "The card is frozen while a report is looked into",
    "Where was it bought, and can the customer show receipt and card? The timeline says who reported it.",
    "An agent compares receipt and serial number with the report; then the card is thawed or replaced.",
    "Card {card} is held back at this moment, because it was reported to us. That is no fault of yours, and its value "
    "is safe. Please send us a picture of the receipt and of the card’s back, with the code covered, so that we can "
    "free or replace it.",
    (R.FROZEN,),
)
BATCH_FROZEN = CauseText(
    "The whole batch that the card comes from is frozen",
    "Does the timeline say why? Was the card bought in a shop, with a receipt?",
    "A manager thaws the batch when the matter is cleared; with a receipt, the card may be replaced before.",
    "Some cards of the same delivery as yours are being checked, and all of them wait meanwhile. Your card’s value is "
    "safe. Please keep the receipt; a picture of it lets us settle your card first.",
    (R.BATCH_FROZEN,),
)
BATCH_NOT_ACTIVE = CauseText(
    "The batch has not been opened for redeeming yet",
    "Where does the code come from, and did its offer begin already?",
    "A manager issues and activates the batch once the retailer has received it.",
    "Your code is in order, but its offer has not been opened yet. We have told the team that looks after it, and will "
    "write to you as soon as the code works.",
    (R.BATCH_NOT_ACTIVE, R.BATCH_NOT_ISSUED),
)
BATCH_CLOSED = CauseText(
    "The batch was closed",
    "How old is the card, and is there a receipt?",
    "With a receipt, a manager has the card replaced.",
    "Your card comes from a delivery that was withdrawn a while ago. If you have the receipt, send us a picture of it "
    "and of the card’s back, with the code covered, and we will have the card replaced.",
    (R.BATCH_CLOSED,),
)
VOID = CauseText(
    "The card was ended for good, usually after a refund",
    "Was the card returned to the shop, or its price paid back?",
    "The timeline says why. The seller refunds or replaces it; it never works again.",
    "Card {card} was cancelled, as happens when a card is returned or paid back, and it cannot be brought back. If "
    "you did not get your money, please go to the shop with the receipt, and let us know what they say.",
    (R.VOID,),
)
REPLACED = CauseText(
    "The card was replaced; its value is on another one",
    "Did the customer, or the person who gave him the card, get a new one from us or from the shop?",
    "An agent opens the successor from the timeline and sends the customer to that card.",
    "Card {card} was replaced by a new one, which holds its value now. Please look for our message or the shop’s with "
    "the new card, and redeem that one. If you cannot find it, tell us, and we will see to it.",
    (R.REPLACED,),
)

# --- Redeemed before

BY_THIS_ACCOUNT = CauseText(
    "This same account redeemed it before",
    "When did he try first? Pages that load slowly are often sent twice.",
    "An agent shows what it granted and when. The customer signs out and in again, which refreshes the apps.",
    "Good news: this code did work. Your own account redeemed it, and {benefit} is on it. If an app does not show it "
    "yet, sign out there and in again.",
    (R.REDEEMED_BY_YOU,),
)
OWN_OTHER_ACCOUNT = CauseText(
    "Another account of the customer, or of his household, redeemed it",
    "Has he, or somebody at home, a second account: another address, or a sign-in through Facebook, Apple or Google?",
    "If both accounts are his, an agent moves the benefit. If it is the family’s, they settle it among themselves.",
    "This code was redeemed by another account than the one you write from. Do you have a second account, with another "
    "e-mail address or a sign-in through Facebook, Apple or Google? Might somebody at home have used the card? Please "
    "look there. If the other account is yours, tell us its address and we can move the benefit.",
    (R.REDEEMED_BY_ANOTHER,),
)
OPENED_PACKAGING = CauseText(
    "The packaging had been opened: the code was stolen in the shop",
    "Was the strip scratched or covered by a sticker, or the sleeve cut, when it was bought? Ask for photos of both.",
    "An agent reports the card with receipt and photos; the retailer replaces it. Tries spent on it are given back.",
    "Somebody else has redeemed this code. If the packaging was opened or the strip damaged when you bought the card, "
    "it was probably copied in the shop. Please send us a picture of the receipt and of both sides of the card, with "
    "the code covered, and show both at the shop as well: most shops replace such a card. Your account will not suffer "
    "for the failed tries.",
    (R.REDEEMED_BY_ANOTHER,),
)
SHOWN_TO_OTHERS = CauseText(
    "Others have seen the code: a post, a forwarded mail, a false redeem page",
    "Was the code photographed, posted, forwarded, or typed on any page but the service’s own?",
    "An agent reports the card. Without a fault of the shop’s the customer has no claim; goodwill is a manager’s.",
    "Somebody else has redeemed this code. Whoever sees a code can use it, so please think back: was it in a picture "
    "that you shared, in a message that was passed on, or typed on a page that was not ours? Tell us what you remember "
    "and send us the receipt; we will look into it.",
    (R.REDEEMED_BY_ANOTHER,),
)
RESOLD = CauseText(
    "A reseller sold the code twice",
    "Was it bought from a shop, or from a person, an auction or a key shop?",
    "The customer claims his money from the seller, through the payment service if need be.",
    "Somebody else had redeemed this code before you got it. That happens with codes that are sold by other people or "
    "on auction pages: they are sold more than once. Please claim your money back from the seller, or through the "
    "service that you paid with.",
    (R.REDEEMED_BY_ANOTHER,),
)
