"""./run messages: bring the words of the site and their translations up to date (docs/languages.md)."""

import io
import os
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

from scripts.environment import leave, tell

HOME = Path(__file__).resolve().parent.parent
PACKAGES = ("port444", "amendments", "auditlog", "consultations", "support")
LANGUAGES = ("de",)
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "say": None,
    "say_many": (1, 2),
}
HEADER = """\
msgid ""
msgstr ""
"Language: {language}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plurals};\\n"

"""

type Key = tuple[str, str | None]  # the English words (the singular) and the context

USAGE = """\
usage: ./run messages                      find the words of the site, keep what is translated, compile
       ./run messages --merge FILE ...     the same, with the translations in these .po files
       ./run messages --missing FILE       write what nobody has translated into a .po file of its own
"""


def catalogue(language: str) -> Path:
    return HOME / "locale" / language / "LC_MESSAGES" / "django.po"


def main(arguments: list[str]) -> int:
    """Write the catalogues; 1 while something in them is not translated."""
    os.chdir(HOME)
    word, files = (arguments[0], [Path(name) for name in arguments[1:]]) if arguments else ("", [])
    if word not in ("", "--merge", "--missing") or bool(word) != bool(files) or (word == "--missing" and len(files) > 1):
        tell(USAGE)
        return 2
    words = list(marked())
    missing = 0
    for language in LANGUAGES:
        path = catalogue(language)
        old = read(path) if path.exists() else Catalog(language)
        new = update(language, words, old, merged([read(file) for file in files]) if word == "--merge" else Catalog(language))
        open_ones = untranslated(new)
        if word == "--missing":
            write(only(new, open_ones), files[0])
        else:
            write(new, path)
            compile_to(new, path.with_suffix(".mo"))
        missing += len(open_ones)
        tell(f"{language}: {len(new)} words, {len(open_ones)} not translated")
        for message in open_ones[:20]:
            tell(f"  {message.id[0] if isinstance(message.id, tuple) else message.id}")
    return 1 if missing else 0


def marked() -> Iterator[tuple[str | tuple[str, ...], str | None]]:
    """Everything that templates and modules mark: the words, or singular and plural, and their context."""
    for path in sorted((HOME / "templates").rglob("*.*")):
        if path.suffix in (".html", ".txt"):
            # What is left of a template is indented as the template was; in brackets Python does not mind.
            yield from found_in(f"({templatize(path.read_text())})")
    for package in PACKAGES:
        for path in sorted((HOME / package).rglob("*.py")):
            source = path.read_text()
            if "gettext" in source or "kit.sentences" in source:
                yield from found_in(source)


def found_in(source: str) -> Iterator[tuple[str | tuple[str, ...], str | None]]:
    for _, words, _, context in extract("python", io.BytesIO(source.encode()), keywords=KEYWORDS):
        yield words, context


def update(language: str, words: Iterable[tuple[str | tuple[str, ...], str | None]], old: Catalog, better: Catalog) -> Catalog:
    """A catalogue of exactly `words`, translated as in `better`, else as in `old`. What the site does not say any more is gone."""
    new = Catalog(language)
    for text, context in words:
        known = new.get(text, context)
        if known is not None and isinstance(known.id, tuple) and not isinstance(text, tuple):
            continue  # the plural brings its singular along
        new.add(text, context=context)
    for message in sentences(new):
        for source in (better, old):
            given = source.get(message.id, message.context)
            if given is not None and given.string and all(parts(given)) and isinstance(given.id, tuple) == isinstance(message.id, tuple):
                message.string = given.string
                break
    return new


def merged(catalogues: Iterable[Catalog]) -> Catalog:
    """All translations of several files; what two of them say differently is told, and the first has it."""
    all_of_them = Catalog()
    for one in catalogues:
        for message in sentences(one):
            known = all_of_them.get(message.id, message.context)
            if known is None:
                all_of_them.add(message.id, message.string, context=message.context)
            elif known.string != message.string:
                tell(f"said differently, the first stays: {message.id!r}: {known.string!r}, not {message.string!r}")
    return all_of_them


def sentences(catalog: Catalog) -> list[Message]:
    """The messages without the header."""
    return [message for message in catalog if message.id]


def parts(message: Message) -> tuple[str, ...]:
    return tuple(message.string) if isinstance(message.string, tuple | list) else (message.string or "",)


def untranslated(catalog: Catalog) -> list[Message]:
    return [message for message in sentences(catalog) if message.fuzzy or not all(parts(message))]


def only(catalog: Catalog, messages: Iterable[Message]) -> Catalog:
    some = Catalog(catalog.locale)
    for message in messages:
        some.add(message.id, message.string, context=message.context)
    return some


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale="de", abort_invalid=True)


def write(catalog: Catalog, path: Path) -> None:
    """Sorted, one line for each text and none for where it stands, so that a change of a page is a small change here."""
    file = io.BytesIO()
    write_po(file, catalog, width=0, no_location=True, omit_header=True, sort_output=True)
    header = HEADER.format(language=catalog.locale, plurals=catalog.plural_forms.rstrip(";"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header.encode() + file.getvalue())


def compile_to(catalog: Catalog, path: Path) -> None:
    """The same words make the same file, whenever it is made."""
    catalog.creation_date = catalog.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    with path.open("wb") as file:
        write_mo(file, catalog)


if __name__ == "__main__":
    leave(lambda: main(sys.argv[1:]))
