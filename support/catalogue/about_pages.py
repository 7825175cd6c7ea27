"""Causes that no check can know: browsers, devices, outages, and what is no code at all."""

from support.catalogue.causes import CauseText

STALE_SESSION = CauseText(
    "The browser keeps an old session",
    "Does it work in a private window, or after cookies and cache were cleared?",
    "The customer clears cookies and cache, or uses a private window, and signs in anew.",
    "Your browser seems to hold an old copy of the page. Please open a private window, sign in there and redeem the "
    "code once more. If that works, clear the cookies and the cache of your usual browser. Nothing was used up.",
)
EXTENSION = CauseText(
    "A browser extension blocks the page",
    "Are an ad blocker, a privacy tool or a VPN extension installed? Does another browser work?",
    "The customer turns extensions off for this page, or takes a browser without any.",
    "An extension of your browser, such as an ad blocker or a privacy tool, may hold back what the page needs. Please "
    "try a browser that you do not normally use, or turn the extensions off for our page, and redeem once more.",
)
DEVICE = CauseText(
    "The device or its network is in the way",
    "Does it work on a telephone without the house’s wireless network, or on another computer?",
    "The customer uses another device or network; date and certificates of the first one may be wrong.",
    "Something on this device or in its network may be in the way. Please try it once on another device, a telephone "
    "on mobile data for instance. If it works there, check whether the date of the first one is right and its updates "
    "are installed.",
)
OLD_APP = CauseText(
    "The app is out of date",
    "Which version is installed, and does it work on the web page?",
    "The customer redeems on the web page, or updates the app.",
    "Please redeem the code on our web page rather than in the app: it always has the newest version. Updating the app "
    "helps as well.",
)
OUTAGE = CauseText(
    "Redeeming is out of order at this moment",
    "Do several customers report it since the same hour, on different devices? Is there a problem ticket?",
    "Join the ticket to the problem. Nothing is used up; when it is mended, all are answered at once.",
    "Redeeming does not work at this moment, and that is on our side. Your code was not used up and your account is "
    "not affected. Our people are on it; we will write to you when it works again, and you need not try meanwhile.",
)
FLOOD = CauseText(
    "Somebody is trying very many codes, and everybody is asked for a number by mail",
    "Did a mail with six figures come? Is it in the spam folder?",
    "The customer types the number from the mail; nothing was counted. It serves for an hour.",
    "At this moment somebody tries very many codes, and we ask everybody who redeems for a number that we mail to the "
    "account’s address. Please look for that mail, in the spam folder as well, and type the number on the page. No try "
    "was counted, and your code keeps its value.",
)
NO_MAIL = CauseText(
    "The mail with the number does not arrive",
    "Which address has the account, and does other mail of ours arrive there?",
    "The customer waits a few minutes and has it sent again; an address that is misspelt is put right first.",
    "The number goes to the e-mail address of your account and may take some minutes. Please wait a little, look into "
    "the spam folder, and have it sent again; only the newest one counts. If the address is no longer yours, tell us.",
)
SHARE_LINK = CauseText(
    "It is a link for sharing, not a code",
    "Does it begin with http or spotify:, and open a song, a list or a film?",
    "The customer looks for the code itself: under the strip, in the receipt’s mail, or in the offer’s message.",
    "What you entered is a link that opens a song, a list or a film; it cannot be redeemed. The code is on the card’s "
    "back under the strip, or in the message that came with the purchase. If you only got a link, ask whoever "
    "sent it to you.",
)
PICTURE_CODE = CauseText(
    "It is a picture code for scanning, which opens music",
    "Is it a row of bars beside a logo, meant for the app’s camera?",
    "The customer looks for letters and digits; bars for scanning hold nothing to redeem.",
    "The bars beside the logo open a song or a list when they are scanned; nothing can be redeemed with them. A code "
    "to redeem is written in letters and digits, on a card’s back or in the message that came with the offer.",
)
NOT_SIGNED_IN = CauseText(
    "He was not signed in",
    "Does the page show his name, or does it offer to sign in?",
    "The customer signs in and redeems again: then the page says exactly what is the matter.",
    "You were not signed in when you tried the code, so the page could not say more. Please sign in with the account "
    "that the code is for and enter it again. If it does not work then, send us the message that you see.",
)
FALSE_PAGE = CauseText(
    "He typed it on a page that is not the service’s",
    "What exactly is the page’s address, and how did he get there: a search, a mail, an advertisement?",
    "An agent freezes the card at once and reports the page. The customer changes his password.",
    "The page where you entered the code does not seem to be ours. Please do not enter anything else there, and "
    "change your password if you typed it. Tell us the serial number of your card: we hold it back at once, so that "
    "nobody can use it.",
)
