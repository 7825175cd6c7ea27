"""What an account must show when a program is flooded with guesses: that somebody reads its mail."""

from django.db import models

from redemption.models.account import Account


class Challenge(models.Model):
    """One per account. The code that was mailed is kept as a keyed digest; who has typed it is let in for a while."""

    account = models.OneToOneField(Account, models.CASCADE, primary_key=True, related_name="challenge")
    digest = models.BinaryField(max_length=32, null=True)
    sent_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)
    passed_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["account"]

    def __str__(self) -> str:
        return str(self.account_id)
