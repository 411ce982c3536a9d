"""Whatever the site says to people can be said in another language, and German says all of it (docs/languages.md)."""

from __future__ import annotations

import gettext
import re
from collections import Counter
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from django.conf import settings
from fontTools.ttLib import TTFont

from scripts import messages

from .test_source import HOME, sources
from .wording import unmarked_in_module, unmarked_in_template, unmarked_sentences

TEMPLATES = HOME / "templates"
# English for good: the console, and the reference of the API. Help is written as a whole for each language.
CONSOLE = re.compile(r"^(support|admin|api)/|/admin/|^pages/help/")
ENGLISH = re.compile(
    r"^(support|auditlog|port444/(demo|api|settings|urls)\b)|/(management|api|schemas|tests)(/|\.py)|/admin(/|\.py)|/kit/(rest|console)\.py$"
    # What staff do with the chain and with batches of bank transfers, and the states of the books.
    r"|^port444/payments/(actions/(batches|chain)|models/(books|escrow)|escrow/chain/contract)\.py$"
    # Words that mean the same, which staff keep.
    r"|^port444/catalog/actions/words\.py$"
    # What only programs are told.
    r"|^(port444/accounts/callers|consultations/views/hooks)\.py$"
    # What commands say that take data away, and which words of the tables name a person.
    r"|^port444/exports/(actions/taking|places|erasing)\.py$"
)
VIEWS = re.compile(r"/views(/|\.py)")


def site_templates() -> dict[str, Path]:
    names = {str(path.relative_to(TEMPLATES)): path for path in sorted(TEMPLATES.rglob("*.*")) if path.suffix in (".html", ".txt")}
    return {name: path for name, path in names.items() if not CONSOLE.search(name)}


def unmarked(path: Path) -> list[str]:
    source = path.read_text()
    return [
        f"{path.relative_to(HOME)}:{source.count(chr(10), 0, found.start) + 1}: {' '.join(found.text.split())}"
        for found in unmarked_in_template(source, plain=path.suffix == ".txt")
    ]


def site_modules() -> dict[str, Path]:
    return {name: path for path in sources() if not ENGLISH.search(name := str(path.relative_to(HOME)))}


def test_templates_say_nothing_that_is_not_marked() -> None:
    assert [line for path in site_templates().values() for line in unmarked(path)] == []


def test_modules_say_nothing_that_is_not_marked() -> None:
    found = []
    for name, path in site_modules().items():
        source = path.read_text()
        said = [*unmarked_in_module(source), *(unmarked_sentences(source) if VIEWS.search(name) else ())]
        found += [f"{name}:{line}: {words}" for line, words in said]
    assert found == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("<p>Hello there</p>", ["Hello there"]),
        ("<p>{% translate 'Hello there' %} {{ name }}, 15 min, USDC &nbsp; 3 h</p>", []),
        ("{% blocktranslate %}Hello {{ name }}{% endblocktranslate %}{# Hello #}{% comment %}Hello{% endcomment %}", []),
        ('<a href="/x/" class="btn big" aria-label="Close it">{% icon "x" %}</a>', ["Close it"]),
        ('<a{% if here %} title="Close"{% endif %} data-mark="abc">x > y</a>', ["Close", "x > y"]),
        ('<input type="submit" value="Send"><input type="hidden" value="Send">', ["Send"]),
        ('<meta name="description" content="A site"><meta name="viewport" content="width=device-width">', ["A site"]),
        ('{% include "ui/_empty.html" with title="No order" icon_name="anchor" text=_("None") only %}', ["No order"]),
        ('{% include "ui/_ticket.html" with kind="Due now" only %}{% include "ui/_tag.html" with kind="ok" only %}', ["Due now"]),
        ('{{ title|default:"Open it" }}{{ at|date:"D j M" }}{{ css|default:"wide" }}', ['"Open it"']),
        ("{{ count }} order{{ count|pluralize }}", ["order", ""]),
        ("{% block main_class %}page{% if bar %} has-bar{% endif %}{% endblock %}<p>Hello</p>", ["Hello"]),
        ("<script>let word = 1</script><p>x</p>", ["x"]),
        ("<p>“{{ note }}”</p>", ["“", "”"]),
    ],
)
def test_unmarked_words_are_seen(source: str, said: list[str]) -> None:
    assert [found.text if found.kind != "filter" else source[found.start : found.end] for found in unmarked_in_template(source)] == said


FUNCTION = """
def view(request, name):
    'A page of the site.'
    said = _("It is done.") if name else "name of a thing"
    said = "It is not done."
    return answer(request, lambda pk: act(pk), f"{name} is told.")
"""


def test_unmarked_words_of_modules_are_seen() -> None:
    source = """
raise Invalid("Too late.")
raise Invalid(_("Too late."))
name = forms.CharField(label="Name", help_text=f"Like {x}.")
done(request, url, "Saved.")
done(request, url, _("Saved."))
notify(user, "kind", title=f"{name} paid", body=_("Well."))
class Theme(models.TextChoices):
    LIGHT = "light", "Light"
    DARK = "dark", _("Dark")
words = f"{at:%a} {at.day}, {at:%H:%M}"
words = f" “{note}”"
"""
    assert sorted(line for line, _ in unmarked_sentences(FUNCTION)) == [5, 6]
    assert sorted(line for line, _ in unmarked_in_module(source)) == [2, 4, 4, 5, 7, 9, 11, 12]


