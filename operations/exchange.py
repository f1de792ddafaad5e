"""What a command line and we say to each other before the command begins: noise, a prompt, the mark, the input."""

from __future__ import annotations

from collections.abc import Callable

from operations.supervisor import BEGUN


class Exchange:
    """Gives input at the right time, and passes on what the command itself says. No socket inside.

    send: gives the command line input. given: the command's input. prompt: what asks for the password; without a
    password it is not looked for. begun: whether the command has begun. refused: whether the password was wrong.
    complaint: the end of its error output.
    """

    def __init__(
        self,
        send: Callable[[bytes], None],
        given: bytes,
        on_out: Callable[[bytes], object],
        on_err: Callable[[bytes], object],
        *,
        prompt: bytes = b"",
        password: str | None = None,
    ) -> None:
        self.begun = False
        self.refused = False
        self.complaint = b""
        self._send = send
        self._given = given
        self._on_out = on_out
        self._on_err = on_err
        self._prompt = prompt
        self._password = password
        self._answered = False
        self._early = b""
        self._held = b""

    def output(self, data: bytes) -> None:
        """Data of its output. What the login shell says before the mark is not the command's."""
        if not self.begun:
            self._early = (self._early + data)[-65536:]
            _, mark, data = self._early.partition(BEGUN)
            if not mark:
                return
            self.begun = True
            # sudo would take earlier input as a password.
            if self._given:
                self._send(self._given)
            self.error(b"")
        if data:
            self._on_out(data)

    def error(self, data: bytes) -> None:
        """Data of its error output. A prompt and what is before it are not the command's."""
        self.complaint = (self.complaint + data)[-4096:]
        self._held += data
        if self._password is not None and not self.begun:
            before, asked, after = self._held.partition(self._prompt)
            if not asked:
                return
            self._held = after
            self.refused = self._answered
            if not self.refused:
                self._send(f"{self._password}\n".encode())
                self._answered = True
                self.error(b"")
        elif self._held:
            self._on_err(self._held)
            self._held = b""
