"""A real SMTP server that does what a test tells it: takes mails, refuses them, or breaks the connection."""

import asyncio
import socket
import threading
from email import message_from_bytes
from email.message import Message
from typing import Any

from aiosmtpd.controller import Controller
from django.conf import LazySettings

from engagement.local.supervisor import find_free_port


class MailServer:
    """Mails that were taken are in `mails`. `say` is the answer after the body, `refuse` to a recipient.

    With `break_after_body` the connection is cut when the whole mail has arrived; with `break_before_body` when a
    recipient is named.
    """

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.say = "250 taken"
        self.refuse: str | None = None
        self.break_after_body = False
        self.break_before_body = False
        self.port = find_free_port()
        self._controller: Controller | None = None
        self._may_answer = threading.Event()
        self._may_answer.set()

    def hold(self) -> None:
        """Take whole mails and say nothing."""
        self._may_answer.clear()

    def let_go(self) -> None:
        """Answer again."""
        self._may_answer.set()

    def start(self) -> None:
        """Listen."""
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, ready_timeout=60)
        self._controller.start()

    def stop(self) -> None:
        """Listen no more."""
        if self._controller is not None:
            self._controller.stop()
        self._controller = None

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        """Answer to a recipient."""
        if self.break_before_body:
            server.transport.abort()
            await asyncio.sleep(0)
        if self.refuse is not None:
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Answer to a whole mail."""
        await asyncio.to_thread(self._may_answer.wait, 30)
        if self.break_after_body:
            server.transport.abort()
            return "250 never heard"
        if self.say.startswith("250"):
            self.mails.append(message_from_bytes(envelope.content))
        return self.say


class RudeServer:
    """A server that greets with a refusal and hangs up; `connections` counts who came."""

    def __init__(self, greeting: str) -> None:
        self.connections = 0
        self._greeting = greeting
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._refuse, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()

    def _refuse(self) -> None:
        while True:
            try:
                guest, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with guest:
                guest.sendall(f"{self._greeting}\r\n".encode())


def point_to(settings: LazySettings, port: int) -> None:
    """Have mails sent to a server of these on this machine."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 30
