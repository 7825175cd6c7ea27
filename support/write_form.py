"""What a retailer's people and customers write later, about a report or a request of theirs."""

from typing import Any

from django import forms
from django.views.decorators.debug import sensitive_variables

from support.files_field import FilesField
from support.told_form import KeyedForm, new_key


class WriteForm(KeyedForm):
    LONGEST = 10_000
    body = forms.CharField(label="Your message", max_length=LONGEST, widget=forms.Textarea({"rows": 4}))
    attachments = FilesField(label="Photos")

    @classmethod
    def fresh(cls) -> "WriteForm":
        return cls(initial={"send_key": new_key()})

    @sensitive_variables()
    def again(self, body: str, said: str) -> None:
        """To be shown once more with this text in it."""
        data: Any = self.data.copy()  # type: ignore[attr-defined]
        data["body"] = body
        data["send_key"] = new_key()
        self.data = data
        if said:
            self.add_error("body", said)
        if self.files:
            self.add_error("body", "The files were not kept: choose them again.")
