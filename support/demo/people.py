"""Staff, one of each role, who sells cards, and some of the people there. All names are made up."""

from django.contrib.auth.hashers import make_password

from redemption.models import Retailer, RetailerKind, RetailerMember, User
from redemption.roles import Role
from support.demo.examples import LOGINS, MEMBERS, PASSWORD
from support.demo.world import World

_NAMES = {
    Role.AGENT: "Asha Agent",
    Role.SENIOR_AGENT: "Sven Senior",
    Role.MANAGER: "Mara Manager",
    Role.ADMINISTRATOR: "Ada Administrator",
    Role.AUDITOR: "Otto Auditor",
    Role.SOCIAL_MEDIA: "Suri Social",
    Role.CUSTOMER: "Cleo Customer",
}
_RETAILERS = {
    "Maple & Main": (RetailerKind.SHOP, "US"),
    "Corner Lantern": (RetailerKind.SHOP, "US"),
    "Ludlow & Hart": (RetailerKind.SHOP, "GB"),
    "Fennel Lane News": (RetailerKind.SHOP, "GB"),
    "Kaufhaus Lindner": (RetailerKind.SHOP, "DE"),
    "Norrviken Butiker": (RetailerKind.SHOP, "SE"),
    "Cardwright Online": (RetailerKind.SHOP, ""),
    "Halcyon Consoles": (RetailerKind.PARTNER, "US"),
    "Tellwave Mobile": (RetailerKind.CARRIER, "GB"),
    "Autumn Sessions": (RetailerKind.CAMPAIGN, ""),
}


def load(world: World) -> None:
    # Hashed once: hashing is slow on purpose, and they all have the same one.
    password = make_password(PASSWORD)
    for role, email in LOGINS.items():
        person = User(email=email, name=_NAMES[role], role=role, password=password)
        person.full_clean()
        person.save()
        world.people[role] = person
    world.people[Role.SYSTEM] = User.objects.system()
    for name, (kind, country) in _RETAILERS.items():
        slug = "-".join("".join(symbol if symbol.isalnum() else " " for symbol in name.lower()).split())
        contact = f"cards@{slug}.example"
        retailer = Retailer(name=name, slug=slug, kind=kind, country=country, contact_email=contact)
        retailer.full_clean()
        retailer.save()
        world.retailers[name] = retailer
    for key, member in MEMBERS.items():
        person = User(email=member.email, name=member.name, role=Role.RETAILER, password=password)
        person.full_clean()
        person.save()
        RetailerMember.objects.create(retailer=world.retailers[member.retailer], user=person, role=member.role)
        world.members[key] = person
