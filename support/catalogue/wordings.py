"""The messages themselves: as customers quote them, with what else they are written like and what may be behind them.

Our answers' own texts, and the programs' texts for them, are not repeated here: recognising knows them.
"""

from dataclasses import dataclass

from redemption.refusals import PUBLIC_TEXT, Answer
from support.catalogue import about_accounts as account
from support.catalogue import about_cards as card
from support.catalogue import about_pages as pages
from support.catalogue.causes import CauseText


@dataclass(frozen=True, slots=True)
class ErrorText:
    """A known error before it is a row; its causes, the most frequent first. `service`: part of the name of the
    program whose wording it is; empty: everybody's."""

    wording: str
    causes: tuple[CauseText, ...]
    answer: Answer | None = None
    others: tuple[str, ...] = ()
    service: str = ""


CATALOGUE = (
    ErrorText(
        "This code is not valid",
        (
            card.COUNTRY,
            card.MISTYPED,
            card.NOT_ACTIVATED,
            card.EXPIRED,
            card.NEVER_OURS,
            card.OTHER_SERVICE,
            card.CURRENCY,
            card.FROZEN,
            card.REPLACED,
            card.BATCH_FROZEN,
            card.VOID,
            card.BATCH_NOT_ACTIVE,
            card.BATCH_CLOSED,
            card.UNREADABLE,
        ),
        Answer.NOT_VALID,
        (
            "Code not valid",
            "Not a valid code",
            "This code isn't valid",
            "Code not recognised",
            "The code does not exist",
            "Dieser Code ist nicht gültig",
            "Der Code ist ungültig",
            "Ce code n'est pas valide",
            "Code non valide",
            "Este código no es válido",
            "El código no es válido",
            "Koden är inte giltig",
            "Ogiltig kod",
        ),
    ),
    ErrorText(
        "This code has already been redeemed",
        (
            card.BY_THIS_ACCOUNT,
            card.OWN_OTHER_ACCOUNT,
            card.OPENED_PACKAGING,
            card.SHOWN_TO_OTHERS,
            card.RESOLD,
            account.WRONG_ACCOUNT,
        ),
        Answer.ALREADY_REDEEMED,
        (
            "Code already redeemed",
            "Code has already been used",
            "Code was redeemed before",
            "Dieser Code wurde bereits eingelöst",
            "Code schon benutzt",
            "Ce code a déjà été utilisé",
            "Code déjà utilisé",
            "Este código ya se ha canjeado",
            "El código ya ha sido utilizado",
            "Den här koden har redan lösts in",
            "Koden är redan använd",
        ),
    ),
    ErrorText(
        "You have already redeemed this code",
        (card.BY_THIS_ACCOUNT, account.APPS_LAG, account.CREDIT_NOT_TIME, account.WRONG_ACCOUNT),
        Answer.REDEEMED_BY_YOU,
        (
            "You redeemed this code yourself",
            "You already used this code",
            "Du hast diesen Code bereits eingelöst",
            "Vous avez déjà utilisé ce code",
            "Ya has canjeado este código",
            "Du har redan löst in koden",
        ),
    ),
    ErrorText(
        "This offer is not available for your account",
        (account.HAD_PREMIUM, account.WRONG_ACCOUNT, account.OTHER_PLAN),
        Answer.NEW_SUBSCRIBERS,
        (
            "Offer not available for your account",
            "Offer not available",
            "You are not eligible for this offer",
            "Only for new subscribers",
            "Dieses Angebot ist für dein Konto nicht verfügbar",
            "Angebot nicht verfügbar",
            "Cette offre n'est pas disponible pour votre compte",
            "Offre non disponible",
            "Esta oferta no está disponible para tu cuenta",
            "Oferta no disponible",
            "Erbjudandet är inte tillgängligt för ditt konto",
        ),
    ),
    ErrorText(
        "Something went wrong. Please try again later.",
        (
            pages.STALE_SESSION,
            pages.OUTAGE,
            pages.EXTENSION,
            account.VPN,
            pages.DEVICE,
            pages.OLD_APP,
        ),
        Answer.UNAVAILABLE,
        (
            "Something went wrong",
            "Oops, something went wrong",
            "Please try again later",
            "Redeeming does not work at this moment",
            "The redeem page does not load",
            "Etwas ist schiefgelaufen",
            "Da ist etwas schiefgelaufen. Bitte versuche es später erneut.",
            "Une erreur s'est produite",
            "Une erreur est survenue. Veuillez réessayer plus tard.",
            "Algo salió mal",
            "Se ha producido un error. Inténtalo de nuevo más tarde.",
            "Något gick fel",
            "Något gick fel. Försök igen senare.",
        ),
    ),
    ErrorText(
        "You already have a Premium subscription",
        (account.BILLED_ELSEWHERE, account.OTHER_PLAN, account.TIME_AHEAD, account.WRONG_ACCOUNT),
        Answer.BILLED_ELSEWHERE,
        (
            "You already have Premium",
            "You already have a subscription",
            "You are already subscribed",
            "Du hast bereits ein Premium-Abo",
            "Du hast schon Premium",
            "Vous avez déjà un abonnement Premium",
            "Ya tienes una suscripción Premium",
            "Ya tienes Premium",
            "Du har redan ett Premium-abonnemang",
            "Du har redan Premium",
        ),
    ),
    ErrorText(
        "This code does not work with your plan",
        (account.OTHER_PLAN, account.WRONG_ACCOUNT),
        Answer.OTHER_PLAN,
        (
            "Not available on your plan",
            "Your plan cannot use this code",
            "Der Code passt nicht zu deinem Abo",
            "Ce code ne fonctionne pas avec votre abonnement",
            "Este código no funciona con tu plan",
            "Koden fungerar inte med ditt abonnemang",
        ),
    ),
    ErrorText(
        "Your account has premium for a long time ahead already",
        (account.TIME_AHEAD, account.WRONG_ACCOUNT),
        Answer.TOO_MUCH_TIME,
        (
            "You have reached the limit of premium time",
            "Too many months of premium",
            "Maximum number of gift cards reached",
        ),
    ),
    ErrorText(
        "Too many codes were tried",
        (account.TRIES_SPENT, account.TRIES_LOST_TO_A_THIEF),
        Answer.TOO_MANY_ATTEMPTS,
        (
            "Too many attempts",
            "Too many tries",
            "You have tried too often",
            "Zu viele Versuche",
            "Trop de tentatives",
            "Demasiados intentos",
            "För många försök",
        ),
    ),
    ErrorText(
        "Your account cannot redeem codes at present",
        (account.RESTRICTED, account.WRONG_ACCOUNT),
        Answer.RESTRICTED,
        (
            "Your account is restricted",
            "Your account has been suspended",
            "Account locked",
            "Dein Konto ist eingeschränkt",
            "Votre compte est restreint",
            "Tu cuenta está restringida",
            "Ditt konto är begränsat",
        ),
    ),
    ErrorText(
        "Confirm your e-mail address first",
        (account.UNVERIFIED, account.ADDRESS_MISSPELT, account.WRONG_ACCOUNT),
        Answer.UNVERIFIED,
        (
            "Please verify your email address",
            "Verify your email",
            "Your email is not verified",
            "Bitte bestätige zuerst deine E-Mail-Adresse",
            "Veuillez confirmer votre adresse e-mail",
            "Confirma primero tu correo electrónico",
            "Bekräfta din e-postadress först",
        ),
    ),
    ErrorText(
        "You appear to be in another country",
        (account.VPN, account.ABROAD),
        Answer.LOCATION,
        (
            "Turn off any VPN and try again",
            "You seem to be using a VPN or proxy",
            "VPN detected",
            "Du scheinst in einem anderen Land zu sein",
            "Vous semblez être dans un autre pays",
            "Parece que estás en otro país",
            "Du verkar vara i ett annat land",
        ),
    ),
    ErrorText(
        "There is a slip in this code",
        (card.MISTYPED, card.UNREADABLE, card.OTHER_SERVICE),
        Answer.CHECK_THE_CODE,
        (
            "Compare it with the card, character by character",
            "Check the code and try again",
            "Im Code ist ein Tippfehler",
            "Il y a une erreur de frappe dans le code",
            "Hay un error en el código",
            "Det är ett skrivfel i koden",
        ),
    ),
    ErrorText(
        "This is a link for sharing, not a code",
        (pages.SHARE_LINK, pages.PICTURE_CODE),
        Answer.SHARE_LINK,
        (
            "This is a link for sharing music",
            "That is a share link",
            "Das ist ein Link zum Teilen",
            "C'est un lien de partage",
            "Es un enlace para compartir",
            "Det är en delningslänk",
        ),
    ),
    ErrorText(
        "Show that it is you, with a number that we mail you",
        (pages.FLOOD, pages.NO_MAIL, account.UNVERIFIED, account.ADDRESS_MISSPELT),
        Answer.CHALLENGE,
        (
            "Very many codes are being tried",
            "It wants a number from a mail",
            "Enter the six figures from the mail",
            "Ich soll eine Zahl aus einer E-Mail eingeben",
            "On me demande un code envoyé par e-mail",
            "Me pide un número que llega por correo",
            "Jag ska ange en siffra från ett mejl",
        ),
    ),
    ErrorText(
        PUBLIC_TEXT,
        (pages.NOT_SIGNED_IN, card.MISTYPED, pages.FALSE_PAGE),
        others=("This code could not be redeemed", "Sign in to see what you can do"),
    ),
    ErrorText(
        "Invalid code",
        (
            card.UNREADABLE,
            card.NOT_ACTIVATED,
            card.MISTYPED,
            card.COUNTRY,
            card.CURRENCY,
            card.OTHER_SERVICE,
            card.FROZEN,
            card.EXPIRED,
            card.OWN_OTHER_ACCOUNT,
            card.NEVER_OURS,
        ),
        others=("Invalid PIN", "The PIN is invalid", "Invalid gift card number", "Ungültiger Code", "Ungültige PIN",
                "Code invalide", "Código inválido", "PIN inválido", "Ogiltig PIN-kod"),
        service="netflix",
    ),
    ErrorText(
        "You are billed through a third party",
        (account.BILLED_ELSEWHERE, account.WRONG_ACCOUNT),
        others=(
            "Billed through a third party",
            "Gift cards cannot be applied while a partner bills you",
            "Your membership is paid through a package",
            "Deine Mitgliedschaft wird über einen Drittanbieter abgerechnet",
            "Facturé par un tiers",
            "Facturado a través de un tercero",
            "Faktureras via en tredje part",
        ),
        service="netflix",
    ),
    ErrorText(
        "Region mismatch",
        (card.COUNTRY, card.CURRENCY, account.VPN, account.ABROAD),
        others=(
            "This card cannot be used in your country",
            "Not available in your region",
            "Card is for another region",
            "Currency does not match",
            "Falsche Region",
            "In deinem Land nicht verfügbar",
            "Non disponible dans votre pays",
            "No disponible en tu país",
            "Inte tillgängligt i ditt land",
        ),
        service="netflix",
    ),
    ErrorText(
        "This card has not been activated yet",
        (card.NOT_ACTIVATED, card.BATCH_NOT_ACTIVE, card.FROZEN),
        others=(
            "Not yet activated",
            "Gift card not activated",
            "Die Karte ist noch nicht aktiviert",
            "La carte n'est pas encore activée",
            "La tarjeta aún no está activada",
            "Kortet är inte aktiverat än",
        ),
        service="netflix",
    ),
    ErrorText(
        "This code has expired",
        (card.EXPIRED, card.BATCH_CLOSED, card.VOID),
        others=(
            "Offer expired",
            "The promotion has ended",
            "Dieser Code ist abgelaufen",
            "Ce code a expiré",
            "Este código ha caducado",
            "Koden har gått ut",
        ),
    ),
    ErrorText(
        "It says redeemed, but premium does not show",
        (account.APPS_LAG, account.WRONG_ACCOUNT, account.CREDIT_NOT_TIME, card.OWN_OTHER_ACCOUNT),
        others=("Redeemed but nothing was added", "Premium was not added to my account", "Credit is not showing"),
    ),
    ErrorText(
        "Add a payment method to continue",
        (account.NO_OTHER_PAYMENT, account.WRONG_ACCOUNT),
        others=(
            "Your account went back to the free plan",
            "Update your payment method",
            "Zahlungsmethode hinzufügen",
            "Ajoutez un mode de paiement",
            "Añade un método de pago",
            "Lägg till ett betalningssätt",
        ),
    ),
)  # fmt: skip
