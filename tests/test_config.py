"""Configuration: the environment wins, and whatever is wrong is named with its place."""

from __future__ import annotations

import contextlib
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socap_cli.cli.app import execute
from socap_cli.errors import ConfigError
from socap_cli.settings import FILE_NAME, PLAN_NAMES, Settings, find_file, load

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("socap.toml").write_text(
        '[worker]\nconcurrency = 7\npool_size = 2\n[alerts]\nemail_to = ["a@b.example"]\n'
    )
    monkeypatch.setenv("SOCAP_WORKER_CONCURRENCY", "3")
    monkeypatch.setenv("SOCAP_ALERTS__WEBHOOK_HOSTS", "hooks.slack.com, 127.0.0.1:9")
    settings = load().settings
    assert settings.worker.max_in_flight == 6
    assert settings.alerts.email_to == ("a@b.example",)
    assert settings.alerts.webhook_hosts == ("hooks.slack.com", "127.0.0.1:9")


@pytest.mark.parametrize(
    ("text", "receivers"),
    [
        ("slack=https://h.example/x,digest=daily 08:00 Europe/Berlin email=a@b.example",
         ("slack=https://h.example/x,digest=daily 08:00 Europe/Berlin", "email=a@b.example")),
        ("slack,digest=daily 8:30 email,min=5  webhook", ("slack,digest=daily 8:30", "email,min=5", "webhook")),
        ("slack,digest=daily 08:00 Etc/GMT+5,min=3 email", ("slack,digest=daily 08:00 Etc/GMT+5,min=3", "email")),
        ("email,digest=daily slack,digest=hourly", ("email,digest=daily", "slack,digest=hourly")),
    ],
)  # fmt: skip
def test_receivers_with_a_digest_of_their_own_are_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, text: str, receivers: tuple[str, ...]
) -> None:
    monkeypatch.setenv("SOCAP_ALERTS__TO", text)
    assert tuple(one.get_secret_value() for one in load().settings.alerts.to) == receivers


@pytest.mark.parametrize(("name", "path"), PLAN_NAMES.items())
def test_the_plans_own_names_are_honoured_exactly(
    monkeypatch: pytest.MonkeyPatch, name: str, path: tuple[str, str]
) -> None:
    value = {
        "TWITTER_API_URL": "http://127.0.0.1:1",
        "MONGODB_URI": "mongodb://127.0.0.1:1/",
        "SOCAP_ALERT_SLACK_WEBHOOK": "https://hooks.slack.com/services/T/B/x",
        "SOCAP_ALERT_EMAIL_SMTP": "smtp://u:p@127.0.0.1:25",
    }.get(name, "4")
    monkeypatch.setenv(name, value)
    section, key = path
    found = getattr(getattr(load().settings, section), key)
    assert str(found.get_secret_value() if hasattr(found, "get_secret_value") else found) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[worker]\nconcurrency = 'many'\n", "socap.toml: [worker] concurrency"),
        ("[worker]\nconcurrency = 0\n", "greater than or equal to 1"),
        ("[workers]\n", "socap.toml: workers: no such setting"),
        ("[alerts]\nthreshhold = 1\n", "[alerts] threshhold: no such setting"),
        ("[worker\n", "line 1"),
        ("[provider]\nurl = 'ftp://x'\n", "[provider] url"),
    ],
)
def test_a_wrong_key_is_named_with_its_file_and_section(text: str, said: str) -> None:
    Path("socap.toml").write_text(text)
    with pytest.raises(ConfigError) as raised:
        load()
    assert said in raised.value.message


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCAP_WORKER__LEASE", "long")
    with pytest.raises(ConfigError, match="environment variable SOCAP_WORKER__LEASE"):
        load()


def test_secrets_are_not_shown() -> None:
    Path("socap.toml").write_text("[provider]\napi_key = 'hush'\n[alerts]\nslack_webhook = 'https://hush'\n")
    assert "hush" not in repr(load())


def test_the_example_shows_every_setting_with_its_default(tmp_path: Path) -> None:
    """With the comment sign before every setting taken away it is a configuration that changes nothing."""
    lines = [
        line.removeprefix("# ") if " = " in line else line for line in EXAMPLE.read_text("utf-8").splitlines()
    ]
    (tmp_path / "c.toml").write_text("\n".join(lines), "utf-8")
    shown = load(tmp_path / "c.toml").settings.model_dump()
    usual = load().settings.model_dump()
    changed = {place for place in places(shown) if value_at(shown, place) != value_at(usual, place)}
    assert changed == {place for place in places(usual) if value_at(usual, place) in (None, ())}
    written = tomllib.loads("\n".join(lines))
    assert set(places(usual)) == set(places(written))


