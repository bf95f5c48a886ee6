"""Proxy and certificate variables: the usual forms are heeded, unusable ones named before a request is made."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from socap_cli.errors import ConfigError
from socap_cli.http import check_environment, proxy_for

PROXY = "http://proxy.example:3128"
NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NAMES, *(name.upper() for name in NAMES)):
        monkeypatch.delenv(name, raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("no_proxy", "url", "straight"),
    [
        ("*", "https://api.example", True),
        ("", "https://api.example", False),
        ("localhost,127.0.0.1,[::1]", "http://127.0.0.1:8080", True),
        ("localhost,127.0.0.1,[::1]", "http://[::1]:8080", True),
        ("localhost,127.0.0.1,[::1]", "https://api.example", False),
        ("127.0.0.1,fe80::/10", "http://127.0.0.1", True),
        ("127.0.0.1,fe80::/10", "http://[2001:db8::1]", False),
        ("10.0.0.0/8", "http://11.0.0.1", False),
        ("example.com", "https://api.example.com", True),
        (".example.com", "https://api.example.com", True),
        ("EXAMPLE.com", "https://Example.COM", True),
        ("example.com", "https://notexample.com", False),
        ("api.example:8443", "https://api.example:8443", True),
        ("api.example:8443", "https://api.example", False),
        ("[::1]:81", "http://[::1]", False),
        (" , ,;", "https://api.example", False),
        ("[", "https://api.example", False),
        ("]:x,:,::::,1.2.3.4/99,/", "https://api.example", False),
    ],
)
def test_no_proxy_is_heeded_in_every_form(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, url: str, straight: bool
) -> None:
    monkeypatch.setenv("ALL_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_for(url) == (None if straight else PROXY)


def test_the_proxy_of_a_scheme_wins_over_the_one_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://all.example:1")
    monkeypatch.setenv("https_proxy", "secure.example:2")
    assert proxy_for("https://api.example") == "http://secure.example:2"
    assert proxy_for("http://api.example") == "http://all.example:1"
    assert proxy_for("smtp://mail.example") is None


@pytest.mark.parametrize(
    "value",
    ["socks4://h:1", "ftp://h", "http://", "http://:80", "http://h:port", "http://h:99999999", "http://a..b:1",
     "http://[::1", "h h", "http://h\x01", "://x", "http://ü.example:1", f"http://{'x' * 70}.example"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["ALL_PROXY", "https_proxy"])
def test_an_unusable_proxy_is_named_and_its_password_is_not(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value.replace("http://", "http://user:hush@"))
    with pytest.raises(ConfigError, match=name) as raised:
        check_environment("https://api.example")
    assert "hush" not in f"{raised.value} {raised.value.hint}"


def test_a_socks_proxy_works_or_says_which_package_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    if importlib.util.find_spec("socksio"):
        assert proxy_for("https://api.example") == "socks5://127.0.0.1:9"
    else:
        with pytest.raises(ConfigError, match=r"ALL_PROXY .* socksio"):
            proxy_for("https://api.example")


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"])
@pytest.mark.parametrize("value", ["/no/such/place", "no-certificates", "a\rb", "x" * 300])
def test_certificates_that_cannot_be_used_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
) -> None:
    (tmp_path / "no-certificates").write_text("none")
    monkeypatch.setenv(
        name, str(tmp_path / value / "x") if name == "SSLKEYLOGFILE" else str(tmp_path / value)
    )
    with pytest.raises(ConfigError, match=name):
        check_environment("https://api.example")
    with pytest.raises(ConfigError, match=name):
        check_environment("smtps://mail.example")


def test_plain_http_needs_no_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
    check_environment("http://127.0.0.1:1")
