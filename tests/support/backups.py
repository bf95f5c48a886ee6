"""A database to be backed up, and ways to break its backup."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bson
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from socap_cli.store import Db
from socap_cli.store.backup import FORMAT, MANIFEST, checksum, write
from socap_cli.store.connect import ensure_indexes

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
RAW: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)
EVERY_TYPE = {
    "double": 1.5, "nan": float("inf"), "text": "é → \U0001f600 \x00", "tree": {"z": 1, "a": {"b": [1, [2, {}]]}},
    "binary": Binary(b"\x00\xff", 0), "uuid": Binary(bytes(16), 4), "id": ObjectId(b"twelve bytes"),
    "flag": True, "date": NOW, "far": bson.DatetimeMS(2**62), "none": None, "pattern": Regex("^a", "i"),
    "code": Code("x"), "int": 1, "long": Int64(1), "decimal": Decimal128("1.10"), "stamp": Timestamp(1, 2),
    "least": MinKey(), "most": MaxKey(), "": "", "$odd": 1, "a.b": 1,
}  # fmt: skip


def fill(db: Db, documents: int = 60) -> None:
    """A little of everything, in collections of ours, of the firm and of strangers."""
    ensure_indexes(db)
    db.campaigns.insert_many({"_id": f"c{n}", "name": "x" * n} for n in range(5))
    db.engagements.insert_many(
        {
            "_id": f"e{n}",
            "tweet_id": str(n % 7),
            "action_type": "reply",
            "source_id": str(n),
            "text": "t" * (n % 90),
        }
        for n in range(documents)
    )
    db.jobs.insert_one({"_id": "c1:1:metrics", "campaign_id": "c1", "tweet_id": "1", "job_type": "metrics"})
    db.worker_state.insert_one({"_id": "1", "retweets": {"last_success": NOW}})
    firm = db["firm's followings/2"]
    firm.insert_many([{"_id": ObjectId(), **EVERY_TYPE}, {"_id": {"a": 1}}, {"_id": 1}, {"_id": "1"}])
    firm.create_index([("z", -1), ("a", "hashed")], name="odd one", sparse=True)
    firm.create_index([("text", "text")], default_language="french", weights={"text": 7})
    firm.create_index("n", unique=True, partialFilterExpression={"n": {"$gt": 5}}, collation={"locale": "de"})
    db.create_collection("capped", capped=True, size=8192, max=5)
    db.create_collection("empty", collation={"locale": "fr", "strength": 2})


def contents(db: Db) -> dict[str, tuple[list[bytes], list[str], str]]:
    """Every byte of every collection, its indexes and options; and nothing that a restore may leave behind.

    But for the note of when the database was restored.
    """
    rows = {row["name"]: row for row in db.list_collections()}
    assert not [name for name in rows if name.startswith("restoring.")]
    return {
        name: (
            sorted(_raw(db, name)),
            sorted(json.dumps(dict(index), default=str) for index in db[name].list_indexes()),
            json.dumps(rows[name]["options"], default=str, sort_keys=True),
        )
        for name in sorted(rows)
    }


def _raw(db: Db, name: str) -> list[bytes]:
    rows: Iterable[Any] = db.get_collection(name, codec_options=RAW).find({"_id": {"$ne": "restored"}})
    return [row.raw for row in rows]


def backup(db: Db) -> bytes:
    stream = io.BytesIO()
    write(db, stream, now=NOW)
    return stream.getvalue()


Members = list[tuple[str, bytes]]


def unpack(data: bytes) -> Members:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        files = [(entry.name, archive.extractfile(entry)) for entry in archive]
        return [(name, file.read()) for name, file in files if file is not None]


def pack(members: Members) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", format=tarfile.GNU_FORMAT) as archive:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def sealed(members: Members) -> bytes:
    """A backup whose manifest fits whatever was put in: only the documents themselves can be wrong."""
    import hashlib

    plain = [(name, content) for name, content in members if name != MANIFEST]
    (old,) = (json.loads(content) for name, content in members if name == MANIFEST)
    entries: dict[str, Any] = {}
    for name, content in plain:
        if name.endswith(".bson"):
            collection = name.split("/", 1)[1].removesuffix(".bson").replace("%2F", "/").replace("%27", "'")
            collection = collection.replace("%20", " ")
            metadata = dict(plain)[name.removesuffix(".bson") + ".metadata.json"]
            entries[collection] = {
                "documents": _count(content), "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(),
                "metadata_sha256": hashlib.sha256(metadata).hexdigest(),
            }  # fmt: skip
    tree = {**{k: v for k, v in old.items() if k != "checksum"}, "format": FORMAT, "collections": entries}
    manifest = json.dumps({**tree, "checksum": checksum(tree)}).encode()
    return pack([*plain, (MANIFEST, manifest)])


def _count(content: bytes) -> int:
    count = at = 0
    while at < len(content):
        at += max(5, int.from_bytes(content[at : at + 4], "little"))
        count += 1
    return count


def flipped(data: bytes, rng: random.Random, times: int = 1) -> bytes:
    broken = bytearray(data)
    for _ in range(times):
        broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
    return bytes(broken)


def _some(members: Members, rng: random.Random, kind: str = ".bson") -> int:
    return rng.choice([n for n, (name, content) in enumerate(members) if name.endswith(kind) and content])


def _changed(
    data: bytes, rng: random.Random, change: Callable[[bytes], bytes], kind: str = ".bson"
) -> Members:
    members = unpack(data)
    at = _some(members, rng, kind)
    members[at] = (members[at][0], change(members[at][1]))
    return members


def _first_document(content: bytes) -> bytes:
    return content[: int.from_bytes(content[:4], "little")]


def _renamed(data: bytes, rng: random.Random, name: str) -> Members:
    members = unpack(data)
    at = _some(members, rng)
    members[at] = (name, members[at][1])
    return members


def _regzipped(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    return gzip.compress(change(gzip.decompress(data)))


BAD_TEXT: bytes = bson.encode({"_id": "bad", "x": "abc"}).replace(b"abc", b"\xff\xfe\x80")
NAMES = [
    "socap/$cmd.bson", "socap/system.users.bson", "../x.bson", "/etc/x.bson", "socap/.bson", "socap/a%00b.bson",
    "socap/../../x.bson", "photos/readme.txt", "x.bson", "other/campaigns.bson", "socap/campaigns.bson/x",
]  # fmt: skip
WAYS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "cut": lambda data, rng: data[: rng.randrange(len(data))],
    "its end cut": lambda data, rng: data[: -rng.randint(1, 9)],
    "a bit flipped": flipped,
    "bits flipped": lambda data, rng: flipped(data, rng, rng.randint(2, 9)),
    "a bit flipped inside": lambda data, rng: _regzipped(data, lambda tar: flipped(tar, rng)),
    "tar cut": lambda data, rng: _regzipped(data, lambda tar: tar[: rng.randrange(len(tar))]),
    "tar cut at a block": lambda data, rng: _regzipped(data, lambda tar: tar[: rng.randrange(len(tar) // 512) * 512]),
    "a block zeroed": lambda data, rng: _regzipped(data, lambda tar: _zeroed(tar, rng)),
    "a block twice": lambda data, rng: _regzipped(data, lambda tar: _block_twice(tar, rng)),
    "a block lost": lambda data, rng: _regzipped(data, lambda tar: _block_lost(tar, rng)),
    "noise": lambda data, rng: rng.randbytes(rng.randrange(2000)),
    "compressed noise": lambda data, rng: gzip.compress(rng.randbytes(rng.randrange(5000))),
    "nothing": lambda data, rng: b"",
    "text": lambda data, rng: b"https://x.com/a/status/1\n" * rng.randrange(99),
    "an empty tar": lambda data, rng: pack([]),
    "a foreign tar": lambda data, rng: pack([("photos/readme.txt", rng.randbytes(99))]),
    "empty campaigns alone": lambda data, rng: pack([("socap/campaigns.bson", b"")]),
    "its manifest alone": lambda data, rng: pack(unpack(data)[-1:]),
    "twice": lambda data, rng: data + data,
    "twice in one tar": lambda data, rng: pack(unpack(data) * 2),
    "something behind": lambda data, rng: data + rng.randbytes(rng.randint(1, 999)),
    "a member twice": lambda data, rng: pack(_doubled(unpack(data), rng)),
    "a member lost": lambda data, rng: pack(_without(unpack(data), rng)),
    "members shuffled": lambda data, rng: pack(_shuffled(unpack(data), rng)),
    "a member emptied": lambda data, rng: pack(_changed(data, rng, lambda _: b"")),
    "a document lost": lambda data, rng: pack(_changed(data, rng, lambda c: c[len(_first_document(c)) :])),
    "a document twice": lambda data, rng: pack(_changed(data, rng, lambda c: c + _first_document(c))),
    "a strange name": lambda data, rng: pack(_renamed(data, rng, rng.choice(NAMES))),
    "metadata changed": lambda data, rng: pack(_changed(data, rng, lambda c: flipped(c, rng), ".json")),
    "a document twice, sealed": lambda data, rng: sealed(_changed(data, rng, lambda c: c + _first_document(c))),
    "no id, sealed": lambda data, rng: sealed(_changed(data, rng, lambda c: c + bson.encode({"x": 1}))),
    "bad text, sealed": lambda data, rng: sealed(_changed(data, rng, lambda c: c + BAD_TEXT)),
    "a bad id, sealed": lambda data, rng: sealed(_changed(data, rng, lambda c: c + bson.encode({"_id": [1]}))),
    "no BSON, sealed": lambda data, rng: sealed(_changed(data, rng, lambda c: c + b"\x05\x00\x00\x00\x07")),
    "a foreign index, sealed": lambda data, rng: sealed(_changed(data, rng, _with_bad_index, ".metadata.json")),
    "a view, sealed": lambda data, rng: sealed(_changed(data, rng, _as_view, ".metadata.json")),
    "a rule broken, sealed": lambda data, rng: sealed(_against_unique(data)),
}  # fmt: skip


def _zeroed(tar: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(tar) // 512) * 512
    return tar[:at] + bytes(512) + tar[at + 512 :]


def _block_twice(tar: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(tar) // 512) * 512
    return tar[: at + 512] + tar[at:]


def _block_lost(tar: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(tar) // 512) * 512
    return tar[:at] + tar[at + 512 :]


def _doubled(members: Members, rng: random.Random) -> Members:
    at = rng.randrange(len(members))
    return [*members[: at + 1], *members[at:]]


def _without(members: Members, rng: random.Random) -> Members:
    at = rng.randrange(len(members))
    return members[:at] + members[at + 1 :]


def _shuffled(members: Members, rng: random.Random) -> Members:
    shuffled = list(members)
    while shuffled == members:
        rng.shuffle(shuffled)
    return shuffled


def _with_bad_index(content: bytes) -> bytes:
    tree = json.loads(content)
    tree["indexes"].append({"v": 2, "key": {"x": "nonsense"}, "name": "bad"})
    return json.dumps(tree).encode()


def _as_view(content: bytes) -> bytes:
    return json.dumps({**json.loads(content), "options": {"viewOn": "campaigns", "pipeline": []}}).encode()


def _against_unique(data: bytes) -> Members:
    same = {"tweet_id": "1", "action_type": "reply", "source_id": "same"}
    rows = b"".join(bson.encode({"_id": name, **same}) for name in ("x", "y"))
    return [
        (name, content + rows if name.endswith("/engagements.bson") else content)
        for name, content in unpack(data)
    ]


def broken(data: bytes, seed: int) -> tuple[str, bytes]:
    """One of the ways, by its number."""
    way = list(WAYS)[seed % len(WAYS)]
    return way, WAYS[way](data, random.Random(seed))


def place(folder: Path, data: bytes) -> str:
    path = folder / "backup.tgz"
    path.write_bytes(data)
    return str(path)
