"""The inbox of a new installation takes mails."""

import asyncio
import mailbox
import smtplib
from email.message import EmailMessage
from pathlib import Path

from engagement.local.smtp_sink import serve
from engagement.local.state import make_state_dir
from engagement.local.supervisor import find_free_port
from tests.live import wait_for
from tests.loops import run_beside


def test_a_mail_to_a_new_installation_arrives(tmp_path: Path) -> None:
    state = tmp_path / "state"
    make_state_dir(state)
    port = find_free_port()
    mail = EmailMessage()
    mail["To"] = mail["From"] = "ada@shop.example"

    def send() -> bool:
        try:
            with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
                client.send_message(mail)
        except ConnectionRefusedError:
            return False
        return True

    async def run() -> None:
        server = asyncio.create_task(serve(port, str(state / "inbox")))
        await asyncio.to_thread(wait_for, send)
        server.cancel()

    run_beside(run())

    assert len(mailbox.Maildir(state / "inbox", create=False)) == 1
