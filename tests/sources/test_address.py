"""Where a webhook may lead."""

import msgspec
import pytest

from understudy.core.errors import InputError
from understudy.core.webhook import Webhook
from understudy.sources.address import check_webhooks


def hook(url: str, **rest: object) -> Webhook:
    return msgspec.convert({"name": "crm", "url": url, "secret": "CRM_SECRET", **rest}, Webhook)


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("http://example.org/hook", "not encrypted"),
        ("ftp://example.org/hook", "no address of https"),
        ("https:///hook", "no address of https"),
        ("https://example.org:0/", "no address of https"),
        ("https://example.org/a b", "no address of https"),
        ("https://exämple.org/", "no address of https"),
        ("https://example.org:99999/", "cannot be read"),
        ("https://[::1/", "cannot be read"),
        ("https://ann:pass@example.org/", "a user, a password"),
        ("https://example.org/#part", "fragment"),
    ],
)
def test_an_address_that_cannot_be_called_is_refused_without_being_shown(url: str, wrong: str) -> None:
    with pytest.raises(InputError, match=wrong) as caught:
        check_webhooks([hook(url)])
    assert url not in str(caught.value)


def test_https_anywhere_and_http_within_ones_own_network_are_taken() -> None:
    check_webhooks([hook("https://example.org:8443/a?token=x"), hook("http://crm/", allow_private=True, name="b")])


def test_two_webhooks_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="Two webhooks have the name 'crm'"):
        check_webhooks([hook("https://a.org/"), hook("https://b.org/")])
