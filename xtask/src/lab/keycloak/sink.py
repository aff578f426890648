"""The handler of the SMTP server: keeps every mail, and refuses recipients that begin with `undeliverable`."""

from aiosmtpd.handlers import Mailbox


class Sink(Mailbox):
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.lower().startswith("undeliverable"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"
