"""Who lives in a made-up world: accounts, the important among them, and whom those follow."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from socap_cli.simulator import vocabulary

IMPORTANT = 40


@dataclass(slots=True)
class Account:
    """An account as it is in truth."""

    user_id: str
    username: str
    name: str
    bio: str
    followers: int
    following: int
    verified: bool
    created_at: datetime


def account(rng: random.Random, number: int, start: datetime) -> Account:
    """The account of this number."""
    first, last = rng.choice(vocabulary.FIRST_NAMES), rng.choice(vocabulary.LAST_NAMES)
    age = timedelta(days=rng.randint(60, 5000))
    return Account(
        user_id=str(10_000_000 + number * 7919),
        username=f"{first}{last}{number}"[:15].replace(" ", ""),
        name=f"{first} {last}",
        bio=rng.choice(vocabulary.BIOS),
        followers=int(rng.paretovariate(0.9) * 60),
        following=rng.randint(10, 2500),
        verified=rng.random() < 0.15,
        created_at=start - age,
    )


def important_people(rng: random.Random, accounts: Sequence[Account]) -> list[dict[str, Any]]:
    """Documents of `important_people`: some of the accounts, with a weight from 1 to 6."""
    people = rng.sample(accounts, min(IMPORTANT, len(accounts)))
    return [
        {"username": p.username, "user_id": p.user_id, "name": p.name, "weight": rng.randint(1, 6)}
        for p in people
    ]


def following_index(
    rng: random.Random, accounts: Sequence[Account], important: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Documents of `following_index`: a tenth of the accounts is followed by somebody important."""
    index: list[dict[str, Any]] = []
    for followed in rng.sample(accounts, len(accounts) // 10):
        depth = min(len(important), int(rng.paretovariate(1.0)))
        followers = rng.sample(important, depth)
        index.append(
            {
                "followed_username": followed.username,
                "followed_user_id": followed.user_id,
                "followed_by": followers,
                "importance_score": sum(float(f["weight"]) for f in followers),
            }
        )
    return index
