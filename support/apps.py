from typing import Any

from django.apps import AppConfig


class SupportConfig(AppConfig):
    name = "support"
    verbose_name = "Support"

    def ready(self) -> None:
        from redemption import portal_wall, reconcile, trail
        from support import audit, credit_proof, sign_in  # noqa: F401
        from support.models import AuditAction
        from support.portal_windows import WINDOWS

        def record(action: str, **event: Any) -> None:
            audit.record(AuditAction(action), **event)

        # The domain's own pages and commands record by it.
        trail.record_with(record)
        reconcile.MORE.append(credit_proof.lines)
        portal_wall.WINDOWS.update(WINDOWS)