def places(tree: dict[str, Any], under: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from places(value, (*under, name))
        else:
            yield (*under, name)


def value_at(tree: Any, place: tuple[str, ...]) -> object:
    for name in place:
        tree = tree[name]
    return tree


def test_a_tilde_is_the_home_folder() -> None:
    Path("socap.toml").write_text("data_dir = '~/elsewhere'\n")
    assert load().settings.data_dir == Path.home() / "elsewhere"


def variable(place: tuple[str, ...]) -> str:
    return "SOCAP_" + "__".join(place).upper()


def refusal(named: Path | None = None) -> str:
    with pytest.raises(ConfigError) as raised:
        load(named)
    return f"{raised.value.message} {raised.value.hint}"


ALL = sorted(places(Settings(data_dir=Path("d")).model_dump()))
SECRETS = [
    ("TWITTER_API_KEY", "hush-{}"),
    ("SOCAP_ALERT_SLACK_WEBHOOK", "https://hooks.slack.com/services/hush{}"),
    ("SOCAP_ALERT_EMAIL_SMTP", "smtp://user:hush{}@mail.example"),
    ("MONGODB_URI", "mongodb://user:hush{}@db.example/"),
]
NO_PART_OF_A_SECRET = [
    "\r",
    "\n",
    "\r\nX-Evil: 1",
    "a\nhush-2",
    "\x01",
    "\x7f",
    "\x85",
    "\u2028",
    "\udcff",
    "\u200b",
]


@pytest.mark.parametrize("part", NO_PART_OF_A_SECRET, ids=ascii)
@pytest.mark.parametrize(("name", "form"), SECRETS)
@pytest.mark.parametrize("way", ["variable", "file", "configuration"])
def test_a_secret_with_a_character_that_none_has_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str, name: str, form: str, part: str
) -> None:
    secret = form.format(f"{part}x")
    if way == "variable":
        monkeypatch.setenv(name, secret)
    elif way == "file":
        (tmp_path / "secret").write_bytes(secret.encode("utf-8", "surrogatepass"))
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "secret"))
    else:
        section, key = PLAN_NAMES[name]
        escaped = "".join(f"\\U{ord(c):08x}" for c in secret.replace("\udcff", "\ue000"))
        Path(FILE_NAME).write_text(f'[{section}]\n{key} = "{escaped}"\n')
    said = refusal()
    assert (name if way != "configuration" else FILE_NAME) in said
    assert "hush" not in said


@pytest.mark.parametrize("key", ["schlüssel", "key 4711", "ключ", "＝", "é"])
def test_a_key_is_ascii_without_blanks(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("TWITTER_API_KEY", key)
    assert "TWITTER_API_KEY" in (said := refusal())
    assert key not in said


def test_blanks_around_a_secret_are_no_part_of_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\n  key-1\r\n\n")
    monkeypatch.setenv("TWITTER_API_KEY_FILE", str(tmp_path / "key"))
    key = load().settings.provider.api_key
    assert key is not None
    assert key.get_secret_value() == "key-1"
    monkeypatch.setenv("TWITTER_API_KEY", "  ")
    assert load().settings.provider.api_key is None


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SOCAP_PROVIDER", "x", "SOCAP_PROVIDER: no such setting"),
        ("SOCAP_ALERTS", "{}", "SOCAP_ALERTS: no such setting"),
        ("SOCAP_FOO__BAR", "1", "SOCAP_FOO__BAR: no such setting"),
        ("SOCAP_FOO", "1", "SOCAP_FOO: no such setting"),
        ("SOCAP_FILE", "/x", "SOCAP_FILE: no such setting"),
        ("SOCAP_FOO_FILE", "/no/such", "SOCAP_FOO_FILE: no such setting"),
        ("SOCAP_PROVIDER__RATE__X", "1", "SOCAP_PROVIDER__RATE__X: no such setting"),
        ("SOCAP___", "1", "SOCAP___: no such setting"),
        ("SOCAP_WORKER_CONCURENCY", "1", "SOCAP_WORKER_CONCURENCY: no such setting"),
        ("SOCAP_REPORT__OUT", "~nosuchuser/x", "SOCAP_REPORT__OUT: begins with ~"),
        ("SOCAP_DATA_DIR", "~nosuchuser", "SOCAP_DATA_DIR: begins with ~"),
        (
            "TWITTER_API_KEY_FILE",
            "/no/such/file",
            "the file of TWITTER_API_KEY_FILE: No such file",
        ),
        ("TWITTER_API_KEY_FILE", "/", "the file of TWITTER_API_KEY_FILE: Is a directory"),
        ("TWITTER_API_KEY_FILE", "x" * 300, "the file of TWITTER_API_KEY_FILE: File name"),
        ("SOCAP_WORKER__CONCURRENCY", "9" * 5000, "SOCAP_WORKER__CONCURRENCY"),
        ("SOCAP_CONFIG", "/no/such/file", "cannot read /no/such/file: No such file"),
        ("SOCAP_CONFIG", "x" * 300, "File name too long"),
        ("SOCAP_CONFIG", "x/" * 3000, "File name too long"),
        ("SOCAP_CONFIG", "/", "cannot read /: Is a directory"),
        ("SOCAP_ALERTS__WEBHOOK_HOSTS", "https://hooks.slack.com", "should be hosts"),
        ("SOCAP_DATABASE__FOLLOWING_INDEX", "system.users", "is not a valid collection name"),
        ("SOCAP_DATABASE__NAME", "a.b", "SOCAP_DATABASE__NAME"),
    ],
)
def test_a_variable_that_cannot_be_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    assert said in refusal()


