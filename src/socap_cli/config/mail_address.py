"""E-mail addresses, international ones too: judged when they are read, and in the form that mail servers take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from email_validator import ValidatedEmail

OFFICES = ("localhost", "local", "test")
"""What an office's own mail server is called: hosts like localhost and mail.local."""


@dataclass(frozen=True, slots=True)
class MailAddress:
    """A name, and an address whose domain is in its ASCII form."""

    name: str
    local_part: str
    domain: str

    @property
    def address(self) -> str:
        """As a mail server takes it."""
        return f"{self.local_part}@{self.domain}"

    @property
    def needs_smtputf8(self) -> bool:
        """Whether only a server with that extension can take it."""
        return not self.local_part.isascii()


def parse_address(text: str) -> MailAddress:
    """`name@host` or `Name <name@host>`. Raises ValueError that says what is wrong, without the address."""
    found = _validated(text, display_name=True)
    return MailAddress(found.display_name or "", found.local_part, found.ascii_domain or found.domain)


def check_address(text: str) -> str:
    """A bare address in its usual spelling. Raises ValueError."""
    return _validated(text, display_name=False).normalized


def check_sender(text: str) -> str:
    """An address with or without a name. Raises ValueError."""
    parse_address(text)
    return text.strip()


def _validated(text: str, *, display_name: bool) -> ValidatedEmail:
    import email_validator  # only where there is an address

    for name in OFFICES:  # the documented way
        if name in email_validator.SPECIAL_USE_DOMAIN_NAMES:
            email_validator.SPECIAL_USE_DOMAIN_NAMES.remove(name)
    try:
        return email_validator.validate_email(
            text.strip(),
            check_deliverability=False,
            globally_deliverable=False,
            allow_display_name=display_name,
        )
    except email_validator.EmailNotValidError as error:
        raise ValueError(f"is no e-mail address: {str(error).rstrip('.')}") from None
    except (UnicodeError, IndexError, RecursionError):
        raise ValueError("is no e-mail address") from None
