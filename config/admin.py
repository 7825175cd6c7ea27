"""Makes the desk's site the admin's default one."""

from django.contrib.admin.apps import AdminConfig


class DeskAdminConfig(AdminConfig):
    # Not within an app's admin package: importing that registers models, for which there must be a site already.
    default_site = "config.admin_site.DeskSite"
