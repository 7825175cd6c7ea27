"""Causes that lie with the account, or with the match of account and card."""

from redemption.refusals import RefusalReason as R
from support.catalogue.causes import CauseText

WRONG_ACCOUNT = CauseText(
    "Signed in with another account than he thinks",
    "Which address does the page show at the top right? Is there a second account, perhaps through Facebook or Apple?",
    "The customer signs out and in again with the account that the code is meant for.",
    "It may be that you are signed in with another account than the one you mean. Please open your account’s page and "
    "compare the e-mail address there. If it is the other one, sign out, sign in with the right one, and redeem "
    "the code again.",
)
TRIES_SPENT = CauseText(
    "The account’s tries are used up",
    "How often, and with which codes, did he try today? The account’s page lists the tries.",
    "Nobody needs to do anything: the block ends by itself. Find out meanwhile why the tries failed.",
    "After several codes that did not work, an account cannot redeem for a while; that protects it against people who "
    "guess. It ends by itself: {works_from} is when you can try again. Please do not try before. Meanwhile tell us the "
    "serial number of the card, and we will see why it did not work.",
    (R.ATTEMPTS_SPENT,),
)
TRIES_LOST_TO_A_THIEF = CauseText(
    "The tries went on a card that somebody else had emptied",
    "Did he try the same new card again and again, and does he have its receipt?",
    "An agent reports the card; a confirmed report gives the tries back at once.",
    "You used up your tries on a card that seems to have been copied before you bought it. That is not your fault. "
    "Please send us a picture of the receipt and of the card’s back, with the code covered: once we have confirmed it, "
    "your account can redeem again at once.",
    (R.ATTEMPTS_SPENT,),
)
RESTRICTED = CauseText(
    "The account is restricted",
    "What does the account’s page give as the reason: unusual activity, a payment dispute, a breach of the rules?",
    "A manager reviews the restriction. Nothing that the customer tries helps before.",
    "There is a restriction on your account, and while it lasts no code can be redeemed; other browsers or devices do "
    "not change that. I have asked for it to be reviewed. You will hear from us, and your card keeps its value.",
    (R.ACCOUNT_RESTRICTED,),
)
UNVERIFIED = CauseText(
    "The e-mail address was never confirmed",
    "Did a message come that asks to confirm the address? Has he looked for it in the spam folder?",
    "The customer opens that message, or has it sent again from the account’s settings.",
    "Your e-mail address has not been confirmed yet, and until then codes cannot be redeemed. When you signed up, we "
    "sent you a message with a link; please look for it in your spam folder as well. You can have it sent again in "
    "your account’s settings. Afterwards the code will work.",
    (R.EMAIL_UNVERIFIED,),
)
ADDRESS_MISSPELT = CauseText(
    "The account’s e-mail address is misspelt, so nothing arrives there",
    "How exactly is the address written on the account’s page, letter by letter?",
    "The customer corrects the address in the settings; where he cannot, an agent does it after checking who he is.",
    "Our messages cannot reach you, because the e-mail address of your account seems to be misspelt. Please correct "
    "it in your account’s settings and confirm the new one. If the page does not let you, answer this message and we "
    "will do it together.",
    (R.EMAIL_UNVERIFIED,),
)
VPN = CauseText(
    "A VPN makes it look as if he were abroad",
    "Does a VPN run on the device, in the browser as an extension, or in the router, also with split tunnelling?",
    "The customer turns it off for the whole device, restarts the browser, and redeems.",
    "You appear to be in another country than your account’s, most often because of a VPN. Please turn it off for the "
    "whole device, not only in the browser, look for browser extensions that do the same, restart the browser and try "
    "again.",
    (R.LOCATION_DIFFERS,),
)
ABROAD = CauseText(
    "He is travelling, or has moved to another country",
    "Where is he at this moment, and for how long? Is the account’s country still the one he lives in?",
    "A traveller redeems when he is back. Who has moved changes the account’s country first.",
    "You appear to be in another country than your account’s. If you are travelling, please redeem the code when you "
    "are back; it keeps its value. If you have moved, change the country in your account’s settings first. Mind "
    "that the card must be for that country, too.",
    (R.LOCATION_DIFFERS,),
)
BILLED_ELSEWHERE = CauseText(
    "Another company bills the subscription",
    "Who takes the money: Apple, Google Play, a phone or cable company, or a partner’s bundle?",
    "The customer ends the subscription there or lets it run out, then chooses the service’s own billing.",
    "Your subscription is paid through another company, and while it is, credit cannot be added to the account. Please "
    "end the subscription there, or let it run out, then choose payment directly with {program}, and redeem the code. "
    "Your music, lists and settings stay as they are, and the code keeps its value until then.",
    (R.BILLED_ELSEWHERE,),
)
OTHER_PLAN = CauseText(
    "The code does not go with the account’s plan",
    "Which plan has the account: student, duo, family, or one that somebody else pays for?",
    "The customer changes the plan, or gives the code to somebody with a plan that it goes with.",
    "This code does not go with the plan that your account has at present; student, duo and family plans are often "
    "left out. You can change the plan first, or give the code to somebody whose plan it goes with. It keeps "
    "its value.",
    (R.PLAN_NOT_ALLOWED,),
)
HAD_PREMIUM = CauseText(
    "The offer is for new subscribers, and the account had premium before",
    "Did this account ever have premium, even a free month years ago?",
    "No exception. A gift card has no such rule; nor has a new account, but that starts without lists and history.",
    "This offer is for people who never had premium, and your account had it before, so it cannot be used there and we "
    "cannot make an exception. A gift card has no such condition. A new account with another e-mail address could use "
    "the offer, but it would begin empty, without your lists and history.",
    (R.NOT_A_NEW_SUBSCRIBER,),
)
TIME_AHEAD = CauseText(
    "The account has too much premium time ahead already",
    "Until when is it paid? The account’s page says it.",
    "The customer keeps the code until the date that the checks give, or gives it to somebody else.",
    "Your account is paid for a long time ahead, and with this code it would pass the limit. Please keep it: it can be "
    "redeemed from {works_from}. You can also give it to somebody else.",
    (R.STACKING_CAP,),
)

# --- Redeemed, and yet nothing to be seen

APPS_LAG = CauseText(
    "The apps still show the old state",
    "Does the account’s page on the web show it, while an app does not?",
    "The customer signs out everywhere and in again; that refreshes what the apps know.",
    "Your code was redeemed, only the app does not know it yet. Please sign out everywhere from your account’s page "
    "and sign in again on one device. It should show what the code gave you then.",
    (R.REDEEMED_BY_YOU,),
)
CREDIT_NOT_TIME = CauseText(
    "The card gave credit, and he looks for a plan",
    "Is it a card with an amount of money? What stands under payment on the account’s page?",
    "An agent shows the balance. The customer chooses a plan; the credit pays for it month by month.",
    "Your card gave you credit: you find it under payment on your account’s page, not under the plan. Choose a plan "
    "there, and the credit pays for it every month before anything else is charged. It cannot be paid out in cash.",
    (R.REDEEMED_BY_YOU,),
)
NO_OTHER_PAYMENT = CauseText(
    "The credit is used up, and no other way to pay is on file",
    "What balance does the account show, and is a card or account to pay from stored?",
    "The customer stores a way to pay, or redeems another card.",
    "The credit of your card is used up, and there is no other way to pay on your account, so it went back to the free "
    "plan. Please store a way to pay on your account’s page, or redeem another card; your lists are all still there.",
)
