from __future__ import annotations

import pytest

from gateway.core.proxies import proxies_from, shown_proxy

PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    ("environ", "url", "proxy"),
    [
        ({}, "https://h", None),
        ({"HTTPS_PROXY": PROXY}, "https://h", PROXY),
        ({"HTTPS_PROXY": PROXY}, "http://h", None),
        ({"https_proxy": PROXY, "HTTPS_PROXY": "http://other"}, "https://h", PROXY),
        ({"HTTPS_PROXY": "proxy:3128"}, "https://h", PROXY),
        ({"ALL_PROXY": PROXY}, "http://h", PROXY),
        ({"ALL_PROXY": "http://other", "HTTP_PROXY": PROXY}, "http://h", PROXY),
        ({"HTTPS_PROXY": ""}, "https://h", None),
        ({"HTTPS_PROXY": PROXY}, "https://localhost", None),
        ({"HTTPS_PROXY": PROXY}, "https://a.localhost", None),
        ({"HTTP_PROXY": PROXY}, "http://127.1.2.3:8000", None),
        ({"HTTP_PROXY": PROXY}, "http://[::1]:8000", None),
    ],
)
def test_which_proxy(environ, url, proxy):
    assert ask(environ, url) == proxy


@pytest.mark.parametrize(
    ("no_proxy", "host", "direct"),
    [
        ("*", "h", True),
        ("example.com", "example.com", True),
        ("example.com", "api.example.com", True),
        (".example.com", "api.example.com", True),
        ("*.example.com", "api.example.com", True),
        ("example.com", "notexample.com", False),
        ("EXAMPLE.com", "Example.COM.", True),
        ("a.b, example.com", "example.com", True),
        ("a.b example.com", "example.com", True),
        ("example.com:443", "example.com", True),
        ("example.com:8443", "example.com", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("fd00::/8", "[fd00::1]", True),
        ("[fd00::1]:443", "[fd00::1]", True),
        ("10.0.0.0/8", "example.com", False),
        ("", "example.com", False),
    ],
)
def test_no_proxy(no_proxy, host, direct):
    environ = {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy}
    assert ask(environ, f"https://{host}") == (None if direct else PROXY)


def test_a_password_is_not_shown():
    proxies, warnings = proxies_from({"HTTPS_PROXY": "http://user:hunter2@proxy:3128"})
    assert proxies.proxy_for("https", "h") == "http://user:hunter2@proxy:3128"
    assert "hunter2" not in repr(proxies)
    assert warnings == []
    assert shown_proxy("http://u:p@[::1]:3128") == "http://[::1]:3128"


@pytest.mark.parametrize("proxy", ["socks5://u:hunter2@h:1", "http://", "http://h:port"])
def test_a_proxy_that_cannot_be_used_is_a_warning(proxy):
    proxies, warnings = proxies_from({"HTTPS_PROXY": proxy})
    assert proxies.proxy_for("https", "h") is None
    assert len(warnings) == 1
    assert warnings[0].startswith("HTTPS_PROXY: ")
    assert "hunter2" not in warnings[0]


def ask(environ, url):
    scheme, _, host = url.partition("://")
    host, _, port = host.rpartition(":") if host[-1] != "]" and host.count(":") else (host, "", "")
    return proxies_from(environ)[0].proxy_for(scheme, host, int(port) if port else None)
