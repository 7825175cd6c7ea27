"""What each role may try first, with this world's own numbers."""

from redemption.code_format import last_four
from redemption.roles import Role
from support.demo.diary import swapped
from support.demo.examples import Examples
from support.demo.story import SHARE_LINK
from support.demo.world import World


def collect(world: World) -> Examples:
    cards, accounts, references, batches = world.cards, world.accounts, world.references, world.batches
    stolen, wrong_account = cards["us credit"][6], cards["gb credit"][4]
    damaged, unspent = cards["de credit"][2], cards["us credit"][7]
    pin = cards["de films"][1]
    frozen = cards["gb month"]
    gift, american = cards["gb credit"][5], cards["us credit"][8]
    tickets, reports = world.tickets, {key: report.reference for key, report in world.reports.items()}
    shelf, beside = cards["us credit"][1950:1954], cards["us month"][1500]
    return Examples(
        {
            Role.AGENT: [
                f"Who redeemed this? Look up the serial number {stolen.serial}: its buyer, "
                f"{accounts['buyer of a tampered card'].email}, was too late.",
                f"Paste a mistyped code, {swapped(unspent.text)}, and see what it must have been; "
                f"then the card's last four with its shop: {last_four(unspent.text)} Maple & Main.",
                f"Open card {unspent.serial} and diagnose it for {accounts['billed by Apple'].email}, who is billed "
                f"through Apple; for {accounts['student'].email} it works.",
                f"Tickets, Mine: {tickets['american card']} says “not valid”. The page names the cause; put its reply "
                "into the box, send and solve, and the next ticket opens.",
                f"{tickets['pasted code']}: a customer pasted his code. You see a mask and the card that it is, and "
                "nobody ever sees the code.",
                f"Compromised cards: in {reports['counter']} the customer stands at the till. See who redeemed, clear "
                "the cards beside his, and ask to replace his own; a manager approves, and you hand the new one over.",
                "Signs: cards that nobody has reported. Look at Corner Lantern’s shelf, report and freeze the run.",
                f"Grant Arthur Penn five pounds for his trouble, from {tickets['american card']}; then try fifty: a "
                "second person must decide.",
                f"{tickets['wrong account']}: the credit went to her own old account. She asked in a chat as well, "
                f"{tickets['wrong account, chat']}, which is merged into it.",
            ],
            Role.SENIOR_AGENT: [
                f"Follow the replaced card {damaged.serial} to its successor {cards['successor'][0].serial}.",
                f"Spent on the customer's own other account: {wrong_account.serial}, "
                f"{accounts['own account'].email} and {accounts['own old account'].email}.",
                f"A PIN with two digits swapped, {swapped(pin.text)}; a share link, {SHARE_LINK}; "
                f"and the reference of an answer, {references['outage']}.",
                f"The receipt on {tickets['stolen again']} is the very file of {tickets['stolen']}: compare them in "
                "the viewer (arrows, +, t).",
                f"{tickets['app']} is a problem with three incidents: one answer goes to them all.",
                f"Undo the merge of {tickets['wrong account, chat']}, then merge it again.",
            ],
            Role.MANAGER: [
                f"Catalogue, Batches: issue the draft {batches['planned']} (20,000 codes) and watch its progress.",
                f"Fetch the print file of {batches['on its way']}, confirm its receipt, then activate the batch.",
                f"Look at {batches['us stolen']}, frozen after a theft, and at the cards {frozen[2].serial} "
                f"to {frozen[11].serial}, which a shop reported.",
                f"Compromised cards: {reports['pallet']} is 1,200 cards of a stolen pallet, {reports['questions']} "
                "waits for the shop’s answer.",
                "Tickets, Overdue: choose some with j and x, and share them out to whoever has the least to do.",
                f"{tickets['flagged']} waits for your decision; the answer on {tickets['unverified']} came back.",
                f"Open the original of the receipt on {tickets['frozen']}: the audit trail knows.",
                "Approvals: credits, a reversal and narrower limits wait. Decide by keyboard: j and k to move, Enter "
                "to open, a to approve, r to reject.",
                "Credits, Overview: who is above his peers? Click a bar for its credits, and take them away as CSV or "
                "for Excel. Signals shows why one colleague is worth a question.",
                f"House, Audit trail: who looked at account {accounts['crowd 61'].reference}, and what became of your "
                "export? Seals: what nobody can change any more.",
            ],
            Role.ADMINISTRATOR: [
                "House, People: add a colleague, or change a role.",
                "House, Outages: switch Spotify Premium off, and every try is answered “unavailable”; /status says so, "
                "and what customers write meanwhile is gathered under one ticket.",
                "House, Platforms’ keys: make one, and ask the API about a code with it, as README shows. Webhooks: "
                "have a server of yours told what happens.",
                f"Accounts: lift the restriction of {accounts['flagged'].email}, then diagnose card {unspent.serial} "
                "for it again.",
            ],
            Role.AUDITOR: [
                "House, Audit trail: every look-up above is in it, with who and when, and without any code.",
                f"Look up {accounts['buyer of a tampered card'].email}, and find your own look-up in the trail.",
                f"Open {batches['expired bundle']}: what expired unspent has left the liability.",
                f"Read {tickets['policy']} to its end: you see who did what, and answer nothing.",
                f"Open {tickets['stolen']}, then look for it in the trail: who opened it before you?",
                "Credits, Liability: what is owed at the end of any day. Audit trail, Seals: verify it all with "
                "manage.py verify_audit.",
            ],
            Role.SOCIAL_MEDIA: [
                f"Look up {stolen.serial}: the card's state, and nobody's name.",
                f"Look up {accounts['billed by Apple'].email}: accounts are for support agents.",
                f"Tickets: only what was asked in public. Answer {tickets['public, scam']}.",
                f"{tickets['public, waiting']}: you see that there is a card, and not whose.",
            ],
            Role.CUSTOMER: [
                f"Redeem {gift.text} for {accounts['customer'].program}, then once more: the page knows it was you. "
                f"A slip is told at once and costs nothing: {swapped(gift.text)}.",
                f"One and the same answer: {frozen[4].text} is frozen, {american.text} is for the United States, "
                f"{cards['expired promo'][6].text} has expired, {cards['old credit'][20].text} is void, "
                f"{cards['de credit 60'][-2].text} was never sold. After four of them the account waits for a day.",
                f"And told apart: {stolen.text} was redeemed by somebody else, {SHARE_LINK} is a link for sharing.",
                f"Sign in as {accounts['billed by Apple'].email}, {accounts['unverified'].email}, "
                f"{accounts['flagged'].email} or {accounts['out of attempts'].email} (same password): every code, good "
                "or bad, gets the account's own answer.",
                f"As {accounts['student'].email} try {cards['us month'][2].text}, which is not for students; as "
                f"{accounts['stacking'].email} {cards['us quarter'][7].text}, which is too much time; as "
                f"{accounts['formerly premium'].email} {cards['trial'][2].text}, for new subscribers.",
                "Contact support from any of these answers, with a photo; then, as the agent, see it all in Tickets.",
                "Account: plan, credit and its statement, codes, requests, sessions. Status shows two outages.",
                "Sign out, and sign up with an address of your own invention: the mail with the code lies in var/mail.",
            ],
            "clerk": [
                f"Report a compromised card: type or scan {shelf[0].serial}, or the range {shelf[1].serial}-"
                f"{shelf[3].serial}. They are frozen before the next page is there; again, and nothing changes.",
                "Then as the agent: judge it and ask to replace one. As the manager: approve. As the agent: hand the "
                "new card over. Here each step is on the report’s page, and the statement for the till is a PDF.",
                f"{reports['box']}: four of a box were too late. {reports['mixed']}: replaced, credited, too late.",
                f"Type a code, such as {shelf[0].text}, into the note: it is masked, and you are told.",
                f"Report {beside.serial}, a card of Corner Lantern: the same answer as for one that does not exist.",
            ],
            "shop manager": [
                f"{reports['questions']}: support asks for the police reference. Answer it.",
                "People: casey@maple-main.example is invited, and the mail with the link lies in var/mail. Make Clara "
                "a manager, or remove her.",
                "Keys: make one for the tills, and ask the till API about a card with it, as README shows under Tills.",
                "Batches: how they stand, in counts and value, and no customers.",
            ],
            "other manager": [
                f"You see {reports['other']} and nothing of Maple & Main: open the address of {reports['pallet']}, and "
                "there is no such page.",
            ],
        }
    )
