"""Where templates and modules say something to people in words that nobody can translate."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html import unescape
from typing import NamedTuple

TOKEN = re.compile(r"(\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\})", re.S)
CLASSES = re.compile(r"\{%-?\s*block main_class\b")  # what is in it is no words
ENDBLOCK = re.compile(r"\{%-?\s*endblock")
SKIPPED = {name: re.compile(r"\{%-?\s*end" + name) for name in ("comment", "blocktranslate", "blocktrans", "verbatim")}
WORDED = {"title", "alt", "placeholder", "label", "summary", "aria-label", "aria-description", "aria-roledescription", "aria-valuetext", "hx-confirm"}
RAW = {"script", "style"}
# Names and signs that are the same in every language.
SAME = re.compile(
    r"port444|USDC|USD|UTC|IBAN|BIC|CSV|PDF|SMS|API|URL|HTTP|JSON|SHA-256|HMAC|ID|QR|Google|Microsoft|Zoom|Cal\.com|iCal|Sepolia|Ethereum"
    r"|https?://\S+|\S+@\S+|0x[0-9a-f]*|\b(h|min|s)\b|&\w+;"
)
LITERAL = re.compile(r"""(?<![_(\w])(\w+)=("([^"]*)"|'([^']*)')""")
# Arguments of `include` that are no words.
MECHANICAL = {"format", "css", "icon_name", "id", "target", "swap", "size", "href", "href2", "role", "next", "name_of", "template", "f"}
DATE = re.compile(r"[DdjlMFYyHhisNn ,.:\\TZ-]+")  # what the filter `date` takes
DEFAULTS = re.compile(r"""\|(default|default_if_none|yesno|pluralize)(?::("([^"]*)"|'([^']*)'))?""")


class Found(NamedTuple):
    """Words at `start` to `end` of a source; `whole` when they stand by themselves, so that they can be marked as they are."""

    kind: str
    text: str
    start: int
    end: int
    whole: bool = False


def has_words(text: str) -> bool:
    """Quotation marks are words, too: every language has its own."""
    return any(letter.isalpha() or letter in "“”" for letter in unescape(SAME.sub("", text)))


def is_sentence(text: str) -> bool:
    """Whether a literal reads like words for people and not like a name of the machine."""
    return has_words(text) and not DATE.fullmatch(text) and (text[:1].isupper() or " " in text.strip())


class _Reader:
    """Reads a template from left to right and keeps what a person would see of it."""

    def __init__(self, source: str) -> None:
        self.found: list[Found] = []
        self.pieces: list[tuple[str, str, int]] = []  # of the text or the attribute that is being read
        self.has_value = False
        self.state, self.quote, self.attribute, self.tag = "data", "", "", ""
        until: re.Pattern[str] | None = None
        position = 0
        for part in TOKEN.split(source):
            if until is not None:
                if until.match(part):
                    until = None
            elif part.startswith("{%"):
                name = part[2:-2].split()[0]
                until = ENDBLOCK if CLASSES.match(part) else SKIPPED.get(name)
                self.block(name, part, position)
            elif part.startswith("{{"):
                self.has_value = True
                self.variable(part, position)
            elif not part.startswith("{#"):
                self.text(part, position)
            position += len(part)
        self.close()

    def block(self, name: str, part: str, position: int) -> None:
        if name in ("include", "with"):
            for match in LITERAL.finditer(part):
                text = match[3] or match[4] or ""
                if match[1] not in MECHANICAL and is_sentence(text):
                    self.found.append(Found("argument", text, position + match.start(2), position + match.end(2), True))
        self.variable(part, position)

    def variable(self, part: str, position: int) -> None:
        for match in DEFAULTS.finditer(part):
            text = match[3] or match[4] or ""
            if match[1] == "pluralize" or is_sentence(text) or (match[1] == "yesno" and self.state == "data" and has_words(text)):
                self.found.append(Found("filter", part, position + match.start(2), position + match.end(2), match[1].startswith("default")))

    def text(self, part: str, position: int) -> None:
        begin = 0
        for at, sign in enumerate(part):
            if self.state == "data" and sign == "<" and re.match(r"</?[a-zA-Z!]", part[at : at + 3]):
                self.take("text", part[begin:at], position + begin)
                self.close()
                self.state, self.tag, begin = "tag", "", at
            elif self.state == "tag" and sign in "\"'":
                name = re.search(r"([\w:@.-]+)\s*=\s*$", part[begin:at])
                self.tag += part[begin : at + 1]
                self.attribute, self.quote, self.state, begin = name[1] if name else "", sign, "value", at + 1
            elif self.state == "value" and sign == self.quote:
                self.take("attribute", part[begin:at], position + begin)
                self.tag += part[begin : at + 1]
                self.close()
                self.state, begin = "tag", at + 1
            elif self.state == "tag" and sign == ">":
                self.tag += part[begin : at + 1]
                raw = re.match(r"<(\w+)", self.tag)
                self.state, begin = ("raw" if raw and raw[1].lower() in RAW else "data"), at + 1
                self.has_value = False
            elif self.state == "raw" and part.startswith(("</script", "</style"), at):
                self.state, self.tag, begin = "tag", "", at
        rest = part[begin:]
        if self.state == "data":
            self.take("text", rest, position + begin)
        elif self.state == "value":
            self.take("attribute", rest, position + begin)
            self.tag += rest
        elif self.state == "tag":
            self.tag += rest

    def take(self, kind: str, text: str, position: int) -> None:
        if has_words(text) and (kind == "text" or self.is_worded(text)):
            self.pieces.append((kind, text, position))

    def is_worded(self, text: str) -> bool:
        name = self.attribute.lower()
        if name == "content":
            return 'name="description"' in self.tag
        if name == "value":
            return bool(re.search(r'type="(submit|button)"', self.tag)) and self.tag.startswith("<input")
        return name in WORDED or (name.startswith("data-") and is_sentence(text) and " " in text.strip())

    def close(self) -> None:
        """The text, or the attribute, is over: what was in it stands by itself if no value is between the words."""
        for kind, text, position in self.pieces:
            stripped = text.strip()
            start = position + text.index(stripped)
            self.found.append(Found(kind, stripped, start, start + len(stripped), not self.has_value))
        self.pieces, self.has_value = [], False


