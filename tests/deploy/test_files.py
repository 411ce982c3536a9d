"""What lies in deploy/: that each part can be read by what reads it, and names only what there is."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client

from auditlog.actions import seal_rows
from port444.kit import pulses

HOME = Path(__file__).resolve().parents[2]
DEPLOY = HOME / "deploy"
GUIDE = (HOME / "docs" / "operate.md").read_text()
UNITS = sorted((DEPLOY / "systemd").iterdir())
ELSEWHERE = {"up", "node_systemd_unit_state"}  # Prometheus's own, and node_exporter's
CURRENT = "/srv/port444/current"
INSTRUCTIONS = {"FROM", "ENV", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "VOLUME", "HEALTHCHECK", "CMD"}


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"] for rule in group["rules"]]


def test_alerts_ask_for_what_the_site_tells(client: Client, db: None, settings: Any) -> None:
    settings.METRICS_TOKEN, settings.ESCROW_BACKEND = "token", "web3"
    seal_rows()
    for path in settings.SCHEDULES:
        pulses.note(path, succeeded=True, seconds=1)
    client.get("/")
    text = client.get("/metrics", headers={"Authorization": "Bearer token"}).content.decode()
    told = {line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    for rule in rules():
        for name, labels in re.findall(r"\b((?:port444|node)_\w+|up)\b(\{[^}]*\})?", rule["expr"]):
            if name in ELSEWHERE:
                continue
            series = [one for one in told if one.partition("{")[0] == name]
            assert series, f"{rule['alert']}: nobody tells {name}"
            for label, operator, value in re.findall(r'(\w+)(=~|=)"([^"]*)"', labels):
                values = {found for one in series for found in re.findall(rf'\b{label}="([^"]*)"', one)}
                pattern = value.replace("\\\\", "\\") if operator == "=~" else re.escape(value)
                if (name, label) != ("port444_requests_total", "status"):  # nothing has failed here
                    assert any(re.fullmatch(pattern, one) for one in values), f"{rule['alert']}: no {name} has {label}{operator}{value}"


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_every_alert_has_its_lines_in_the_guide(rule: dict[str, Any]) -> None:
    path, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert path == "docs/operate.md"
    assert anchor == rule["alert"].lower()
    assert f"\n#### {rule['alert']}\n" in GUIDE
    assert rule["labels"]["severity"] in {"warning", "critical"}


def test_the_guide_names_files_and_commands_that_exist() -> None:
    for path in re.findall(r"\]\((?!http)([^)#]+)", GUIDE):
        assert (HOME / "docs" / path).exists(), path
    for path in re.findall(r"`((?:deploy|scripts|docs)/[\w./-]+)`", GUIDE):
        assert (HOME / path).exists(), path
    commands = {path.stem for app in ("port444", "auditlog") for path in (HOME / app).glob("**/management/commands/*.py")}
    assert set(re.findall(r"manage\.py ([a-z_]+)", GUIDE)) <= commands | {"check", "collectstatic", "qcluster", "shell"}


def test_units_name_what_there_is() -> None:
    names = {path.name for path in UNITS}
    for path in UNITS:
        text = path.read_text()
        assert set(re.findall(r"port444-[\w-]+\.(?:service|socket|timer)", text)) <= names, path.name
        for module in re.findall(r"python -m (\S+)", text):
            assert (HOME / f"{module.replace('.', '/')}.py").exists(), path.name
        for example in re.findall(r"EnvironmentFile=/etc/port444/(\S+)", text):
            assert (DEPLOY / f"{example}.example").exists(), path.name
        if "User=" in text:
            assert "NoNewPrivileges=true\nProtectSystem=strict" in text, path.name
        if path.suffix == ".timer":
            assert path.with_suffix(".service").name in names


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_reads_the_units(tmp_path: Path) -> None:
    """With a program of this machine in the place of those on a server."""
    for path in UNITS:
        text = re.sub(rf"{CURRENT}/\S+", "/bin/true", path.read_text())
        (tmp_path / path.name).write_text(text.replace("/usr/bin/systemctl", "/bin/true"))
    units = [str(tmp_path / path.name) for path in UNITS]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], check=False, capture_output=True, text=True)
    assert [line for line in done.stderr.splitlines() if "port444" in line] == []


def test_the_container_is_made_in_two_stages_and_runs_as_nobody_special() -> None:
    """Nothing here can build it: its instructions are read, and what they copy is looked for."""
    text = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", (DEPLOY / "Containerfile").read_text()))
    lines = [(word, rest) for word, _, rest in (line.strip().partition(" ") for line in text.splitlines()) if word]
    assert {word for word, _ in lines} <= INSTRUCTIONS
    stages = [index for index, (word, _) in enumerate(lines) if word == "FROM"]
    assert len(stages) == 2
    last = dict(lines[stages[1] :])
    assert re.fullmatch(r"\d{4,}:\d{4,}", last["USER"])
    assert last["CMD"] == '["gunicorn", "--config", "deploy/gunicorn.py", "port444.wsgi"]'
    for word, rest in lines:
        if word == "COPY" and not rest.startswith("--from"):
            assert all((HOME / source).exists() for source in rest.split()[:-1]), rest
    assert {".git", "var", ".venv"} <= set((HOME / ".containerignore").read_text().split())


@pytest.mark.parametrize("name", ["port444", "queue", "chain", "owner", "backup"])
def test_examples_of_the_environment_name_what_is_read(name: str) -> None:
    sources = ("port444/settings.py", "scripts/backup.py", "scripts/devpg.py", "deploy/gunicorn.py")
    read = "".join((HOME / source).read_text() for source in sources)
    names = re.findall(r"(?m)^([A-Z0-9_]+)=", (DEPLOY / f"{name}.env.example").read_text())
    assert names
    assert [one for one in names if f'"{one}"' not in read and not one.startswith("AWS_")] == []


def test_a_shell_reads_the_script() -> None:
    assert subprocess.run(["sh", "-n", DEPLOY / "upgrade.sh"], check=False).returncode == 0
