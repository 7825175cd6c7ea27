"""Form fields for what people write, where the column keeps something else."""

import re
from typing import Any

from django import forms
from django.contrib.admin.widgets import AutocompleteSelect
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

# Python refuses to read numbers of thousands of digits.
_KEY = re.compile(r"[0-9]{1,19}")


class LinesField(forms.CharField):
    """A list of texts, one a line."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 4})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        # The field's own validator sees the list, and would not find it in there.
        if "\0" in text:
            raise forms.ValidationError("Null characters are not allowed.")
        return [line.strip() for line in text.splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != (initial or []))
        except forms.ValidationError:
            return True


class CountryCodesField(forms.CharField):
    """Country codes in any case, between commas or spaces."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return sorted(set((super().to_python(value) or "").upper().replace(",", " ").split()))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(data) != sorted(initial or []))


class PairsField(forms.CharField):
    """What is typed for what, as “O=0, I=1”."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        return (
            ", ".join(f"{typed}={meant}" for typed, meant in sorted(value.items()))
            if isinstance(value, dict)
            else value
        )

    def to_python(self, value: Any) -> Any:
        pairs = [pair.strip().partition("=") for pair in (super().to_python(value) or "").split(",") if pair.strip()]
        if any(not equals for _, equals, _ in pairs):
            raise forms.ValidationError("Write pairs such as O=0, I=1.")
        return {typed: meant for typed, _, meant in pairs}

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != (initial or {}))
        except forms.ValidationError:
            return True


class AutocompleteWidget(AutocompleteSelect):
    def optgroups(self, name: str, value: Any, attr: Any = None) -> Any:
        """Django looks the chosen keys up again to show a refused form, and breaks on what is no key."""
        return super().optgroups(name, [key for key in value if _KEY.fullmatch(str(key))], attr)

    @property
    def media(self) -> forms.Media:
        return super().media + forms.Media(js=["redemption/autocomplete.js"])
