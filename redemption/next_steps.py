"""What a customer can do about an answer, in plain words, the likeliest first."""

from redemption.refusals import Answer

NEXT_STEPS: dict[Answer, tuple[str, ...]] = {
    Answer.NOT_VALID: (
        "Hold the card to the light and compare every character. An O may be a zero, an I or an L a one.",
        "Look where the card was sold: it must be the country of your account.",
        "Bought today? The till may report the sale late. Wait a day, then ask the shop to activate the card.",
        "Look for a last day on the card or in the mail that it came with. Offers end; so do some cards.",
        "Bought from somebody you do not know? Such codes are often made up. Ask for your money back.",
    ),
    Answer.ALREADY_REDEEMED: (
        "Do you have a second account? Perhaps the code was redeemed there: sign in with your other e-mail address.",
        "Was the packaging opened or the scratch-off touched? Take card and receipt back to the shop.",
        "Otherwise contact support, with a photo of the receipt and of the card’s back. We can see what happened.",
    ),
    Answer.REDEEMED_BY_YOU: (
        "Your account’s page shows what it gave you.",
        "If an app does not show it, sign out there and in again.",
    ),
    Answer.OTHER_PLAN: (
        "Change to a plan that the card is for, and redeem it then. What it works with stands on its back.",
        "Or give the card to somebody who has such a plan: it was not used up.",
    ),
    Answer.NEW_SUBSCRIBERS: (
        "There is no way around this rule. A gift card does not have it.",
        "The code was not used up: somebody who never had premium can redeem it.",
    ),
    Answer.TOO_MUCH_TIME: (
        "Keep the code in a safe place. It was not used up.",
        "Or give it to somebody with less premium time ahead.",
    ),
    Answer.TOO_MANY_ATTEMPTS: (
        "Nothing that you do makes it shorter, and another device or browser does not either.",
        "Use the time to compare the code with the card. The code keeps its value.",
        "Was the card stolen or copied before you bought it? Contact support: a confirmed report gives the tries back.",
    ),
    Answer.RESTRICTED: (
        "No other code, device or browser changes this. Somebody has to look at your account.",
        "Contact support and ask for that. The code keeps its value meanwhile.",
    ),
    Answer.UNVERIFIED: (
        "Have a code mailed to you from your account’s page, and type it there; look in the spam folder as well.",
        "Then redeem this code once more. No try was counted.",
    ),
    Answer.LOCATION: (
        "Turn the VPN off for the whole device, not in the browser alone, and close and open the browser.",
        "Then sign in again and redeem the code. No try was counted.",
        "Travelling? Redeem it when you are back, or contact support.",
    ),
    Answer.BILLED_ELSEWHERE: (
        "See on your account’s page who bills you: an app store, a mobile carrier or a partner.",
        "End the subscription there, and wait until the month that was paid has run out.",
        "Then redeem the code here. It keeps its value, and no try was counted.",
    ),
    Answer.CHECK_THE_CODE: (
        "Type it again slowly, or copy it from the mail that it came in. Spaces and dashes do not matter.",
        "Look twice at 0 and O, 1 and I, 5 and S, 8 and B, 2 and Z.",
        "Nothing was counted.",
    ),
    Answer.SHARE_LINK: (
        "A code to redeem stands under the scratch-off of a card, or in the mail that it came in.",
        "Links and pictures that open a song, a list or an artist give nothing. Nothing was counted.",
    ),
    Answer.UNAVAILABLE: (
        "Wait a while and try again; nothing was used up, and no try was counted.",
        "If it goes on, try another browser without extensions, or another device.",
    ),
    Answer.CHALLENGE: ("No try was counted. Type the number, and your code goes on from where it was.",),
}
