"""Entries for /etc/hosts: the forms that the Docker CLI accepts, and those that it rejects."""

from __future__ import annotations

from typing import Any

import pytest

from dockerproto.request.extra_hosts import parse_extra_hosts

ACCEPTED: dict[str, str] = {
    "app=1.2.3.4": "app:1.2.3.4",
    "app:1.2.3.4": "app:1.2.3.4",
    "six=[::1]": "six:::1",
    "six:[::1]": "six:::1",
    "six=::1": "six:::1",
    "six:::1": "six:::1",
    "four=[1.2.3.4]": "four:1.2.3.4",
    "gateway=host-gateway": "gateway:host-gateway",
    "gateway:host-gateway": "gateway:host-gateway",
    "mapped=::ffff:1.2.3.4": "mapped:::ffff:1.2.3.4",
    "long=0:0:0:0:0:0:0:1": "long:0:0:0:0:0:0:0:1",
    "upper=[FE80::1]": "upper:FE80::1",
    "space= 1.2.3.4\n": "space: 1.2.3.4\n",
    "a.name-with_all=1.2.3.4": "a.name-with_all:1.2.3.4",
}
"""Texts that the Docker CLI accepts, and what it sends."""

REJECTED: dict[str, str] = {
    "": "extra_hosts must be 'name=address' or 'name:address', not ''",
    "app": "extra_hosts must be 'name=address' or 'name:address', not 'app'",
    "=1.2.3.4": "a name in extra_hosts must not be empty or contain ':' or '=', not ''",
    ":1.2.3.4": "a name in extra_hosts must not be empty or contain ':' or '=', not ''",
    "a:b=1.2.3.4": "a name in extra_hosts must not be empty or contain ':' or '=', not 'a:b'",
    "app=": "extra_hosts['app'] must be an IP address or 'host-gateway', not ''",
    "app:": "extra_hosts['app'] must be an IP address or 'host-gateway', not ''",
    "app=[]": "extra_hosts['app'] must be an IP address or 'host-gateway', not ''",
    "app=[": "extra_hosts['app'] must be an IP address or 'host-gateway', not '['",
    "app==1.2.3.4": "extra_hosts['app'] must be an IP address or 'host-gateway', not '=1.2.3.4'",
    "app=other": "extra_hosts['app'] must be an IP address or 'host-gateway', not 'other'",
    "app=[host-gateway]": "extra_hosts['app'] must be an IP address or 'host-gateway', not 'host-gateway'",
    "app=[1.2.3.4": "extra_hosts['app'] must be an IP address or 'host-gateway', not '[1.2.3.4'",
    "app=1.2.3": "extra_hosts['app'] must be an IP address or 'host-gateway', not '1.2.3'",
    "app=1.2.3.04": "extra_hosts['app'] must be an IP address or 'host-gateway', not '1.2.3.04'",
    "app=1.2.3.256": "extra_hosts['app'] must be an IP address or 'host-gateway', not '1.2.3.256'",
    "app=::1%eth0": "extra_hosts['app'] must be an IP address or 'host-gateway', not '::1%eth0'",
    "app=[[::1]]": "extra_hosts['app'] must be an IP address or 'host-gateway', not '[::1]'",
    "a=b:1.2.3.4": "extra_hosts['a'] must be an IP address or 'host-gateway', not 'b:1.2.3.4'",
}
"""Texts that the Docker CLI rejects, and the error."""


@pytest.mark.parametrize(("text", "sent"), ACCEPTED.items(), ids=ACCEPTED)
def test_accepted_texts(text: str, sent: str) -> None:
    assert parse_extra_hosts([text]) == parse_extra_hosts(text) == (sent,)


@pytest.mark.parametrize(("text", "message"), REJECTED.items(), ids=REJECTED)
def test_rejected_texts(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # the whole text follows
        parse_extra_hosts(["app=1.2.3.4", text])
    assert str(caught.value) == message


def test_mappings() -> None:
    hosts = {"app": "1.2.3.4", "six": "[::1]", "gateway": "host-gateway"}
    assert parse_extra_hosts(hosts) == ("app:1.2.3.4", "six:::1", "gateway:host-gateway")
    assert parse_extra_hosts({}) == parse_extra_hosts(None) == ()


@pytest.mark.parametrize("hosts", [{"": "::1"}, {"a:b": "::1"}, {"a=b": "::1"}, {"a": "b"}, {"a": ""}])
def test_malformed_mappings(hosts: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="extra_hosts"):
        parse_extra_hosts(hosts)


@pytest.mark.parametrize("hosts", [{"a": None}, {5: "::1"}, ["a=::1", 5], 5])
def test_wrong_types(hosts: Any) -> None:
    with pytest.raises(TypeError, match=r"^extra_hosts must"):
        parse_extra_hosts(hosts)
