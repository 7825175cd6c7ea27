"""Mails that wait for the worker."""

from django.db import models


class SealedMail(models.Model):
    """A mail on its way, with what nobody else may read: it rests only here, sealed, and its end destroys the row."""

    sealed = models.BinaryField(help_text="The whole mail, closed under SECRET_KEY.")
    expires_at = models.DateTimeField(help_text="From then on it is of no use to anybody, and is not sent any more.")

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return str(self.pk)
