"""Homographs that follow rules of their own: read, live, lead, used to, close, tear, wind, bow ..."""

from __future__ import annotations

from processors.text.word_classes import (
    BE, BEFORE_NOUN_TO, CONJUNCTIONS, DETERMINERS, HAVE, MODALS, OBJECTS, PREPOSITIONS, SUBJECTS, is_adverb, is_plural,
)  # fmt: skip

_PAST_WORDS = frozenset(
    "was were had did said went came took saw made gave found left told thought knew began stood sat wrote yesterday ago then got "
    "brought kept felt heard held ran spoke once last when lay".split()
)
_METAL_AFTER = frozenset(
    "pipe pipes pencil pencils bullet bullets paint poisoning alloy alloys core glass fragments fragment ore ores mine mines weight "
    "weights foil acetate oxide roof sheet sheets shot ball balls coffin coffins lined free content fillings tank tanks smelter "
    "battery batteries residue residues particles crystal crystals".split()
)
_METAL_BEFORE = frozenset("molten melted white red black sheet liquid metallic".split())
_LIVE_AFTER = frozenset(
    "music show shows broadcast broadcasts television tv coverage concert concerts audience audiences performance performances "
    "recording recordings wire wires ammunition rounds round animal animals birds bait coals video stream streams chat events event "
    "stock cattle oak bullet bullets cartridge cartridges band entertainment feed album from".split()
)
_LIVE_BEFORE = frozenset("broadcast perform performed performing streamed streaming aired recorded filmed televised reporting".split())
_BOW_WEAPON = frozenset("tie ties arrow arrows string strings window windows legged violin cross long rain hair ribbon street cockade cockades colors quiver".split())
_FISH = frozenset("fish fishing fishery sea largemouth smallmouth striped trout caught catch pond lake fried grilled rod".split())
_MINUTE_THINGS = frozenset(
    "detail details particle particles amount amounts quantity quantities trace traces examination inspection fragments fragment "
    "portion portions creatures organisms differences difference investigation inquiry description size cells holes hole doses "
    "degree dose account search crystals grains bubbles observation".split()
)
_GET = frozenset("get got gets getting become became grown grew".split())
_LIVES_AFTER = frozenset("in at on near with there here alone by under for together up next".split())
_TEAR_VERB_AFTER = frozenset("up down apart off out into through at away open loose".split())
_WIND_VERB_AFTER = frozenset("up down around through back".split())
_VERBS_OF_WEEPING = frozenset("shed wiped wipe dropped single burst brought".split())


def _has_past(words: list[str]) -> bool:
    return any(w in _PAST_WORDS or w.endswith("ed") and len(w) > 4 for w in words)


def _read(words: list[str], index: int, before: list[str], after: list[str]) -> str:
    trimmed = [w for w in before if not is_adverb(w)]
    nearest = trimmed[-1] if trimmed else ""
    if nearest == "to":
        return "P" if len(trimmed) > 1 and trimmed[-2] in BEFORE_NOUN_TO else "V"
    if nearest in HAVE or nearest in BE or nearest in ("he", "she", "it", "which", "having"):
        return "P"
    if nearest in MODALS or not nearest:
        return "V"
    # Not inflected after a singular noun: past.
    context = words[max(0, index - 14) : index] + words[index + 1 : index + 10]
    if nearest in SUBJECTS or nearest == "who" or nearest in CONJUNCTIONS or is_plural(nearest):
        if nearest in CONJUNCTIONS and any(w in MODALS or w == "to" for w in before[-4:-1]):
            return "V"
        return "P" if _has_past(context) else "V"
    if nearest in DETERMINERS or nearest in ("good", "great", "quick", "easy", "must"):
        return "V"
    return "P"


def _used(words: list[str], index: int, before: list[str], after: list[str]) -> str:
    if not after or after[0] != "to":
        return "P"
    following = after[1] if len(after) > 1 else ""
    nearest = next((w for w in reversed(before) if not is_adverb(w)), "")
    if nearest in BE:
        # "was used to make" against "was used to it", "used to working".
        thing = following in OBJECTS or following.endswith("ing") or following in ("such", "being", "having")
        return "H" if thing else "P"
    if nearest in _GET or nearest in SUBJECTS or nearest in ("who", "there", "that", "didn't", "did", "never", "") or is_plural(nearest):
        return "H"
    if nearest in HAVE:
        return "P"
    # "what my father used to say" against "the gun used to kill".
    return "H" if following in ("be", "have", "live", "say", "go", "come", "tell", "think", "like", "work", "play", "do") else "P"


