"""A service's card scheme, and the shapes of its codes."""

import re
import zoneinfo
from collections.abc import Sequence
from datetime import date, datetime

import pyrage
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone

from redemption.code_format import CROCKFORD, CodePattern, fold_prefix
from redemption.refusals import RefusalReason

# What references begin with: accounts, attempts, batches, invoices, answers that left no attempt, reports,
# tickets and what webhooks tell.
REFERENCE_PREFIXES = frozenset({"AC", "AT", "BA", "IN", "NO", "RP", "TK", "WH"})


def validate_time_zone(value: str) -> None:
    if value not in zoneinfo.available_timezones():
        raise ValidationError("“%(value)s” is no time zone; write one like Europe/Berlin.", params={"value": value})


def validate_regular_expression(value: str) -> None:
    try:
        re.compile(value)
    except re.error as error:
        raise ValidationError("Not a regular expression: %(error)s.", params={"error": error}) from None


def validate_wording(value: object) -> None:
    if not isinstance(value, dict) or not all(isinstance(text, str) and text for text in value.values()):
        raise ValidationError("Write an object of texts: {“code_not_valid”: “…”}.")
    if unknown := sorted(set(value) - {reason.answer_key for reason in RefusalReason}):
        raise ValidationError("No answer is called %(unknown)s.", params={"unknown": ", ".join(unknown)})


def validate_age_recipient(value: str) -> None:
    """An age public key (age1…); printers hold the private one."""
    try:
        pyrage.x25519.Recipient.from_str(value)
    except pyrage.RecipientError:
        raise ValidationError("Not an age public key: it begins with age1 and comes from the printer.") from None


