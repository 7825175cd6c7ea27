"""When the desk answers: opening hours, holidays, and how soon by priority."""

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q

from support.models.ticket import Priority

# Nobody waits for longer; in minutes.
LONGEST = 100_000


class Weekday(models.IntegerChoices):
    MONDAY = 0, "Monday"
    TUESDAY = 1, "Tuesday"
    WEDNESDAY = 2, "Wednesday"
    THURSDAY = 3, "Thursday"
    FRIDAY = 4, "Friday"
    SATURDAY = 5, "Saturday"
    SUNDAY = 6, "Sunday"


class OpeningHours(models.Model):
    """One stretch of a weekday, in the desk's time zone (a setting). A weekday without one is closed."""

    weekday = models.PositiveSmallIntegerField(choices=Weekday)
    opens = models.TimeField()
    # 00:00 is the end of the day.
    closes = models.TimeField()

    class Meta:
        ordering = ["weekday", "opens"]
        verbose_name_plural = "opening hours"
        constraints = [
            models.CheckConstraint(
                condition=Q(closes__gt=F("opens")) | Q(closes="00:00"),
                name="desk_closes_after_it_opens",
                violation_error_message="It closes before it opens. For a night, make two stretches.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_weekday_display()} {self.opens:%H:%M}–{self.closes:%H:%M}"


class Holiday(models.Model):
    day = models.DateField(unique=True)
    name = models.CharField(max_length=80)

    class Meta:
        ordering = ["day"]

    def __str__(self) -> str:
        return f"{self.day:%-d %B %Y}, {self.name}"


class Target(models.Model):
    """How soon tickets of a priority are answered and solved, in minutes of opening hours."""

    priority = models.PositiveSmallIntegerField(choices=Priority, unique=True)
    first_response = models.PositiveIntegerField(
        help_text="Minutes of opening hours.", validators=[MaxValueValidator(LONGEST)]
    )
    resolution = models.PositiveIntegerField(
        help_text="Minutes of opening hours, not counting those spent waiting.", validators=[MaxValueValidator(LONGEST)]
    )

    class Meta:
        ordering = ["-priority"]

    def __str__(self) -> str:
        return f"{self.get_priority_display()} priority"