def _live(words: list[str], index: int, before: list[str], after: list[str]) -> str:
    nearest, following = (before[-1] if before else ""), (after[0] if after else "")
    if nearest == "to" and following in _LIVE_AFTER and following != "from":
        return "J"
    if nearest in MODALS or nearest == "to" or nearest in SUBJECTS or nearest == "who":
        return "V"
    if nearest in _LIVE_BEFORE or following in _LIVE_AFTER:
        return "J"
    if nearest in BE or nearest in DETERMINERS and nearest not in ("all", "some", "many", "most", "few", "both", "such", "own"):
        return "J"
    return "V"


def _lives(words: list[str], index: int, before: list[str], after: list[str]) -> str:
    nearest, following = (before[-1] if before else ""), (after[0] if after else "")
    if nearest in DETERMINERS or nearest in PREPOSITIONS or nearest.endswith("'s") or nearest.endswith("s'"):
        return "N"
    if nearest in SUBJECTS or nearest in ("who", "which", "that", "he", "she"):
        return "V"
    if following in _LIVES_AFTER and not is_plural(nearest):
        return "V"
    return "N" if following in BE or following in HAVE or following in MODALS or not following or following == "of" or not nearest else "V"


def _lead(words: list[str], index: int, before: list[str], after: list[str]) -> str:
    nearest, following = (before[-1] if before else ""), (after[0] if after else "")
    around = set(words[max(0, index - 6) : index + 7])
    if following in _METAL_AFTER or nearest in _METAL_BEFORE:
        return "M"
    if nearest in ("of", "like", "with", "as", "and", "in", "from") and not after[:1] == ["the"] and (
        around & {"copper", "zinc", "iron", "tin", "silver", "metal", "antimony", "bullet", "pounds", "tons", "heavy", "pipe", "bullets", "mercury", "brass",
                  "gold", "steel", "roof", "sheets", "melted", "piece", "pieces", "mass", "traces", "ounces"}):  # fmt: skip
        return "M"
    return "V"


def _close(words: list[str], index: int, before: list[str], after: list[str]) -> str:
    nearest, following = (before[-1] if before else ""), (after[0] if after else "")
    if nearest in ("the", "its", "a", "his") and following == "of" or before[-2:] == ["to", "a"] and following not in ("friend", "friends"):
        return "N" if not following or following in ("of", "in", "on", "with", "at", "by", "when", "and") else "J"
    if nearest == "to" and following not in ("to", "by"):
        return "V"
    if nearest in MODALS:
        return "V"
    if following in OBJECTS and nearest not in BE and nearest not in DETERMINERS and nearest not in PREPOSITIONS:
        return "V"
    if nearest in ("they", "we", "you", "i") or is_plural(nearest) and following in ("at", "on", "for", "early", "down", ""):
        return "V" if following not in ("to", "by") else "J"
    return "J"


def _tear(words: list[str], index: int, before: list[str], after: list[str]) -> str:
    nearest, following = (before[-1] if before else ""), (after[0] if after else "")
    if following in ("gas", "duct", "ducts", "drops", "drop", "stained") or nearest in _VERBS_OF_WEEPING:
        return "N"
    if before[-2:] == ["wear", "and"] or following in _TEAR_VERB_AFTER or following in OBJECTS or following == "in":
        return "V"
    if nearest in DETERMINERS or nearest in PREPOSITIONS:
        return "N"
    return "V"


def _tears(words: list[str], index: int, before: list[str], after: list[str]) -> str:
    nearest, following = (before[-1] if before else ""), (after[0] if after else "")
    if nearest in ("he", "she", "it", "which", "who", "that") or following in OBJECTS and nearest not in DETERMINERS:
        return "V"
    return "V" if following in ("apart", "up", "off") and nearest not in DETERMINERS and nearest not in PREPOSITIONS else "N"


def _wind(words: list[str], index: int, before: list[str], after: list[str]) -> str:
    nearest, following = (before[-1] if before else ""), (after[0] if after else "")
    if nearest == "to" or nearest in MODALS or nearest in ("they", "we", "you", "i", "roads", "paths", "streets"):
        return "V"
    if following in _WIND_VERB_AFTER and nearest not in DETERMINERS or not nearest and following in OBJECTS:
        return "V"
    return "N"


