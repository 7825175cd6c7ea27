"""The reason that somebody gives for what he does: it is kept for good, so no code may stand in it."""

from django import forms
from django.views.decorators.debug import sensitive_variables

from redemption.code_spotting import CodeSpotter


class ReasonForm(forms.Form):
    """The base of forms with a field `reason`."""

    @sensitive_variables()
    def clean_reason(self) -> str:
        reason: str = self.cleaned_data["reason"]
        if CodeSpotter().holds_code([reason]):
            raise forms.ValidationError(
                "There is a code in it, and a reason is kept for good: name the card by its serial number."
            )
        return reason
