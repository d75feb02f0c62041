"""Whether a mark such as `.` ends an English sentence: abbreviations, initials, numbering, quotes."""

from __future__ import annotations

import re

# A name, a number or a word follows: these never end a sentence.
_TITLES = frozenset(
    "mr mrs ms mx dr prof rev fr br sr. gen maj col lt cmdr cdr adm capt cpt sgt cpl pvt sen rep gov pres hon messrs "
    "mme mlle mgr msgr supt insp det st mt ft".split()
)
_NEVER = frozenset("e.g i.e eg ie cf vs v viz approx ca incl excl esp resp".split())
# Followed by a number they are abbreviations, otherwise ordinary words or ends.
_BEFORE_NUMBER = frozenset(
    "no nos p pp vol vols fig figs ch chap sec sect art eq eqs par para pt bk ver rev ed op opp cap nr tab "
    "jan feb mar apr jun jul aug sep sept oct nov dec".split()
)
# They end a sentence where the next word looks like the start of one.
_MAY_END = frozenset(
    "etc inc ltd co corp bros jr sr esq dept misc assn assoc univ ave blvd rd hwy apt bldg ph.d m.d b.a m.a b.sc m.sc "
    "a.m p.m pm b.c a.d b.c.e c.e u.s u.k u.n u.s.a u.s.s.r d.c e.u l.a n.y n.j al ibid".split()
)
# So do these, which are ordinary words unless a capital starts them ...
_MAY_END_CAPITAL = frozenset(
    "sun mon tue tues wed thu thur thurs fri sat jan feb mar apr jun jul aug sep sept oct nov dec calif mass penn conn "
    "ariz tex fla ill mich minn wis va sq tel ext".split()
)
# ... or a number stands before them.
_UNITS = frozenset("lb lbs oz ft in hr hrs min mins sec secs yr yrs mi km kg cm mm am".split())
# Words that are capital only because a sentence starts with them.
_STARTERS = frozenset(
    "the a an this that these those there here it its he she we they you his her our their my your who what when where "
    "why how which if in on at by for from with without to as of and but or nor so yet then thus hence however "
    "although though because since while after before until once now no not yes all some many most each every both "
    "one another other such only even still also again perhaps maybe let please do does did is are was were can could "
    "will would shall should may might must have has had being having under over into upon during between among "
    "according nevertheless meanwhile moreover therefore instead finally later soon today tomorrow yesterday".split()
)
_LAST_WORD = re.compile(r"(?<![^\s(\[{\"“‘«—–])[^\s(\[{\"“‘«—–]+$")
_FIRST_WORD = re.compile(r"[^\W\d_]+")
_ITEM_NUMBER = re.compile(r"\(?(?:\d{1,3}|[A-Za-z]|[ivx]{1,5}|[IVX]{1,5})$")


def ends_sentence(before: str, mark: str, following: str, closed: bool) -> bool:
    """Whether `mark` (`.`, `?!`, `...`) ends the sentence that starts with `before`.

    `before` runs from the start of the sentence up to the mark, `following` is what comes after the white space, its
    opening quotes and brackets removed; `closed` says that a quotation or bracket closes right after the mark.
    """
    if not following:
        return True
    first = _FIRST_WORD.match(following)
    word = first.group() if first else ""
    lower = word[:1].islower()
    if not before.strip():
        return False  # an ellipsis or a stray mark at the start belongs to what follows
    if closed and lower:
        return False  # "Stop!" he said
    if "!" in mark or "?" in mark:
        return not (lower and re.search(r"\bYahoo$", before))
    if "…" in mark or len(mark) > 1:
        return not lower and word not in ("I",)
    return _full_stop_ends(before, word, following)


def _full_stop_ends(before: str, word: str, following: str) -> bool:
    match = _LAST_WORD.search(before)
    last = match.group().rstrip("'’\"”)]") if match else ""
    key = last.lower()
    lower, starter = word[:1].islower(), word.lower() in _STARTERS
    if _ITEM_NUMBER.fullmatch(before.lstrip("-*• ")):
        return False  # "1. First"
    if key in _NEVER or (key in _TITLES and last[:1].isupper()):
        return False
    if key in _BEFORE_NUMBER and following[0].isdigit():
        return False
    if len(last) == 1 and last.isalpha():  # initials: "J. Smith", but "plan B. Then"
        return starter and not lower
    if re.fullmatch(r"(?:[A-Za-z]\.)+[A-Za-z]{1,2}", last) or key in _MAY_END or _may_end(last, before):
        return not lower and (starter or key == "etc" or word == "I" or _is_title(word, following))
    if not lower:
        return True
    # Text without capitals: a plain word ends a sentence, what may be an unknown abbreviation does not.
    return len(key) >= 3 and key.isalpha() and re.search(r"[aeiouy]", key) is not None


def _may_end(last: str, before: str) -> bool:
    if last.lower() in _MAY_END_CAPITAL:
        return last[:1].isupper()
    return last.lower() in _UNITS and re.search(r"\d\s*$", before[: len(before) - len(last)]) is not None


def _is_title(word: str, following: str) -> bool:
    return word.lower() in _TITLES and following[len(word) : len(word) + 1] == "."
