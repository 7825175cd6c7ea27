"""What a customer fills in to ask for help.

A form that is shown again holds no code that was typed into it: `again()` puts texts without codes in their place.
"""

from typing import Any

from django import forms
from django.views.decorators.debug import sensitive_variables

from redemption.models import Account
from support.customers.answers import Answered
from support.files_field import FilesField
from support.models import StepTried, Surface
from support.references import read_serial
from support.told_form import CHOOSE, KeyedForm, new_key

# The fields whose texts are kept, and how long they may be.
TEXTS = {"subject": 150, "body": 10_000, "error_message": 500}


class ContactForm(KeyedForm):
    account = forms.ChoiceField(label="For which account?", error_messages=CHOOSE, required=False)
    subject = forms.CharField(
        label="What is it about?", max_length=TEXTS["subject"], widget=forms.TextInput({"autocomplete": "off"})
    )
    body = forms.CharField(
        label="What happened?",
        max_length=TEXTS["body"],
        help_text="Where you bought the card, what you did, what you saw. Never write the code: we do not need it.",
        widget=forms.Textarea({"rows": 6}),
    )
    error_message = forms.CharField(
        label="What did the page say?",
        max_length=TEXTS["error_message"],
        required=False,
        help_text="Word for word, if you saw a message.",
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    surface = forms.ChoiceField(
        label="Where was that?", choices=[("", "Choose…"), *Surface.choices], required=False, error_messages=CHOOSE
    )
    serial = forms.CharField(
        label="Serial number of the card",
        max_length=40,
        required=False,
        help_text="Ten digits, printed in the open. Not what stands under the scratch-off.",
        widget=forms.TextInput({"autocomplete": "off", "inputmode": "numeric"}),
    )
    steps_tried = forms.MultipleChoiceField(
        label="What have you tried?",
        choices=StepTried.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": "Choose from the list."},
    )
    attachments = FilesField(label="Receipt, photo of the card, screenshot")

    def __init__(
        self, data: Any = None, files: Any = None, *, accounts: list[Account], about: Answered | None, **options: Any
    ) -> None:
        super().__init__(data, files, **options)
        self.accounts, self.about = accounts, about
        if about:
            # All that is known from the answer.
            for name in ("account", "error_message", "surface"):
                del self.fields[name]
        elif len(accounts) < 2:
            del self.fields["account"]
        else:
            choices = [("", "None of these"), *((one.reference, f"{one.program}, {one.email}") for one in accounts)]
            self.fields["account"].choices = choices  # type: ignore[attr-defined]

    @sensitive_variables()
    def clean_serial(self) -> int | None:
        typed: str = self.cleaned_data["serial"].strip()
        serial = read_serial(typed) if typed else None
        if typed and not serial:
            raise forms.ValidationError("A serial number has ten digits. Leave the field empty if you cannot find it.")
        return serial

    @property
    def chosen_account(self) -> Account | None:
        if self.about:
            return self.about.account
        if len(self.accounts) == 1:
            return self.accounts[0]
        reference = self.cleaned_data.get("account")
        return next((account for account in self.accounts if account.reference == reference), None)

    @sensitive_variables()
    def again(self, texts: dict[str, str], said: str = "") -> None:
        """To be shown once more with these texts."""
        data: Any = self.data.copy()  # type: ignore[attr-defined]
        for name in TEXTS:
            if name in self.fields:
                data[name] = texts.get(name, "")
        # What is no serial number may be anything.
        data["serial"] = str(read_serial(data.get("serial", "")) or "")
        data["send_key"] = new_key()
        self.data = data
        if said:
            self.add_error(None, said)
        if self.files:
            self.add_error(None, "The files were not kept: choose them again.")