# The catalogues

PLACES = re.compile(r"%\(\w+\)[sd]|\{\w*\}")
TAGS = re.compile(r"</?\w+")


@pytest.fixture(scope="module")
def marked() -> set[messages.Key]:
    return {(words[0] if isinstance(words, tuple) else words, context) for words, context in messages.marked()}


def key(message: Message) -> messages.Key:
    return (message.id[0] if isinstance(message.id, tuple | list) else message.id, message.context)


@pytest.mark.parametrize("language", messages.LANGUAGES)
def test_a_catalogue_says_everything_and_nothing_else(language: str, marked: set[messages.Key]) -> None:
    """`./run messages` makes it so; what it then names is left to be translated."""
    catalog = messages.read(messages.catalogue(language))
    assert {key(message) for message in messages.sentences(catalog)} == marked
    assert [message.id for message in messages.untranslated(catalog)] == []
    assert not catalog.obsolete


@pytest.mark.parametrize("language", messages.LANGUAGES)
def test_a_translation_has_the_places_and_the_tags_of_the_words(language: str) -> None:
    assert [message.id for message in messages.sentences(messages.read(messages.catalogue(language))) if not fits(message)] == []


def fits(message: Message) -> bool:
    """A singular may leave its number out; all else that is filled in is in every form."""
    said = message.id if isinstance(message.id, tuple | list) else (message.id,)
    every, some = (set.intersection, set.union)
    places = [set(PLACES.findall(text)) for text in said]
    tags = Counter(TAGS.findall(said[-1]))
    for form in messages.parts(message):
        found = set(PLACES.findall(form))
        if not every(*places) <= found <= some(*places) or Counter(TAGS.findall(form)) != tags:
            return False
        if places[0] and "%" in re.sub(r"%\(\w+\)[sd]|%%", "", form):
            return False  # a lone sign would break the filling in
    return True


@pytest.mark.parametrize(
    ("words", "translated", "fit"),
    [
        ("Hello %(name)s", "Hallo %(name)s", True),
        ("Hello %(name)s", "Hallo %(nam)s", False),
        ("Hello %(name)s", "Hallo", False),
        ("Hello <b>%(name)s</b>", "Hallo %(name)s", False),
        ("%(part)s%% of it", "%(part)s % davon", False),
        (("One day", "%(n)s days"), ("Ein Tag", "%(n)s Tage"), True),
        (("One day", "%(n)s days"), ("Ein Tag", "%(m)s Tage"), False),
    ],
)
def test_a_bad_translation_is_seen(words: str | tuple[str, str], translated: str | tuple[str, str], fit: bool) -> None:
    assert fits(Message(words, translated)) is fit


@pytest.mark.parametrize("language", messages.LANGUAGES)
def test_what_is_loaded_is_what_is_written(language: str, tmp_path: Path) -> None:
    path = messages.catalogue(language)
    messages.compile_to(messages.read(path), tmp_path / "django.mo")
    assert loaded(path.with_suffix(".mo")) == loaded(tmp_path / "django.mo")


def loaded(path: Path) -> dict[object, str]:
    with path.open("rb") as file:
        words: dict[object, str] = vars(gettext.GNUTranslations(file))["_catalog"]
    return {said: translated for said, translated in words.items() if said}


@pytest.mark.parametrize("face", ["instrument-sans", "bricolage"])
def test_the_faces_have_every_letter_of_every_language(face: str) -> None:
    """A letter that a face lacks is drawn in another one, in the middle of a word."""
    said = {
        sign
        for language in messages.LANGUAGES
        for message in messages.read(messages.catalogue(language))
        for sign in "".join(messages.parts(message))
    }
    with TTFont(HOME / f"static/fonts/{face}.woff2") as font:
        assert said - {chr(code) for code in font.getBestCmap()} - {"\n"} == set()


def test_every_language_of_the_site_has_a_catalogue() -> None:
    assert {code for code, _ in settings.LANGUAGES} == {settings.LANGUAGE_CODE, *messages.LANGUAGES}


def test_merging_keeps_the_first_of_two_translations(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = Catalog("de"), Catalog("de")
    first.add("Saved.", "Gespeichert.")
    second.add("Saved.", "Gesichert.")
    second.add("Gone", "Fort")
    old = Catalog("de")
    old.add("Saved.", "Alt.")
    old.add("Never said", "Nie")
    new = messages.update("de", [("Saved.", None), ("Gone", None), ("New", None)], old, messages.merged([first, second]))
    assert {message.id: message.string or "" for message in messages.sentences(new)} == {"Saved.": "Gespeichert.", "Gone": "Fort", "New": ""}
    assert "said differently" in capsys.readouterr().out + capsys.readouterr().err
    assert [message.id for message in messages.untranslated(new)] == ["New"]
