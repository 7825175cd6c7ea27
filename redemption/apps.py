from django.apps import AppConfig
from django.db.models.signals import post_migrate


class RedemptionConfig(AppConfig):
    name = "redemption"
    verbose_name = "Redemption"

    def ready(self) -> None:
        from redemption import checks  # noqa: F401
        from redemption.database_rights import grant_after_migrating

        # Once for each run of migrate, whose signal comes for every app when all of them are done.
        post_migrate.connect(grant_after_migrating, sender=self, dispatch_uid="database rights")
