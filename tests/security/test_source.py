"""What the source may not hold, whoever writes it: comparisons that take longer for a better guess, and what runs what it is given."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

HOME = Path(settings.BASE_DIR)
SECRET = re.compile(r"(secret|signature|token|hmac|password|challenge|api_key|_mac)$", re.I)
# Comparisons of what is called so and is no secret of ours, and why.
NO_SECRET = {
    "consultations/calendars/graph/wire.py: self.credentials['access_token'] == refused": "two copies of our own, after a refusal",
    "consultations/meetings/zoom.py: _token() == token": "as above",
    "consultations/views/connections.py: chosen.sign_in == SignIn.PASSWORD": "a way to sign in",
}
# What runs or loads what it is given, and why each is none of somebody else's making.
DANGEROUS = re.compile(r"^(eval|exec|compile|__import__|os\.(system|popen|exec\w*|spawn\w*)|(pickle|marshal|yaml|shelve)\.\w+|mark_safe)$")
ALLOWED = {
    "auditlog/detectors/reading.py: pickle.dump": "into a file without a name",
    "auditlog/detectors/reading.py: pickle.load": "out of it again",
    "port444/accounts/zones.py: mark_safe": "put together from escaped parts",
}
MARKED_SAFE = {
    "templates/mfa/totp/activate_form.html": "the QR code that we draw",
    "templates/pages/topic.html": "help, which is part of the source",
    "templates/django/forms/field.html": "the help of a field, which is part of the source",
}
SPEAKERS = {
    "port444/kit/outbound.py": "the guard itself",
    "port444/notifications/sms.py": "to Twilio, at the address in the settings",
    "consultations/calendars/graph/tokens.py": "what it says of a session that it is given",
    "port444/payments/jobs.py": "to this site, in the place of the test wallet",
}


def sources() -> Iterator[tuple[str, ast.AST]]:
    for folder in ("port444", "consultations", "amendments", "support", "auditlog"):
        for path in sorted((HOME / folder).rglob("*.py")):
            if "migrations" not in path.parts and "demo" not in path.parts:
                yield str(path.relative_to(HOME)), ast.parse(path.read_text())


def named(node: ast.expr) -> str:
    """The last name of an expression: of `row.secret`, `held["token"]` and `told.encode()` secret, token and told."""
    while isinstance(node, ast.Call):
        node = (
            node.func.value if isinstance(node.func, ast.Attribute) and node.func.attr in ("encode", "decode", "strip", "lower", "hex") else node.func
        )
    if isinstance(node, ast.Subscript):
        return str(node.slice.value) if isinstance(node.slice, ast.Constant) else ""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def compared(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Where a secret is compared letter by letter. Whether there is one, or how long it is, may be asked."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
            continue
        sides = [node.left, *node.comparators]
        if any(isinstance(side, ast.Constant) for side in sides) or any(ast.unparse(side).startswith("len(") for side in sides):
            continue
        if any(SECRET.search(named(side)) for side in sides):
            yield node.lineno, ast.unparse(node)


def test_secrets_are_compared_in_constant_time() -> None:
    found = {f"{path}: {words}" for path, tree in sources() for _, words in compared(tree)}
    assert found == set(NO_SECRET)


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("given == row.secret", True),
        ("held['token'] != told", True),
        ("signature.encode() == wanted", True),
        ("if new_password == old: pass", True),
        ("secret == ''", False),
        ("len(token) == 3", False),
        ("constant_time_compare(signature, wanted)", False),
        ("key in tokens", False),
    ],
)
def test_the_reader_sees_comparisons(code: str, seen: bool) -> None:
    assert bool(list(compared(ast.parse(code)))) is seen


def test_nothing_runs_or_loads_what_it_is_given() -> None:
    found = set()
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                is_shell = any(word.arg == "shell" and ast.unparse(word.value) != "False" for word in node.keywords)
                if DANGEROUS.match(name) or is_shell:
                    found.add(f"{path}: {name}")
    assert found == set(ALLOWED)


def test_xml_of_others_is_read_by_what_refuses_entities() -> None:
    """By defusedxml; rasters.py reads what it has drawn itself."""
    reads = re.compile(r"^\s*(from (xml\.(etree|dom|parsers)|lxml)|import (xml|lxml)).*import (?!Element, ParseError)", re.M)
    assert {path for path, _ in sources() if reads.search((HOME / path).read_text())} == {"port444/kit/rasters.py"}


def test_templates_escape_what_people_write() -> None:
    """`|safe` and `autoescape off` would show what was written as a part of the page. Texts of mails are no pages."""
    found = set()
    for path in (HOME / "templates").rglob("*.html"):
        if re.search(r"\|\s*safe\b|autoescape off|safeseq", path.read_text()):
            found.add(str(path.relative_to(HOME)))
    assert found == set(MARKED_SAFE)


def test_scripts_write_no_html_of_others() -> None:
    """Text goes into a page as text; pieces of pages come from the server, by htmx, escaped there."""
    for path in (HOME / "static/js").glob("*.js"):
        assert not re.search(
            r"\.innerHTML|\.outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|addEventListener\('message'", path.read_text()
        ), path


def test_other_servers_are_spoken_to_through_the_guard() -> None:
    """kit/outbound.py has the limits and refuses addresses inside. The others speak to what an operator has set, and to nothing else."""
    speaks = re.compile(r"requests\.(get|post|put|patch|delete|request)\(|requests\.Session\b|urlopen\(|HTTPS?Connection\(|SMTP\(")
    found = {path for path, _ in sources() if speaks.search((HOME / path).read_text())}
    assert found == set(SPEAKERS)