@pytest.mark.parametrize(
    "text",
    ["x = " + "[" * 3000, "x = " + "[" * 3000 + "]" * 3000, "x = " + "9" * 5000, "x = 0x" + "f" * 9000, "\0", "=",
     "x" * 2_000_000, "provider = 1", "provider = []", "worker.concurrency = {}", "file = '/x'", "[[provider]]",
     "data_dir = 1979-05-27", 'data_dir = "a\\u0000b"', "report.out = \"a\\u0000b\"", "'' = 1", "[provider.url]"],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_a_file_that_cannot_be_is_named(text: str) -> None:
    Path(FILE_NAME).write_text(text)
    assert FILE_NAME in refusal()


@pytest.mark.parametrize("content", [b"\xff", b"[provider]\nurl = '\xe9'", "x = 1".encode("utf-16")])
def test_a_file_that_is_no_text_is_named(content: bytes) -> None:
    Path(FILE_NAME).write_bytes(content)
    assert FILE_NAME in refusal()


def test_a_byte_order_mark_is_no_part_of_a_file() -> None:
    Path(FILE_NAME).write_bytes("\ufeff[worker]\nconcurrency = 2\n".encode())
    assert load().settings.worker.concurrency == 2


NUMBERS = [
    (section, key)
    for section, field in Settings.model_fields.items()
    for key, inner in getattr(field.annotation, "model_fields", {}).items()
    if isinstance(inner.default, (int, float)) and not isinstance(inner.default, bool)
]


@pytest.mark.parametrize(("section", "key"), NUMBERS)
@pytest.mark.parametrize(
    "value", ["nan", "inf", "-inf", "1e309", "-1", "1e18", "9223372036854775808", "1,5", "²"]
)
def test_every_number_has_its_bounds(
    monkeypatch: pytest.MonkeyPatch, section: str, key: str, value: str
) -> None:
    monkeypatch.setenv(name := variable((section, key)), value)
    assert name in refusal()
    monkeypatch.delenv(name)
    if value not in ("²", "1,5"):
        Path(FILE_NAME).write_text(f"[{section}]\n{key} = {value}\n")
        assert f"[{section}] {key}" in refusal()


@pytest.mark.parametrize("url", ["http://", "https://", "http://:80", "http://h:x", "http://h:99999", "http://[::1",
    "http://a..b", "http://u:p@h", "http://h?q", "http://h#f", "http://h h", "file:///etc/passwd", "h", "http:/h",
    f"http://{'a' * 64}.example", "http://h\n"])  # fmt: skip
def test_an_address_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("TWITTER_API_URL", url)
    assert "TWITTER_API_URL" in refusal()


def test_configurations_of_other_programs_are_left_alone() -> None:
    Path("config.toml").write_text("baseURL = 'https://site.example'\n[[menu\n")
    assert load().file is None


def test_the_file_in_the_working_folder_is_read_before_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Path.home() / ".config" / "socap" / FILE_NAME
    own.parent.mkdir(parents=True)
    own.write_text("[worker]\nconcurrency = 2\n")
    assert (load().file, load().settings.worker.concurrency) == (own, 2)
    Path(FILE_NAME).write_text("[worker]\nconcurrency = 3\n")
    assert (load().file, load().settings.worker.concurrency) == (Path(FILE_NAME), 3)
    Path("named.toml").write_text("[worker]\nconcurrency = 4\n")
    assert load(Path("named.toml")).settings.worker.concurrency == 4
    monkeypatch.setenv("SOCAP_CONFIG", "named.toml")
    assert load().settings.worker.concurrency == 4


@pytest.mark.parametrize("value", ["relative/place", "1" * 400])
def test_a_relative_folder_of_the_platform_is_ignored(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", value)
    monkeypatch.setenv("XDG_CONFIG_HOME", value)
    assert load().settings.data_dir == Path.home() / ".local" / "share" / "socap"
    assert find_file(None) is None


EVIL = '[provider]\nurl = "http://evil.example"\n'
HOSTS = '[alerts]\nwebhook_hosts = ["evil.example"]\n'
WEBHOOK = "https://hooks.slack.com/services/x"


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [(EVIL, "TWITTER_API_KEY", "k"), (EVIL, "SOCAP_PROVIDER__API_KEY", "k"), (EVIL, "TWITTER_API_KEY_FILE", "key"),
     (HOSTS, "SOCAP_ALERT_SLACK_WEBHOOK", WEBHOOK)],
)  # fmt: skip
def test_an_address_in_the_working_folder_gets_no_key_from_elsewhere(
    monkeypatch: pytest.MonkeyPatch, text: str, name: str, value: str
) -> None:
    Path("key").write_text("k")
    Path(FILE_NAME).write_text(text)
    load()
    monkeypatch.setenv(name, value)
    said = refusal()
    assert name in said
    assert f"--config {FILE_NAME}" in said
    assert load(Path(FILE_NAME)).file == Path(FILE_NAME)
    monkeypatch.setenv("SOCAP_CONFIG", FILE_NAME)
    assert load().file == Path(FILE_NAME)


@pytest.mark.parametrize(
    "text",
    [
        '[provider]\nname = "twitterapi.io"\n',
        f'{EVIL}api_key = "mine"\n',
        "[worker]\nconcurrency = 2\n",
    ],
)
def test_a_file_in_the_working_folder_may_hold_everything_else(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    Path(FILE_NAME).write_text(text)
    if "mine" not in text:
        monkeypatch.setenv("TWITTER_API_KEY", "k")
    assert load().file == Path(FILE_NAME)


def test_an_address_from_the_environment_is_not_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(FILE_NAME).write_text(EVIL)
    monkeypatch.setenv("TWITTER_API_KEY", "k")
    monkeypatch.setenv("TWITTER_API_URL", "http://127.0.0.1:1")
    assert load().settings.provider.url == "http://127.0.0.1:1"


def test_a_key_in_the_file_that_the_environment_replaces_is_from_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(FILE_NAME).write_text(f'{EVIL}api_key = "bait"\n')
    monkeypatch.setenv("TWITTER_API_KEY", "k")
    assert "TWITTER_API_KEY" in refusal()


PRINTED = st.text(st.characters(exclude_characters="\0"), max_size=40)
PLAUSIBLE = st.one_of(
    PRINTED,
    st.sampled_from(["smtp://", "mongodb://", "https://", "https://hooks.slack.com/"]).flatmap(
        lambda start: PRINTED.map(lambda rest: start + rest)
    ),
    st.floats().map(str),
    st.integers().map(str),
)
QUICK = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(place=st.sampled_from(ALL), value=PLAUSIBLE)
def test_any_value_is_taken_or_its_variable_named(
    monkeypatch: pytest.MonkeyPatch, place: tuple[str, ...], value: str
) -> None:
    name = variable(place)
    with monkeypatch.context() as patch:
        patch.setenv(
            name, "".join(c for c in value if not "\ud800" <= c <= "\udfff" or "\udc80" <= c <= "\udcff")
        )
        try:
            load()
        except ConfigError as error:
            assert name in error.message
            assert len(value) < 12 or value not in f"{error.message} {error.hint}"


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | PRINTED,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["url", "uri", "x"]), inner),
    max_leaves=6,
)


