"""A campaign whose important accounts are known, and everybody who is told."""

from __future__ import annotations

from typing import Any

from socap_cli.alerts.context import AlertContext
from socap_cli.alerts.send import SendResult, send_alerts
from socap_cli.channels import open_channels
from socap_cli.model.kinds import REPLIES, Kind
from socap_cli.settings import AlertSettings
from socap_cli.store import Db
from support.lab import Lab


class Alerting:
    """Lets important people engage, collects, and tells a Slack that is the simulator's."""

    def __init__(self, lab: Lab, **settings: Any) -> None:
        self.lab = lab
        self.settings: dict[str, Any] = {
            "slack_webhook": f"{lab.simulator.url}/sim/slack",
            "webhook_hosts": [lab.simulator.url.removeprefix("http://")],
            "timeout": 2.0,
            **settings,
        }
        self.important = lab.world.accounts[:5]
        lab.db.following_index.insert_many(
            [
                {
                    "followed_user_id": account.user_id,
                    "followed_username": account.username,
                    "followed_by": [{"username": "boss", "weight": 12}],
                    "importance_score": 12 + number,
                }
                for number, account in enumerate(self.important)
            ]
        )
        lab.cycle()  # counters are 0 now: whatever comes is new

    def engage(self, who: int, kind: Kind = REPLIES, *, tweet: int = 0) -> None:
        lab = self.lab
        lab.world.engage(lab.tweet_ids[tweet], kind, lab.now(), account=self.important[who])

    def collect(self) -> None:
        self.lab.enqueue()
        self.lab.work_by_hand()

    def context(self, db: Db | None = None, **settings: Any) -> AlertContext:
        chosen = AlertSettings.model_validate({**self.settings, **settings})
        database = db if db is not None else self.lab.db
        return AlertContext(
            database, open_channels(chosen), chosen, self.lab.now, sleep=lambda _: None, patience=1.0
        )

    def send(self, db: Db | None = None, *, campaign_id: str | None = None, **settings: Any) -> SendResult:
        return send_alerts(self.context(db, **settings), campaign_id=campaign_id)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return self.lab.simulator.slack.messages

    def told(self) -> str:
        """All that Slack was told, as one text."""
        return "\n".join(
            "\n".join(block["text"]["text"] for block in message.get("blocks", ()) if "text" in block)
            for message in self.messages
        )