def _winds(words: list[str], index: int, before: list[str], after: list[str]) -> str:
    nearest, following = (before[-1] if before else ""), (after[0] if after else "")
    return "V" if nearest in ("which", "that", "it", "he", "she") or following in ("up", "round", "around") else "N"


def _invalid(words: list[str], index: int, before: list[str], after: list[str]) -> str:
    nearest, following = (before[-1] if before else ""), (after[0] if after else "")
    return "N" if nearest in DETERMINERS and (not following or following in BE | HAVE | MODALS | PREPOSITIONS | _PAST_WORDS) else "J"


def _wound(words: list[str], index: int, before: list[str], after: list[str]) -> str:
    nearest, following = (before[-1] if before else ""), (after[0] if after else "")
    if following in ("up", "round", "around", "through", "down", "along", "its", "onto", "past", "their") and nearest not in DETERMINERS:
        return "P"
    if nearest in ("he", "she", "it", "they", "we", "which") and following in OBJECTS:
        return "P"
    return "P" if nearest in ("tightly", "closely") else "N"


def _bow(words: list[str], index: int, before: list[str], after: list[str]) -> str:
    around = set(words[max(0, index - 4) : index + 5])
    return "N" if around & _BOW_WEAPON else "V"


def _bass(words: list[str], index: int, before: list[str], after: list[str]) -> str:
    return "F" if set(words[max(0, index - 6) : index + 7]) & _FISH else "N"


def _minute(words: list[str], index: int, before: list[str], after: list[str]) -> str:
    nearest, following = (before[-1] if before else ""), (after[0] if after else "")
    return "J" if following in _MINUTE_THINGS or nearest in ("very", "so", "too", "most", "extremely", "equally") else "N"


def _dove(words: list[str], index: int, before: list[str], after: list[str]) -> str:
    nearest, following = (before[-1] if before else ""), (after[0] if after else "")
    return "P" if nearest in SUBJECTS or following in ("into", "under", "down", "headfirst", "in") and nearest not in DETERMINERS else "N"


def _content(words: list[str], index: int, before: list[str], after: list[str]) -> str:
    nearest, following = (before[-1] if before else ""), (after[0] if after else "")
    if following in ("with", "to", "themselves", "himself", "myself", "herself") or nearest in BE or is_adverb(nearest) or nearest in MODALS:
        return "J"
    if before[-2:] == ["heart's", "content"] or nearest == "heart's":
        return "J"
    return "N" if nearest else "J"


def _learned(words: list[str], index: int, before: list[str], after: list[str]) -> str:
    nearest, following = (before[-1] if before else ""), (after[0] if after else "")
    if nearest in DETERMINERS and following and following not in PREPOSITIONS | OBJECTS | {"that"} or nearest in ("very", "most"):
        return "J"
    return "J" if following in ("man", "men", "judge", "counsel", "friend", "professor", "gentleman", "society") else "P"


def _aged(words: list[str], index: int, before: list[str], after: list[str]) -> str:
    nearest, following = (before[-1] if before else ""), (after[0] if after else "")
    if nearest in ("the", "an", "his", "her", "my", "their", "our", "your", "these", "those", "poor"):
        return "P" if following in ("wine", "cheese", "beef", "whiskey", "whisky") else "J"
    return "P"


def _blessed(words: list[str], index: int, before: list[str], after: list[str]) -> str:
    nearest, following = (before[-1] if before else ""), (after[0] if after else "")
    if nearest in BE or nearest in HAVE or nearest in SUBJECTS or following in ("with", "by", "him", "them", "her", "us", "me"):
        return "J" if nearest in BE and following in ("are", "is") else "P"
    return "J"


_RULES = {
    "read": _read, "used": _used, "live": _live, "lives": _lives, "lead": _lead, "close": _close, "tear": _tear, "tears": _tears,
    "wind": _wind, "winds": _winds, "wound": _wound, "bow": _bow, "bows": _bow, "invalid": _invalid, "bass": _bass, "minute": _minute, "dove": _dove, "content": _content,
    "learned": _learned, "aged": _aged, "blessed": _blessed, "cursed": _aged, "beloved": _blessed,
}  # fmt: skip


def special_class(word: str, words: list[str], index: int, before: list[str], after: list[str]) -> str | None:
    """Class by the word's own rule, None if it has none.

    :param before: words of the same clause before it, at most 4;  :param after: after it, at most 3.
    """
    rule = _RULES.get(word)
    return rule(words, index, before, after) if rule else None
