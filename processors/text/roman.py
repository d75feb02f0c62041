"""Roman numerals: ordinals after names of rulers, cardinals after "Chapter" and its like."""

from __future__ import annotations

import re

from processors.text.number_words import cardinal, ordinal, roman_value

# Words after which a numeral counts: "Chapter IV" -> "Chapter four".
_COUNTED = frozenset(
    "chapter part volume book act scene section article type class phase war bowl title appendix canto psalm "
    "figure table plate exhibit level stage grade division corps group model mark apollo vatican rocky unit lesson "
    "page number "
    "amendment episode fantasy saturn season symphony round "
    "olympiad factor region category column schedule clause".split()
)
# ... but a single letter after these is a letter: "Exhibit C", "number V".
_LETTERED = frozenset(
    "exhibit figure table plate appendix type class grade group model page number unit column schedule category".split()
)
# Names after which a numeral, even of one letter, is an ordinal: "Charles I" -> "Charles the first".
RULERS = frozenset(
    "charles james george henry william edward richard john elizabeth mary anne victoria louis francis philip peter "
    "catherine alexander nicholas paul ivan frederick ferdinand leopold joseph napoleon pius leo gregory clement "
    "innocent benedict urban boniface julius darius cyrus xerxes artaxerxes ramses rameses ptolemy sargon "
    "nebuchadnezzar cambyses otto conrad rudolf rudolph maximilian wilhelm gustav gustavus christian haakon harald "
    "olaf robert david stephen alfonso alphonso isabella felipe juan carlos pedro manuel umberto victor emmanuel "
    "constantine theodosius justinian valentinian mehmed selim suleiman murad antiochus seleucus philippe albert "
    "baudouin margaret matilda sigismund "
    "wenceslas casimir ladislaus shalmaneser esarhaddon amenhotep thutmose seti pope king queen emperor tsar".split()
)
_PLURALS = re.compile(
    r"\b((?:[Ww]ars|[Cc]hapters|[Pp]arts|[Vv]olumes|[Bb]ooks|[Aa]cts|[Aa]rticles|[Tt]ypes|[Pp]hases|[Ss]ections|"
    r"[Ll]evels|[Ss]tages|[Cc]lasses|[Tt]itles|[Aa]ppendices) )"
    r"([IVX]{1,6}(?:(?:, (?:and |or )?| and | or | to | ?[-–] ?)[IVX]{1,6}\b){1,9})(?![\w'.]\w)"
)
# Small letters only behind what is counted: "part iii", "Act I, Scene ii".
_SMALL = re.compile(
    r"\b([Cc]hapter|[Pp]art|[Ss]cene|[Bb]ook|[Pp]ages?|[Ss]ection|[Vv]olume|(?:Chapter|Part|Scene|Book|Section|Volume|"
    r"Act|Canto)(?= [iv]\b)) ([ivx]{2,6}|[iv])\b(?!['.]\w)"
)
_GREAT_WAR = re.compile(r"\bWW ?(II|I|[12])\b")
# "IV" is also what drips.
_DRIP = re.compile(r" (?:drip|fluids?|line|bag|antibiotics?|therapy|needle|pole|access|injections?|infusion)\b")
# Capitals at the start of a sentence that are no names.
_NOT_NAMES = frozenset("the a an in of and or to see".split())
_NUMERAL = re.compile(
    r"(?:\b([A-Za-z][A-Za-z'-]{0,40})( ))?(?<![\w'.&-])([IVXLCDM]+)\b(?!'(?!s\b)|&|-(?![a-z]))(\.?)(?=( ?)(\S?))"
)
# A letter behind these and a name is no numeral but the initial of a surname, or "I" the pronoun: kings are no misters.
# "His cousin Charles I" and "her friend Peter I" are kings as often, and so is whoever is "of Spain".
_NO_RULER = re.compile(
    r"\b(?:Mister|Missus|Miz|Miss|Doctor|Professor|Uncle|Aunt|(?:^|(?<=[.!?\"] ))[Cc]ousin|"
    r"(?:[Mm]y|[Oo]ur) (?:[a-z]{1,12} )?(?:cousin|uncle|aunt|nephew|niece|friend|colleague|neighbou?r|classmate|"
    r"roommate|coworker|boss|boyfriend|girlfriend)) $"
)
_OF_REALM = re.compile(r" of (?:the )?[A-Z]")
# "I" after a name is the pronoun unless one of these follows: "what George I saw", "James I was".
_AFTER_RULER = re.compile(
    r" (?:was|is|had|of|in|and|to|by|who|from|as|on|at|for|died|became|reigned|came|granted|did)\b"
)
# "I" after what is counted is the pronoun before these: "Type I like best", "every round I lose".
_VERBS = "am|have|do|don't|like|love|prefer|want|think|hate|bought|liked|loved|wanted"
_PRONOUN_VERB = re.compile(rf" (?:{_VERBS})\b")
# A title is written large, so that behind "part" and "book" more verbs speak for the pronoun: "the book I read".
_SMALL_VERB = re.compile(
    rf" (?:{_VERBS}|know|need|wrote|read|made|met|lose|lost|win|believe|feel|felt|saw|see|can|can't|could|play|played|"
    r"got|get|hope|wish|brought|would|said)\b"
)
# ... and before these, where something points at what is counted: "this season I will win".
_POINTED_VERB = re.compile(r" (?:will|won't|had|was|did|didn't|shall|should|may|might|must|never|always|just)\b")
_POINTS = re.compile(r"\b(?:this|that|each|every|any|the|a|what|which|last|next|first|second|final|new) $", re.I)

