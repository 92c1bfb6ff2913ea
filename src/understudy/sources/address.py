"""Where a webhook leads: an address that can be called, of which no more is shown than its host."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from understudy.core.errors import InputError
from understudy.core.webhook import Webhook


def shown(url: str) -> str:
    """The part of an address that may be shown: path and query can hold secrets.

    >>> shown("https://crm.example.org:8443/in?token=secret")
    'https://crm.example.org:8443'
    """
    parts = urlsplit(url)
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{parts.hostname or ''}{port}"


def check_webhooks(webhooks: Sequence[Webhook]) -> None:
    """Names are different, and addresses can be called.

    Raises
    ------
    InputError
        They are not.
    """
    names = [webhook.name for webhook in webhooks]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise InputError(f"Two webhooks have the name {min(twice)!r}.", hint="Give each a name of its own.")
    for webhook in webhooks:
        check_url(webhook)


def check_url(webhook: Webhook) -> None:
    """An address is one of https, or one of http where private addresses are allowed, and holds no password.

    Raises
    ------
    InputError
        It is not. The message shows no more of it than its scheme.
    """
    where = f"The url of the webhook {webhook.name!r}"
    try:
        parts = urlsplit(webhook.url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise InputError(f"{where} cannot be read.", hint="Write https://HOST/PATH.") from None
    if not known or not webhook.url.isascii() or any(char.isspace() for char in webhook.url):
        raise InputError(f"{where} is no address of https.", hint="Write https://HOST/PATH.")
    if parts.username is not None or parts.fragment:
        raise InputError(f"{where} holds a user, a password or a fragment.", hint="The signature says who calls.")
    if parts.scheme == "http" and not webhook.allow_private:
        raise InputError(
            f"{where} is not encrypted.",
            hint="Write https://, or allow_private = true where it stays within your own network.",
        )
