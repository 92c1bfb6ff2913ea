"""Where a webhook may lead, and how it is signed."""

import base64

import msgspec
import pytest

from understudy.core.errors import InputError
from understudy.core.webhook import Webhook, read_keys, signature


def hook(url: str, **rest: object) -> Webhook:
    return msgspec.convert({"name": "crm", "url": url, "secret": "CRM_SECRET", **rest}, Webhook)


@pytest.mark.parametrize(
    "wrong", [{"secret": "whsec_abc"}, {"events": ["case.seen"]}, {"events": []}, {"name": "A b"}, {"colour": "red"}]
)
def test_a_setting_that_is_none_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        hook("https://a.org/", **wrong)
    assert "whsec_" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "  ", "abc", "whsec_", "whsec_%%%%", "whsec_" + "QUJD" * 4, "whsec_" + "QUJD" * 40]
)
def test_what_is_no_secret_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(InputError, match="secret") as caught:
        read_keys(text)
    assert len(text.strip()) < 7 or text not in str(caught.value)


def test_the_example_of_the_specification_is_signed_as_it_says() -> None:
    """Standard Webhooks 1.0, the values of its reference implementations' tests."""
    keys = read_keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    found = signature(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_while_a_secret_is_changed_both_sign() -> None:
    old, new = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
    both = signature(read_keys(f"whsec_{new} whsec_{old}"), "msg_1", 5, b"{}")
    single = [signature(read_keys(f"whsec_{each}"), "msg_1", 5, b"{}") for each in (new, old)]
    assert both.split(" ") == single