@QUICK
@given(place=st.sampled_from([*ALL, *{place[:1] for place in ALL}]), value=TREES)
def test_any_tree_is_taken_or_refused(place: tuple[str, ...], value: object) -> None:
    """What TOML can say, and more, in any place of it."""
    from pydantic import ValidationError

    tree: Any = value
    for part in reversed(place):
        tree = {part: tree}
    with contextlib.suppress(ValidationError, ConfigError):
        Settings.model_validate(tree)


def test_config_show_says_where_each_setting_comes_from_and_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(FILE_NAME).write_text('[worker]\nlease = 30\n[alerts]\nwebhooks = ["https://hush.example/x"]\n')
    monkeypatch.setenv("TWITTER_API_KEY", "hush-1")
    assert execute(["--json", "config", "show"]) == 0
    out = capsys.readouterr().out
    rows = {row["setting"]: (row["value"], row["origin"]) for row in json.loads(out)["result"]["settings"]}
    assert rows["provider.api_key"] == ("***", "TWITTER_API_KEY")
    assert rows["alerts.webhooks"] == (["***"], FILE_NAME)
    assert rows["worker.lease"] == (30.0, FILE_NAME)
    assert rows["worker.pool_size"] == (10, "default")
    assert execute(["config", "show"]) == 0
    shown = capsys.readouterr().out
    assert "worker.lease" in shown
    assert "hush" not in out + shown
