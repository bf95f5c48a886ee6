"""The log: one line a record, the run and the job on each, and never a secret."""

from __future__ import annotations

import json
import logging
import multiprocessing
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from pydantic import ValidationError

from socap_cli.cli.app import execute
from socap_cli.logs import Logs, about_job
from socap_cli.settings import Settings, texts_to_mask

RUN = "0123456789abcdef"
log = logging.getLogger("socap.work")


@pytest.fixture(autouse=True)
def _no_handler_stays() -> Iterator[None]:
    yield
    Logs("after")
    logging.root.handlers[:] = [h for h in logging.root.handlers if type(h).__module__ != "socap_cli.logs"]


def fail() -> None:
    try:
        raise ZeroDivisionError("of \ud800 hush-hush")
    except ZeroDivisionError:
        log.exception("metrics of %s:\n a bug", 5)


def test_by_default_a_warning_is_one_line_and_what_a_room_says_is_silent(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Logs(RUN)
    log.info("a page")
    log.warning("a row\nwas left out")
    fail()
    assert capsys.readouterr().err == "warning: a row was left out\nerror: metrics of 5: a bug\n"


def test_more_detail_tells_time_room_run_and_job(capsys: pytest.CaptureFixture[str]) -> None:
    Logs(RUN, verbose=1)
    with about_job("launch:5:metrics"):
        log.info("a page")
    log.debug("an item")
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith("Z info: socap.work run=0123456789ab job=launch:5:metrics: a page")


def test_all_detail_tells_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    Logs(RUN, verbose=2)
    fail()
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert "ZeroDivisionError: of \\ud800 hush-hush" in err


def test_as_json_each_record_is_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    Logs(RUN, verbose=2, form="json").hide(["hush-hush"])
    with about_job("j"):
        fail()
    [line] = capsys.readouterr().err.splitlines()
    row = json.loads(line)
    assert {**row, "at": "", "traceback": ""} == {
        "at": "", "level": "error", "logger": "socap.work", "run_id": RUN, "job_id": "j",
        "message": "metrics of 5:\n a bug", "traceback": "",
    }  # fmt: skip
    assert row["traceback"].endswith("ZeroDivisionError: of \ufffd ***")


def test_as_json_a_very_long_record_is_an_object_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    Logs(RUN, form="json").hide(['hush-"hush'])
    log.warning("%s", 'hush-"hush\n' + "x" * 50_000)
    row = json.loads(capsys.readouterr().err)
    assert row["message"].startswith("***\nxxx")
    assert row["level"] == "warning"


SECRETS = {
    "api_key": "key_5f4dcc3b5aa765d6",
    "uri": "mongodb://somebody:s3cr3t%2Fword@db.example:27017/socap",
    "slack_webhook": "https://hooks.slack.com/services/T000/B000/XXXXYYYYZZZZ",
    "email_smtp": "smtp://user:p%40ssword@mail.example:587",
    "webhooks": ["https://n8n.example/webhook/abcdef123456"],
    "webhook_secret": "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=",
    "apprise": ["tgram://123456:AAtoken/-100200"],
}
SECRET_PARTS = (
    "key_5f4dcc3b5aa765d6", "s3cr3t%2Fword", "s3cr3t/word", "XXXXYYYYZZZZ", "p@ssword", "p%40ssword", "abcdef123456",
    "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=",
)  # fmt: skip


def settings() -> Settings:
    try:
        return Settings.model_validate(
            {
                "database": {"uri": SECRETS["uri"]},
                "provider": {"api_key": SECRETS["api_key"]},
                "alerts": {
                    name: SECRETS[name]
                    for name in ("slack_webhook", "email_smtp", "webhooks", "webhook_secret", "apprise")
                }
                | {"webhook_hosts": ["hooks.slack.com", "n8n.example"]},
            }
        )
    except ValidationError as error:  # pragma: no cover
        raise AssertionError(error.errors(include_input=False)) from None


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("part", SECRET_PARTS)
def test_no_secret_of_the_settings_is_ever_logged(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, part: str, form: str
) -> None:
    logs = Logs(RUN, verbose=2, form=form)
    logs.hide(texts_to_mask(settings()))
    logs.write_to(tmp_path / "socap.log", most_bytes=10_000, files=1)
    try:
        raise ValueError(f"refused {part}!")
    except ValueError:
        log.exception("said %r and %s", part, {"body": part})
    for text in (capsys.readouterr().err, (tmp_path / "socap.log").read_text()):
        assert part not in text
        assert "***" in text


def test_masking_leaves_plain_words_alone(capsys: pytest.CaptureFixture[str]) -> None:
    logs = Logs(RUN)
    logs.hide(texts_to_mask(settings()))
    log.warning("socap cannot reach db.example, mail.example, hooks.slack.com or n8n.example as somebody")
    assert capsys.readouterr().err == (
        "warning: socap cannot reach db.example, mail.example, hooks.slack.com or n8n.example as somebody\n"
    )


def write_many(path: Path, name: str) -> None:
    for _ in range(10):
        Logs(name).write_to(path, most_bytes=1000, files=50)
        for number in range(10):
            log.info("%s %d", name, number)


def test_processes_share_a_file_that_is_moved_aside_when_full_and_lose_no_line(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(tmp_path / "socap.log", name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    files = list(tmp_path.glob("socap.log*"))
    lines = [line.rsplit(": ", 1)[1] for file in files for line in file.read_text().splitlines()]
    assert sorted(lines) == sorted([f"{name} {number}" for name in "ab" for number in range(10)] * 10)
    assert len(files) > 2


def test_old_files_go(tmp_path: Path) -> None:
    for number in range(10):
        Logs(RUN).write_to(tmp_path / "socap.log", most_bytes=100, files=2)
        log.info("line %d %s", number, "x" * 100)
    assert {file.name for file in tmp_path.glob("socap.log*")} == {"socap.log", "socap.log.1", "socap.log.2"}
    assert (tmp_path / "socap.log").stat().st_mode & 0o777 == 0o600


def test_an_unknown_form_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["--log-format", "xml", "status"]) == 2
    assert capsys.readouterr().err == "error: no log format 'xml' – --log-format text or json\n"


def test_a_log_that_cannot_be_written_costs_no_work_and_tells_no_secret(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    full, gone = tmp_path / "full", tmp_path / "gone"
    full.mkdir()
    (full / "socap.log").symlink_to("/dev/full")
    logs = Logs(RUN)
    logs.hide(["hush-hush"])
    for folder in (full, gone):
        logs.write_to(folder / "socap.log", most_bytes=10_000, files=2)
    shutil.rmtree(gone)
    log.info("the key is %s", "hush-hush")
    log.info("and once more")
    for handler in logging.root.handlers:
        with suppress(OSError):
            handler.close()
    assert capfd.readouterr().err.splitlines() == [
        f"warning: the log {full}/socap.log cannot be written: [Errno 28] No space left on device",
        f"warning: the log {gone}/socap.log cannot be written: [Errno 2] No such file or directory: '{gone}/socap.log'",
    ]
