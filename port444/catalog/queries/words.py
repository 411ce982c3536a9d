"""What the words of a search mean: as they stand, with synonyms, put right where nobody writes them so, and completed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections, transaction

from port444.kit import readonly

TOKEN = re.compile(r'(-?)"([^"]*)"?|(\S+)')
LETTERS = "abcdefghijklmnopqrstuvwxyz"
MOST_WORDS = 8  # that are put right, or of which any is enough
ALIKE = "0.3"  # of a word's trigrams: what is compared letter by letter afterwards
SHORTEST = 3  # letters of a word that is completed or put right
USED = 200  # listings; beyond this a word is as good as any

# Longer rules go first: the parts of "online shop" have rules of their own. A synonym holds where its category does, which every
# listing has among its words.
RULES = """
SELECT asked, widened FROM (
  SELECT id, word_query AS asked, word_query || (phraseto_tsquery('english', means) && LIMITS) AS widened
    FROM catalog_synonym WHERE %1$L::tsquery @> word_query
  UNION ALL
  SELECT id, means_query, means_query || (phraseto_tsquery('english', word) && LIMITS)
    FROM catalog_synonym WHERE %1$L::tsquery @> means_query
) AS rules WHERE numnode(asked) > 0 ORDER BY numnode(asked) DESC, id
""".replace("LIMITS", "(CASE WHEN category_id IS NULL THEN '' ELSE '''=' || category_id || '''' END)::tsquery")
READ = """
WITH said AS MATERIALIZED (SELECT plainto_tsquery('english', %s) AS plain, REST AS rest)
SELECT (plain && rest)::text, (ts_rewrite(plain, format('RULES', plain)) && rest)::text FROM said
""".replace("RULES", RULES.replace("'", "''").replace("%", "%%"))
KNOWN = """
SELECT said.word FROM unnest(%s::text[]) WITH ORDINALITY AS said (word, place)
 CROSS JOIN LATERAL (SELECT plainto_tsquery('english', said.word) AS query) AS meant
 WHERE numnode(query) = 0 OR EXISTS (SELECT FROM catalog_listing WHERE all_words @@ query)
    OR EXISTS (SELECT FROM catalog_synonym WHERE query IN (word_query, means_query))
"""
ALIKES = """
SELECT said.word, alike.word FROM unnest(%s::text[]) AS said (word)
 CROSS JOIN LATERAL (SELECT word FROM catalog_term t WHERE t.word %% said.word ORDER BY similarity(t.word, said.word) DESC, t.word LIMIT 20) AS alike
"""
OF_THESE = "SELECT word FROM catalog_term WHERE word = ANY(%s)"
BEGINNING = "SELECT word FROM catalog_term WHERE word LIKE %s ORDER BY length(word), word LIMIT 20"
COUNTED = """
SELECT said.word, (SELECT count(*) FROM (SELECT FROM catalog_listing WHERE head_words @@ plainto_tsquery('english', said.word) LIMIT %s) AS found)
  FROM unnest(%s::text[]) AS said (word)
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """Words as the database compares them: literally, and with synonyms."""

    literal: str
    wide: str


def tokens(words: str) -> list[tuple[bool, bool, str]]:
    """Of each part whether it is unwanted, whether it is a phrase in quotes, and its text."""
    found = []
    for minus, phrase, word in TOKEN.findall(words):
        if word:
            found.append((word.startswith("-") and len(word) > 1, False, word.removeprefix("-")))
        elif phrase.strip():
            found.append((bool(minus), True, phrase))
    return found


def plain_words(words: str) -> list[str]:
    """The words that stand by themselves. A search that leaves out or quotes says what it means, and is neither put right nor widened."""
    parts = tokens(words)
    if any(unwanted or phrase for unwanted, phrase, _ in parts):
        return []
    return re.findall(r"\w+", words.lower())[:MOST_WORDS]


def read(words: str) -> Reading:
    """One query."""
    parts = tokens(words)
    rest, values = "''::tsquery", []
    for unwanted, phrase, text in parts:
        if unwanted or phrase:
            rest += f" && {'!!' if unwanted else ''}phraseto_tsquery('english', %s)"
            values.append(text)
    plain = " ".join(text for unwanted, phrase, text in parts if not unwanted and not phrase)
    (literal, wide), *_ = _rows(READ.replace("REST", rest), [plain, *values])
    return Reading(literal, wide)


def any_of(words: str) -> Reading | None:
    """For an answer that comes close: all but one of three or more words. None when the words are not to be widened."""
    plain = plain_words(words)
    if len(plain) < 2:
        return None
    fewer = [" ".join(plain[:i] + plain[i + 1 :]) for i in range(len(plain))]
    ((query,),) = _rows(f"SELECT ({' || '.join(["plainto_tsquery('english', %s)"] * len(fewer))})::text", fewer)
    return Reading(query, query)