_ORDINAL_AFTER = re.compile(r" (?:century|centuries|dynasty)\b", re.I)
# "item (iii)"; "(v)" and "(x)" are letters as often.
_ITEM = re.compile(r"\((i{1,3}|iv|vi{1,3}|ix)\)")


def _is_pronoun(word: str, match: re.Match[str]) -> bool:
    """Whether the "I" after the counted `word` is who speaks."""
    if match[4] or not match[6].islower():
        return False
    if word[0].isupper():
        return word.lower() != "war" and _PRONOUN_VERB.match(match.string, match.end()) is not None
    if _SMALL_VERB.match(match.string, match.end()):
        return True
    pointed = _POINTS.search(match.string, max(0, match.start() - 8), match.start())
    return pointed is not None and _POINTED_VERB.match(match.string, match.end()) is not None


def _replace(match: re.Match[str]) -> str:
    word, gap, numeral, stop, space, following = match.groups()
    value = roman_value(numeral)
    if not value:
        return match[0]
    head = word + gap if word else ""
    name = (word or "").lower()
    if following == "-" and not space and name not in RULERS:
        return match[0]
    # The stop of "Charles I. in" belongs to the numeral, unless a sentence ends there.
    if following and (following.islower() or following in ",;:" or not space):
        stop_left = ""
    else:
        stop_left = stop
    first = numeral == "I" and name in ("type", "class", "grade") and word[0].isupper()
    if name in _COUNTED and (len(numeral) > 1 or numeral in "IVX" and name not in _LETTERED or first):
        return match[0] if numeral == "I" and _is_pronoun(word, match) else head + cardinal(str(value)) + stop_left
    if not set(numeral) <= set("IVX"):
        return match[0]
    if numeral == "IV" and (name == "an" or _DRIP.match(match.string, match.end())):
        return f"{head}I V{stop_left}"
    capitalised = bool(word) and word[0].isupper() and not (word.isupper() and len(word) > 1)
    if capitalised and name in RULERS:
        private = len(numeral) == 1 and _NO_RULER.search(match.string, max(0, match.start() - 40), match.start())
        if private and not _OF_REALM.match(match.string, match.end()):
            return f"{head}{numeral}{stop_left}"
        pronoun = (
            numeral == "I" and not stop and following.isalpha() and not _AFTER_RULER.match(match.string, match.end())
        )
        return match[0] if pronoun else f"{head}the {ordinal(str(value))}{stop_left}"
    if len(numeral) == 1:
        return match[0]
    if name == "the" or _ORDINAL_AFTER.match(match.string, match.end()):
        return f"{head}{ordinal(str(value))}{stop_left}"
    if capitalised and name not in _NOT_NAMES:
        return f"{head}the {ordinal(str(value))}{stop_left}"
    return head + cardinal(str(value)) + stop_left


def _counted(numeral: re.Match[str] | str) -> str:
    written = numeral if isinstance(numeral, str) else numeral[0]
    value = roman_value(written)
    return cardinal(str(value)) if value else written


def expand_roman(text: str) -> str:
    """ "Henry VIII" -> "Henry the eighth"; "Chapter IV" -> "Chapter four"; a lone "I", "V" or "X" stays."""
    if "(" in text:
        text = _ITEM.sub(lambda m: f"({cardinal(str(roman_value(m[1].upper())))})", text)
    text = _GREAT_WAR.sub(lambda m: f"World War {'one' if m[1] in ('1', 'I') else 'two'}", text)
    text = _PLURALS.sub(lambda m: m[1] + re.sub("[IVX]+", _counted, re.sub(" ?[-–] ?", " to ", m[2])), text)
    text = _SMALL.sub(lambda m: f"{m[1]} {_counted(m[2].upper())}", text)
    return _NUMERAL.sub(_replace, text)
