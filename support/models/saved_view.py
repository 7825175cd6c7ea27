"""A person's own views of the queue: a name for the filters in an address."""

from django.conf import settings
from django.db import models


class SavedView(models.Model):
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=60)
    # The queue's query string: filters and sort, no words of customers.
    query = models.CharField(max_length=500)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "name"],
                name="one_view_per_owner_and_name",
                violation_error_code="name_taken",
                violation_error_message="You have a view of this name already.",
            ),
        ]

    def __str__(self) -> str:
        return self.name
