"""A mail server that keeps its mails in the folder `mails`."""

import asyncio
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

OPTIONS = json.loads(sys.argv[1])

REFUSALS = {
    "undeliverable": "550 5.1.1 no such mailbox",
    "relay": "550 5.7.1 relaying denied",
    "later": "451 4.3.0 try again later",
}
REFUSED_CONTENT = {
    "refused-content": "554 5.6.0 not a mail that we take",
    "later-content": "452 4.2.2 mailbox full",
}


def find(answers, address):
    return next((answer for start, answer in answers.items() if address.startswith(start + "@")), None)


class Handler:
    count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("crash-at-rcpt@"):
            os._exit(1)
        refusal = find(REFUSALS, address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        [recipient] = envelope.rcpt_tos
        if recipient.startswith("crash-at-end@"):
            os._exit(1)
        # Only the first word is in `REFUSALS`: the suite's addresses have more, and their mails get no answer.
        if recipient.startswith("undeliverable"):
            server.transport.abort()
            return "451 lost"
        refusal = find(REFUSED_CONTENT, recipient)
        if refusal:
            return refusal
        head = f"X-MailFrom: {envelope.mail_from}\r\nX-RcptTo: {recipient}\r\n"
        with open(f"mails/.{self.count}", "wb") as file:
            file.write(head.encode() + envelope.original_content)
        os.rename(f"mails/.{self.count}", f"mails/{self.count:04}")
        self.count += 1
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    expected = LoginPassword(OPTIONS["user"].encode(), OPTIONS["password"].encode())
    return AuthResult(success=data == expected, handled=data == expected)


async def main():
    context = None
    if OPTIONS["security"] != "plain":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("certificate.pem", "key.pem")
    handler = Handler()
    has_starttls = OPTIONS["security"] == "starttls"

    def new():
        return SMTP(
            handler,
            hostname="mail.acme.example",
            enable_SMTPUTF8=True,
            tls_context=context if has_starttls else None,
            require_starttls=has_starttls,
            auth_required=context is not None,
            auth_require_tls=has_starttls,
            authenticator=authenticate,
        )

    tls = context if OPTIONS["security"] == "implicit" else None
    server = await asyncio.get_running_loop().create_server(new, "127.0.0.1", OPTIONS["port"], ssl=tls)
    await server.serve_forever()


asyncio.run(main())