def put_right(words: str) -> str:
    """The words with those that nobody writes replaced by what was probably meant; empty when nothing better is known."""
    plain = plain_words(words)
    if not plain:
        return ""
    known = {word for (word,) in _rows(KNOWN, [plain])}
    unknown = [word for word in dict.fromkeys(plain) if word not in known and len(word) >= SHORTEST]
    if not unknown:
        return ""
    instead = _likeliest(unknown, _candidates(unknown, last=plain[-1]))
    better = [instead.get(word, word) for word in plain]
    return " ".join(better) if better != plain else ""


def complete(word: str) -> list[str]:
    """Words of listings that begin as `word`, the commonest first."""
    beginning = [found for (found,) in _rows(BEGINNING, [_escaped(word) + "%"])]
    used = dict(_rows(COUNTED, [USED, beginning])) if beginning else {}
    return sorted((one for one in beginning if used[one]), key=lambda one: (-used[one], beginning.index(one)))


def _candidates(unknown: Sequence[str], *, last: str) -> dict[str, dict[str, int]]:
    """For each word what may have been meant, and how many letters apart it is. The last word may be unfinished."""
    found: dict[str, dict[str, int]] = {word: {} for word in unknown}
    with transaction.atomic(using=readonly.alias()):
        _rows("SELECT set_config('pg_trgm.similarity_threshold', %s, true)", [ALIKE])  # for this transaction
        alike = _rows(ALIKES, [list(unknown)])
    for word, other in alike:
        found[word][other] = distance(word, other)
    edited = {word: {*_edits(word), *(half for split in _splits(word) for half in split)} for word in unknown}
    terms = {term for (term,) in _rows(OF_THESE, [sorted(set().union(*edited.values()))])}
    for word in unknown:
        found[word] |= dict.fromkeys(_edits(word) & terms, 1)
        found[word] |= {" ".join(split): 1 for split in _splits(word) if terms.issuperset(split)}
        found[word] = {other: far for other, far in found[word].items() if far <= _forgiven(word)}
    if last in found:
        found[last] = {other: 0 for (other,) in _rows(BEGINNING, [_escaped(last) + "%"])} or found[last]
    return found


def _likeliest(unknown: Sequence[str], candidates: dict[str, dict[str, int]]) -> dict[str, str]:
    """Of what is nearest, what begins alike and is written most."""
    nearest = {}
    for word in unknown:
        if candidates[word]:
            least = min(candidates[word].values())
            nearest[word] = sorted(other for other, far in candidates[word].items() if far == least)
    rivals = sorted({other for others in nearest.values() for other in others})
    used = dict(_rows(COUNTED, [USED, rivals])) if rivals else {}
    best = {}
    for word, others in nearest.items():
        living = [other for other in others if used[other]]
        if living:
            best[word] = max(living, key=lambda other: (other[0] == word[0], used[other], -len(other)))
    return best


def _forgiven(word: str) -> int:
    """How many letters may be wrong."""
    return 1 if len(word) < 5 else 2 if len(word) < 9 else 3


def _edits(word: str) -> set[str]:
    """All that is one slip away: a letter too many, too few, wrong, or two swapped."""
    if len(word) > 30:
        return set()
    halves = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    fewer = {a + b[1:] for a, b in halves if b}
    swapped = {a + b[1] + b[0] + b[2:] for a, b in halves if len(b) > 1}
    other = {a + c + b[1:] for a, b in halves if b for c in LETTERS}
    more = {a + c + b for a, b in halves for c in LETTERS}
    return (fewer | swapped | other | more) - {word}


def _splits(word: str) -> list[tuple[str, str]]:
    """Two words without the space between them."""
    return [(word[:i], word[i:]) for i in range(SHORTEST, len(word) - SHORTEST + 1)]


def distance(a: str, b: str) -> int:
    """How many slips lead from `a` to `b`, two swapped letters being one (optimal string alignment)."""
    before, row = [0] * (len(b) + 1), list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        older, before, row = before, row, [i] + [0] * len(b)
        for j, y in enumerate(b, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                row[j] = min(row[j], older[j - 2] + 1)
    return row[-1]


def _escaped(word: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", word)


def _rows(statement: str, values: Iterable[Any]) -> list[Any]:
    with connections[readonly.alias()].cursor() as cursor:
        cursor.execute(statement, list(values))
        rows: list[Any] = cursor.fetchall()
    return rows
