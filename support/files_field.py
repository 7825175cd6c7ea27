"""Choosing files in a form: several at once, each of a kind. Without JavaScript one kind goes for all of them."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from support.models import AttachmentKind

_ACCEPT = ".jpg,.jpeg,.png,.webp,.heic,.heif,.pdf"


@dataclass(frozen=True, slots=True)
class SentFile:
    """What attach() takes as one of `files` and of `kinds`."""

    file: "UploadedFile[Any]"
    kind: str


class FilesInput(forms.Widget):
    needs_multipart_form = True
    input_type = "file"

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        context = {
            "name": name,
            "id": (attrs or {}).get("id") or f"id_{name}",
            "accept": _ACCEPT,
            "kinds": AttachmentKind.choices,
            "most_files": settings.UPLOAD_MAX_FILES,
            "most_bytes": settings.UPLOAD_MAX_BYTES,
            "most_said": f"{settings.UPLOAD_MAX_BYTES / 1_000_000:.3g} MB",
        }
        return render_to_string("support/_files_field.html", context)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[SentFile]:
        chosen = files.getlist(name) if hasattr(files, "getlist") else []
        kinds = data.getlist(f"{name}-kind") if hasattr(data, "getlist") else []
        if len(kinds) == 1:
            kinds *= len(chosen)
        kinds += [AttachmentKind.OTHER] * (len(chosen) - len(kinds))
        return [SentFile(file, kind) for file, kind in zip(chosen, kinds, strict=False)]

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return name not in files


class FilesField(forms.Field):
    """Cleans to a list of SentFile, perhaps empty. It refuses nothing: attach() gives every file its sentence, so that
    one bad file costs nobody the text."""

    widget = FilesInput

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "label": "Files", **options})

    def clean(self, value: Any) -> list[SentFile]:
        return value or []