def unmarked_in_template(source: str, *, plain: bool = False) -> list[Found]:
    """What a template says in English alone; `plain` when it is no HTML."""
    if not plain:
        return sorted(_Reader(source).found, key=lambda found: found.start)
    return _Reader(source.replace("<", "‹").replace(">", "›")).found


REFUSALS = {"Invalid", "NotAllowed", "Conflict", "WrongState", "TooMany", "TooSlow", "ValidationError"}
KEYWORDS = {"label", "help_text", "title", "body", "link", "text", "why", "who", "until"}
ENGLISH_DATE = re.compile(r"%-?[aAbBhp]")  # a name of a day or month, which is English whoever reads
MESSAGES = {"success", "error", "warning", "info"}


def unmarked_in_module(source: str) -> Iterator[tuple[int, str]]:
    """Lines of a module that give plain words to people: refusals, labels, what is said after an action, notices, choices, dates by name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""
            said: list[ast.expr] = [keyword.value for keyword in node.keywords if keyword.arg in KEYWORDS]
            said += node.args[:1] if name in REFUSALS else []
            said += node.args[2:3] if name == "done" else []
            said += (
                node.args[1:2]
                if name in MESSAGES and isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "messages"
                else []
            )
            said += node.args if name == "Words" else []
            yield from ((words.lineno, ast.unparse(words)) for words in said if _is_plain(words))
        elif isinstance(node, ast.JoinedStr) and _is_english(node):
            yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.ClassDef) and any("Choices" in ast.unparse(base) for base in node.bases):
            for line in node.body:
                if isinstance(line, ast.Assign) and isinstance(line.value, ast.Tuple) and any(_is_plain(part) for part in line.value.elts[1:]):
                    yield line.lineno, ast.unparse(line.value)


MARKS = {"_", "gettext", "ngettext", "pgettext", "npgettext", "gettext_lazy", "pgettext_lazy", "say", "say_many"}
SENTENCE = re.compile(r"[A-Z“{].*\w [a-z].*[.?]", re.S)


def unmarked_sentences(source: str) -> Iterator[tuple[int, str]]:
    """Whole sentences inside the functions of a module, to whatever they are handed."""
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef):
            for statement in function.body[ast.get_docstring(function) is not None :]:
                yield from _sentences(statement)


def _sentences(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.FunctionDef) or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKS):
        return
    if isinstance(node, ast.JoinedStr):
        text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    else:
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        for inner in ast.iter_child_nodes(node):
            yield from _sentences(inner)
    if SENTENCE.fullmatch(text):
        yield node.lineno, ast.unparse(node)  # type: ignore[attr-defined]


def _is_english(node: ast.JoinedStr) -> bool:
    """Whether it names a day or a month, or quotes somebody."""
    return any(
        "“" in str(part.value)
        if isinstance(part, ast.Constant)
        else isinstance(part, ast.FormattedValue) and part.format_spec is not None and bool(ENGLISH_DATE.search(ast.unparse(part.format_spec)))
        for part in node.values
    )


def _is_plain(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and is_sentence(node.value)
    if isinstance(node, ast.IfExp):
        return _is_plain(node.body) or _is_plain(node.orelse)
    if isinstance(node, ast.BoolOp):
        return any(_is_plain(value) for value in node.values)
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add) and (_is_plain(node.left) or _is_plain(node.right))
    return isinstance(node, ast.JoinedStr) and any(isinstance(part, ast.Constant) and has_words(str(part.value)) for part in node.values)
