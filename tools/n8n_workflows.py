"""Writes examples/n8n/*.json: the same steps, by three ways to reach the program.

    python tools/n8n_workflows.py            # writes them
    python tools/n8n_workflows.py --check    # exit 1 when they differ from what would be written

Two triggers: the whole cycle every half hour, and `alerts send` every 2 minutes, so that an alert does not wait for
the next cycle. Each stage is three nodes: run the command, parse the last line of its output, check that it is `ok`.
The exit code proves nothing: the SSH node ignores it, and a killed process can look like success.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

FOLDER = Path(__file__).parent.parent / "examples" / "n8n"
STAGES = ("enqueue", "work --max-runtime 1500 --if-running skip", "alerts send", "report render --out PAGES")
HALF_HOUR = {"field": "minutes", "minutesInterval": 30}
TWO_MINUTES = {"field": "minutes", "minutesInterval": 2}
PARSE = """\
// The last line of stdout is socap's answer. Whatever else comes (killed, no such program, no connection) is a failure.
const item = $input.first().json;
let answer;
try {
  answer = JSON.parse(String(item.stdout ?? "").trim().split("\\n").pop());
} catch {
  const said = item.stderr || item.error?.message || item.error || "no JSON on stdout: killed?";
  answer = { ok: false, partial: false, exit_code: item.code ?? null, warnings: [], error: { message: String(said) } };
}
return [{ json: { ...answer, stage: STAGE } }];
"""
SAID = "{{ $json.error ? $json.error.message : ($json.warnings || []).join('; ') }}"
FAILED = "socap {{ $json.stage }} failed, exit code {{ $json.exit_code }}: " + SAID
PARTLY = "{{ PARSED.filter(r => r.partial).map(r => r.stage + ': ' + r.warnings.join('; ')).join(' | ') }}"
SLACK = "https://hooks.slack.com/services/REPLACE/ME"


@dataclass(frozen=True)
class Way:
    """How the program is reached."""

    file: str
    name: str
    program: str
    """What stands before each command."""
    runs_by: str
    """Execute Command or SSH."""
    pages: str = "/var/www/socap"


WAYS = (
    Way("execute-command", "socap by Execute Command",
        "SOCAP_CONFIG=/etc/socap/socap.toml /opt/socap/bin/socap", "executeCommand"),
    Way("ssh", "socap by SSH", "SOCAP_CONFIG=/etc/socap/socap.toml /opt/socap/bin/socap", "ssh"),
    Way("sidecar", "socap in a container beside n8n", "socap", "ssh", "/srv/www"),
)  # fmt: skip


def workflow(way: Way) -> dict[str, Any]:
    """What n8n imports."""
    nodes = [
        _node("every half hour", "scheduleTrigger", 1.2, 0, 0, {"rule": {"interval": [HALF_HOUR]}}),
        _node("by hand", "manualTrigger", 1, 0, 200, {}),
    ]  # fmt: skip
    links: dict[str, list[list[str]]] = {}
    before = ["every half hour", "by hand"]
    for at, stage in enumerate(STAGES):
        name = " ".join(word for word in stage.split(" --")[0].split())
        x = 220 + at * 660
        command = f"{way.program} --json --exit-zero {stage.replace('PAGES', way.pages)}"
        nodes += [
            _run(f"run {name}", command, way.runs_by, x),
            _node(
                f"parse {name}", "code", 2, x + 220, 0, {"jsCode": PARSE.replace("STAGE", json.dumps(name))}
            ),
            _if(f"{name} ok?", "={{ $json.ok }}", x + 440),
        ]
        for source in before:
            links.setdefault(source, [[]])[0].append(f"run {name}")
        links[f"run {name}"] = [[f"parse {name}"]]
        links[f"parse {name}"] = [[f"{name} ok?"]]
        links[f"{name} ok?"] = [[], ["notify of a failure", "stage failed"]]
        before = [f"{name} ok?"]
    parsed = ", ".join(f"$('parse {stage.split(' --')[0]}').first().json" for stage in STAGES)
    x = 220 + len(STAGES) * 660
    nodes += [
        _if("partly done?", f"={{{{ [{parsed}].some(r => r.partial) }}}}", x),
        _tell(
            "notify of partly done", f"=socap, partly done: {PARTLY.replace('PARSED', f'[{parsed}]')}", x + 220, -100
        ),
        _node("done", "noOp", 1, x + 440, 0, {}),
        _tell("notify of a failure", f"={FAILED}", 1540, 400),
        _node("stage failed", "stopAndError", 1, 1760, 400,
              {"errorMessage": f"={FAILED}"}),
    ]  # fmt: skip
    links["report render ok?"][0].append("partly done?")
    # A failure shows in n8n's list of executions; Slack hears of it from the cycle, not every 2 minutes.
    send = f"{way.program} --json --exit-zero alerts send"
    nodes += [
        _node("every 2 minutes", "scheduleTrigger", 1.2, 0, 700, {"rule": {"interval": [TWO_MINUTES]}}),
        _run("send due alerts", send, way.runs_by, 220, 700),
        _node("parse due alerts", "code", 2, 440, 700, {"jsCode": PARSE.replace("STAGE", '"alerts send"')}),
        _if("due alerts sent?", "={{ $json.ok }}", 660, 700),
        _node("alerts failed", "stopAndError", 1, 880, 700, {"errorMessage": f"={FAILED}"}),
    ]
    links["every 2 minutes"] = [["send due alerts"]]
    links["send due alerts"] = [["parse due alerts"]]
    links["parse due alerts"] = [["due alerts sent?"]]
    links["due alerts sent?"] = [[], ["alerts failed"]]
    links["partly done?"] = [["notify of partly done"], ["done"]]
    links["notify of partly done"] = [["done"]]
    identity = uuid5(NAMESPACE_URL, f"socap/{way.file}")
    return {
        "id": identity.hex[:16],
        "versionId": str(identity),
        "name": way.name,
        "active": False,
        "nodes": nodes,
        "connections": {
            source: {"main": [[{"node": to, "type": "main", "index": 0} for to in out] for out in outputs]}
            for source, outputs in links.items()
        },
        "settings": {"executionOrder": "v1"},
        "pinData": {},
    }


def _node(name: str, kind: str, version: float, x: int, y: int, parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": str(uuid5(NAMESPACE_URL, f"socap/node/{name}")),
        "name": name,
        "type": f"n8n-nodes-base.{kind}",
        "typeVersion": version,
        "position": [x, y],
        "parameters": parameters,
    }


def _run(name: str, command: str, kind: str, x: int, y: int = 0) -> dict[str, Any]:
    """A failure of the node itself goes on to the parser, which reports it."""
    if kind == "executeCommand":
        node = _node(name, kind, 1, x, y, {"command": command})
    else:
        where = {"resource": "command", "operation": "execute", "authentication": "privateKey", "cwd": "/"}
        node = _node(name, kind, 1, x, y, {**where, "command": command})
        node["credentials"] = {"sshPrivateKey": {"id": "socapSshKey00001", "name": "socap"}}
    return {**node, "onError": "continueRegularOutput"}


def _if(name: str, value: str, x: int, y: int = 0) -> dict[str, Any]:
    condition = {
        "id": "is-true",
        "leftValue": value,
        "rightValue": True,
        "operator": {"type": "boolean", "operation": "true", "singleValue": True},
    }
    options = {"caseSensitive": True, "leftValue": "", "typeValidation": "strict", "version": 1}
    return _node(name, "if", 2, x, y, {
        "conditions": {"options": options, "conditions": [condition], "combinator": "and"}, "options": {},
    })  # fmt: skip


def _tell(name: str, text: str, x: int, y: int) -> dict[str, Any]:
    """A message to Slack; when that fails the workflow goes on, and fails by itself where it should."""
    body = "={{ JSON.stringify({ text: " + _expression(text) + " }) }}"
    how = {"method": "POST", "url": SLACK, "sendBody": True, "specifyBody": "json"}
    sent = {**how, "jsonBody": body, "options": {"timeout": 15000}}
    return {**_node(name, "httpRequest", 4.2, x, y, sent), "onError": "continueRegularOutput"}


def _expression(template: str) -> str:
    """A text with {{ … }} in it as one JavaScript expression."""
    parts = template.removeprefix("=").replace("}}", "{{").split("{{")
    return " + ".join(
        f"({part.strip()})" if at % 2 else json.dumps(part) for at, part in enumerate(parts) if part
    )


def main(*words: str) -> int:
    """Write the workflows, or compare them."""
    wrong = []
    for way in WAYS:
        path = FOLDER / f"{way.file}.json"
        text = json.dumps(workflow(way), indent=2, ensure_ascii=False) + "\n"
        if "--check" in words:
            wrong += [path.name] if not path.is_file() or path.read_text(encoding="utf-8") != text else []
        else:
            path.write_text(text, encoding="utf-8")
    sys.stderr.write("".join(f"{name} is not what tools/n8n_workflows.py writes\n" for name in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