class Program(models.Model):
    name = models.CharField(max_length=80, unique=True)
    slug = models.SlugField(unique=True)
    # Digests are keyed by this name: renaming the program must not orphan its codes, so a trigger refuses changes.
    digest_name = models.CharField(
        max_length=16,
        unique=True,
        validators=[RegexValidator(r"\A[a-z0-9-]{2,16}\Z", "Two to sixteen small letters, digits or dashes.")],
        help_text="Goes into every digest of this program's codes; can never change.",
    )
    time_zone = models.CharField(max_length=40, default="UTC", validators=[validate_time_zone])
    stacking_cap_months = models.PositiveSmallIntegerField(
        default=18,
        validators=[MinValueValidator(1), MaxValueValidator(120)],
        help_text="Premium time ahead of an account may not pass this.",
    )
    refuses_third_party_billing = models.BooleanField(
        default=True, help_text="Accounts billed through Apple, Google, a carrier or a bundle cannot redeem."
    )
    checks_location = models.BooleanField(
        default=True, help_text="Refuse when the apparent country is not the account's (a VPN, often)."
    )
    share_link_patterns = ArrayField(
        models.CharField(max_length=200, validators=[validate_regular_expression]),
        default=list,
        blank=True,
        help_text="Regular expressions of share links that customers mistake for codes, separated by commas.",
    )
    wording = models.JSONField(
        default=dict,
        blank=True,
        validators=[validate_wording],
        help_text="The program's own texts for answers to customers, by answer.",
    )
    is_paused = models.BooleanField(
        default=False, help_text="Outage: every try is answered “unavailable” and uses nothing up."
    )
    printer_key = models.CharField(
        max_length=100,
        blank=True,
        validators=[validate_age_recipient],
        help_text="The printer's age public key.",
    )
    retailer_second_factor = models.BooleanField(
        "second factor for retailers",
        default=False,
        help_text="On: members of retailers with cards of this program sign in with a second factor.",
    )
    deactivation_minutes = models.PositiveIntegerField(
        "minutes to take a sale back",
        default=60,
        help_text="For how long after a sale the till may take it back, in minutes; 0: never.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.time_zone)

    def today(self, now: datetime | None = None) -> date:
        """The calendar day in the program's own time zone."""
        return (now or timezone.now()).astimezone(self.zone).date()

    def clean(self) -> None:
        before = Program.objects.filter(pk=self.pk).first()
        if before and before.time_zone != self.time_zone and before.has_cards:
            raise ValidationError(
                {"time_zone": "Cards are out: their expiry dates end in the time zone they were made with."}
            )

    @property
    def has_cards(self) -> bool:
        return self.products.filter(batches__status__in=["issued", "active", "frozen", "closed"]).exists()

    def current_format(self) -> "CodeFormat":
        """The format of new batches: the newest version."""
        return self.formats.order_by("-version")[0]


class CodeFormat(models.Model):
    """One version of a program's code shape. Never changed: printed cards keep the shape they were made with."""

    program = models.ForeignKey(Program, models.PROTECT, related_name="formats")
    version = models.PositiveSmallIntegerField()
    prefix = models.CharField(max_length=20, blank=True, help_text="Printed before the code, optional when typed.")
    alphabet = models.CharField(max_length=94, default=CROCKFORD)
    length = models.PositiveSmallIntegerField(default=12, help_text="Symbols, without the prefix.")
    has_check_symbol = models.BooleanField(default=True, help_text="The last symbol checks the others (ours do).")
    case_sensitive = models.BooleanField(default=False)
    look_alikes = models.JSONField(
        default=dict,
        blank=True,
        help_text="What is typed for what: {“O”: “0”}. Sources outside the alphabet only.",
    )
    group_size = models.PositiveSmallIntegerField(default=4, help_text="Symbols between dashes when printed.")

    class Meta:
        ordering = ["program", "version"]
        constraints = [
            models.UniqueConstraint(fields=["program", "version"], name="one_format_per_version"),
        ]

    def __str__(self) -> str:
        return f"{self.program} format {self.version}"

    @property
    def pattern(self) -> CodePattern:
        return CodePattern(
            alphabet=self.alphabet,
            length=self.length,
            prefix=self.prefix,
            check_symbol=self.has_check_symbol,
            case_sensitive=self.case_sensitive,
            # None stands for the alphabet's own: Crockford's has three.
            look_alikes=tuple(sorted(self.look_alikes.items())) or None,
            group=self.group_size,
        )

    @property
    def can_generate(self) -> bool:
        """Whether we make such codes ourselves; suppliers' formats are imported only."""
        return self.has_check_symbol

    def clean(self) -> None:
        # Each at a field: the admin's rows of formats show no others.
        if self.prefix.upper() in REFERENCE_PREFIXES:
            raise ValidationError({"prefix": f"{self.prefix} begins our own references: choose another prefix."})
        try:
            pattern = self.pattern
        except (ValueError, AttributeError, TypeError) as error:
            raise ValidationError({"alphabet": f"Not a usable code format: {error}"}) from None
        # Serial numbers and references are public and codes are not: no text may be read as either.
        if _may_be_read(pattern, _SERIAL):
            raise ValidationError({"length": "Ten digits are a serial number here: choose another length or a prefix."})
        for reference, example in _REFERENCES.items():
            if _may_be_read(pattern, example):
                raise ValidationError(
                    {"length": f"A reference {reference} could be read as such a code: choose another length."}
                )


_DIGITS = frozenset("0123456789")
_SYMBOLS = frozenset(CROCKFORD)
# What may stand at each place of a number of ours, without its dashes.
_SERIAL = [_DIGITS - {"0"}] + [_DIGITS] * 9
_REFERENCES = {
    f"{prefix}-…": [frozenset(letter) for letter in prefix] + [_SYMBOLS] * (32 if prefix == "NO" else 12)
    for prefix in sorted(REFERENCE_PREFIXES)
}


def _may_be_read(pattern: CodePattern, places: Sequence[frozenset[str]]) -> bool:
    """Whether some text with these symbols at its places has the shape of a code, check symbol aside."""
    head, body = places[: -pattern.length], places[-pattern.length :]
    if len(body) < pattern.length or (head and len(head) != len(pattern.prefix)):
        return False
    if any(
        fold_prefix(meant) not in map(fold_prefix, place) for meant, place in zip(pattern.prefix, head, strict=False)
    ):
        return False
    if pattern.check_symbol:
        # A letter from outside the alphabet is a slip there, and a slip is nearly a code.
        return True
    typed = set(pattern.alphabet) | {one for one, _ in pattern.look_alikes or ()}
    if pattern.case_sensitive:
        typed |= {one.upper() for one in typed}
    return all(place & typed for place in body)
