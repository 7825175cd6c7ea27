"""People who sign in: staff, retailers' members and customers alike, by e-mail."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower

from redemption.roles import PERMISSIONS, STAFF_ROLES, Permission, Role


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.full_clean(exclude=["password"])
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """The first administrator, for `manage.py createsuperuser`."""
        return self.create_user(email, password, role=Role.ADMINISTRATOR, **fields)

    def system(self) -> "User":
        """The actor of nightly jobs and tills; signs in nowhere."""
        return self.get_or_create(
            email="system@redemption-desk.invalid",
            defaults={"name": "Redemption Desk", "role": Role.SYSTEM, "is_active": False, "password": "!"},
        )[0]


class User(AbstractBaseUser):
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=150, blank=True)
    role = models.CharField(max_length=20, choices=Role, default=Role.CUSTOMER)
    is_active = models.BooleanField(default=True, help_text="Off: can no longer sign in.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        ordering = ["email"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="one_user_per_email_whatever_its_case",
                violation_error_code="email_taken",
                violation_error_message="Somebody signs in with this e-mail address already.",
            ),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="user_role_is_known"),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return str(self)

    def get_short_name(self) -> str:
        return str(self)

    def may(self, permission: Permission) -> bool:
        return self.is_active and permission in PERMISSIONS[Role(self.role)]

    @property
    def is_staff(self) -> bool:
        return self.is_active and self.role in STAFF_ROLES

    @property
    def is_superuser(self) -> bool:
        """Nobody: no role goes round the permissions."""
        return False

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Closed: whatever does not ask `may()` is not for anyone (packages' own admin pages)."""
        return False

    def has_perms(self, perm_list: Any, obj: Any = None) -> bool:
        return False

    def has_module_perms(self, app_label: str) -> bool:
        return False
