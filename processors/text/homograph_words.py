"""Homographs that follow rules of their own: read, live, lead, used to, close, tear, wind, bow ..."""

from __future__ import annotations

from typing import NamedTuple

from processors.text.word_classes import (
    BE,
    BEFORE_NOUN_TO,
    CONJUNCTIONS,
    DETERMINERS,
    HAVE,
    MODALS,
    NUMBERS,
    OBJECTS,
    PREPOSITIONS,
    SUBJECTS,
    is_adverb,
    is_plural,
)


class Context(NamedTuple):
    """What surrounds a homograph: words of its own clause before it and after it, and wider ones."""

    before: list[str]
    after: list[str]
    around: list[str]

    @property
    def nearest(self) -> str:
        """The word before, "" at the start of a clause."""
        return self.before[-1] if self.before else ""

    @property
    def following(self) -> str:
        """The word after, "" at the end of a clause."""
        return self.after[0] if self.after else ""

    @property
    def determined(self) -> bool:
        """Whether an article, a possessive or the like stands before."""
        return self.nearest in DETERMINERS or self.nearest.endswith(("'s", "s'"))


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PAST_WORDS = _words(
    "was were had did said went came took saw made gave found left told thought knew began stood sat wrote "
    "yesterday ago then "
    "got brought kept felt heard held ran spoke once last when lay"
)
_PARTICLES = _words("up down apart off out into through at away open loose")
_METAL_AFTER = _words(
    "pipe pipes pencil pencils bullet bullets paint poisoning alloy alloys core glass fragments fragment ore ores "
    "mine mines "
    "weight weights foil acetate oxide roof sheet sheets shot ball balls coffin coffins lined free content "
    "fillings tank tanks "
    "smelter battery batteries residue residues particles crystal crystals"
)
_METAL_BEFORE = _words("molten melted white red black sheet liquid metallic")
_METAL_NEAR = _words(
    "copper zinc iron tin silver metal antimony bullet pounds tons heavy pipe bullets mercury brass gold steel "
    "roof sheets melted "
    "piece pieces mass traces ounces"
)
_LIVE_AFTER = _words(
    "music show shows broadcast broadcasts television tv coverage concert concerts audience audiences performance "
    "performances "
    "recording recordings wire wires ammunition rounds round animal animals birds bait coals video stream streams "
    "chat events "
    "event stock cattle oak bullet bullets cartridge cartridges band entertainment feed album from"
)
_LIVE_BEFORE = _words(
    "broadcast perform performed performing streamed streaming aired recorded filmed televised reporting"
)
_NO_LIVE_THING = _words("all some many most few both such own")
_BOW_WEAPON = _words(
    "tie ties arrow arrows strings string window windows legged violin cross long rain hair ribbon street cockade "
    "cockades "
    "colors quiver"
)
_FISH = _words("fish fishing fishery sea largemouth smallmouth striped trout caught catch pond lake fried grilled rod")
_MINUTE_THINGS = _words(
    "detail details particle particles amount amounts quantity quantities trace traces examination inspection "
    "fragments fragment "
    "portion portions creatures organisms differences difference investigation inquiry description size cells "
    "holes hole doses "
    "degree dose account search crystals grains bubbles observation"
)
_GET = _words("get got gets getting become became grown grew")
_STATES = _words("be have live say go come tell think like work play do")
_LIVES_AFTER = _words("in at on near with there here alone by under for together up next")
_WEEPING = _words("shed wiped wipe dropped single burst brought")
_AXE_NEAR = _words(
    "wood trees picks saws shovels hatchets hammers spears swords knives battle stone iron armed chopped cut"
)
_LEARNED_PEOPLE = _words("man men judge counsel friend professor gentleman society")


def _read(c: Context) -> str:
    trimmed = [word for word in c.before if not is_adverb(word)]
    nearest = trimmed[-1] if trimmed else ""
    if nearest == "to":
        return "P" if len(trimmed) > 1 and trimmed[-2] in BEFORE_NOUN_TO else "V"
    if nearest in HAVE or nearest in BE or nearest in ("he", "she", "it", "which"):
        return "P"
    if nearest in MODALS or not nearest:
        return "V"
    if nearest in CONJUNCTIONS and any(word in MODALS or word == "to" for word in c.before[-4:-1]):
        return "V"
    if nearest in SUBJECTS or nearest == "who" or nearest in CONJUNCTIONS or is_plural(nearest):
        past = any(word in _PAST_WORDS or word.endswith("ed") and len(word) > 4 for word in c.around)
        return "P" if past else "V"
    if nearest in DETERMINERS or nearest in ("good", "great", "quick", "easy"):
        return "V"
    # Without -s after a singular noun it can only be past.
    return "P"


def _used(c: Context) -> str:
    if c.following != "to":
        return "P"
    goal = c.after[1] if len(c.after) > 1 else ""
    nearest = next((word for word in reversed(c.before) if not is_adverb(word)), "")
    if nearest in BE:
        # "was used to make" against "was used to it", "used to working".
        return "H" if goal in OBJECTS or goal.endswith("ing") or goal == "such" else "P"
    if nearest in _GET or nearest in SUBJECTS or nearest in ("who", "there", "that", "did", "didn't", ""):
        return "H"
    if nearest in HAVE:
        return "P"
    # "what my father used to say" against "the gun used to kill".
    return "H" if is_plural(nearest) or goal in _STATES else "P"


def _live(c: Context) -> str:
    if c.nearest == "to" and c.following in _LIVE_AFTER and c.following != "from":
        return "J"
    if c.nearest in MODALS or c.nearest == "to" or c.nearest in SUBJECTS or c.nearest == "who":
        return "V"
    if c.nearest in _LIVE_BEFORE or c.following in _LIVE_AFTER or c.nearest in BE:
        return "J"
    return "J" if c.determined and c.nearest not in _NO_LIVE_THING else "V"


def _lives(c: Context) -> str:
    if c.determined or c.nearest in PREPOSITIONS:
        return "N"
    if c.nearest in SUBJECTS or c.nearest in ("who", "which", "that"):
        return "V"
    if c.following in _LIVES_AFTER and not is_plural(c.nearest):
        return "V"
    subject = c.following in BE or c.following in HAVE or c.following in MODALS
    return "N" if subject or c.following in ("", "of") or not c.nearest else "V"


def _lead(c: Context) -> str:
    if c.following in _METAL_AFTER or c.nearest in _METAL_BEFORE:
        return "M"
    substance = c.nearest in ("of", "like", "with", "as", "and", "in", "from") and c.following != "the"
    return "M" if substance and _METAL_NEAR.intersection(c.around) else "V"


def _close(c: Context) -> str:
    ends = c.following in ("", "of", "in", "on", "with", "at", "by", "when", "and")
    if c.nearest in ("the", "its", "a", "his") and c.following == "of" or c.before[-2:] == ["to", "a"] and ends:
        return "N"
    if c.following in ("to", "by"):
        return "J"
    if c.nearest == "to" or c.nearest in MODALS or c.nearest in ("they", "we", "you", "i"):
        return "V"
    governed = c.nearest in BE or c.nearest in DETERMINERS or c.nearest in PREPOSITIONS
    if c.following in OBJECTS and not governed:
        return "V"
    return "V" if is_plural(c.nearest) and c.following in ("at", "on", "for", "early", "down", "") else "J"


def _tear(c: Context) -> str:
    if c.following in ("gas", "duct", "ducts", "drops", "drop", "stained") or c.nearest in _WEEPING:
        return "N"
    if c.before[-2:] == ["wear", "and"] or c.following in _PARTICLES or c.following in OBJECTS or c.following == "in":
        return "V"
    return "N" if c.determined or c.nearest in PREPOSITIONS else "V"


def _tears(c: Context) -> str:
    if c.nearest in SUBJECTS or c.nearest in ("which", "who", "that"):
        return "V"
    governed = c.determined or c.nearest in PREPOSITIONS
    return "V" if not governed and (c.following in OBJECTS or c.following in ("apart", "up", "off")) else "N"


def _wind(c: Context) -> str:
    if c.nearest == "to" or c.nearest in MODALS or c.nearest in ("they", "we", "you", "i", "roads", "paths", "streets"):
        return "V"
    if c.following in ("up", "down", "around", "through", "back") and not c.determined:
        return "V"
    return "V" if not c.nearest and c.following in OBJECTS else "N"


def _winds(c: Context) -> str:
    subject = c.nearest in SUBJECTS or c.nearest in ("which", "that")
    return "V" if subject or c.following in ("up", "round", "around") else "N"


def _wound(c: Context) -> str:
    way = c.following in ("up", "round", "around", "through", "down", "along", "its", "onto", "past", "their")
    turned = c.nearest in BE and not {"around", "round"}.isdisjoint(c.after)
    if way and not c.determined or turned or c.nearest in ("tightly", "closely"):
        return "P"
    return "P" if c.following in OBJECTS and (c.nearest in SUBJECTS or c.nearest == "which") else "N"


def _bow(c: Context) -> str:
    return "N" if _BOW_WEAPON.intersection(c.before + c.after) else "V"


def _bass(c: Context) -> str:
    return "F" if _FISH.intersection(c.around) else "N"


def _minute(c: Context) -> str:
    degree = c.nearest in ("very", "so", "too", "most", "extremely", "equally")
    return "J" if degree or c.following in _MINUTE_THINGS else "N"


def _dove(c: Context) -> str:
    down = c.following in ("into", "under", "down", "headfirst", "in") and not c.determined
    return "P" if down or c.nearest in SUBJECTS else "N"


def _content(c: Context) -> str:
    satisfied = c.following in ("with", "to", "themselves", "himself", "myself", "herself")
    if satisfied or c.nearest in BE or c.nearest in MODALS or is_adverb(c.nearest) or c.nearest in ("heart's", ""):
        return "J"
    return "N"


def _learned(c: Context) -> str:
    if c.nearest in BE and c.following in (*CONJUNCTIONS, "") and "it" not in c.before:
        return "J"
    attribute = c.determined and c.following and c.following not in PREPOSITIONS | OBJECTS
    return "J" if attribute or c.nearest in ("very", "most") or c.following in _LEARNED_PEOPLE else "P"


def _aged(c: Context) -> str:
    ripened = c.following in ("wine", "cheese", "beef", "whiskey", "whisky")
    return "J" if not ripened and (c.determined or c.nearest == "poor") else "P"


def _blessed(c: Context) -> str:
    if c.nearest in BE and c.following in ("are", "is"):
        return "J"
    done = c.nearest in BE or c.nearest in HAVE or c.nearest in SUBJECTS
    return "P" if done or c.following in ("with", "by", "him", "them", "her", "us", "me") else "J"


def _does(c: Context) -> str:
    return (
        "N" if c.nearest in NUMBERS or c.nearest in ("several", "many", "few", "both", "the", "these", "those") else "V"
    )


def _axes(c: Context) -> str:
    return "F" if _AXE_NEAR.intersection(c.around) else "N"


def _invalid(c: Context) -> str:
    person = not c.following or c.following in BE | HAVE | MODALS | PREPOSITIONS | _PAST_WORDS
    return "N" if c.determined and person else "J"


_RULES = {
    "aged": _aged,
    "axes": _axes,
    "bass": _bass,
    "beloved": _blessed,
    "blessed": _blessed,
    "bow": _bow,
    "bows": _bow,
    "close": _close,
    "content": _content,
    "cursed": _aged,
    "does": _does,
    "dove": _dove,
    "invalid": _invalid,
    "lead": _lead,
    "learned": _learned,
    "live": _live,
    "lives": _lives,
    "minute": _minute,
    "read": _read,
    "tear": _tear,
    "tears": _tears,
    "used": _used,
    "wind": _wind,
    "winds": _winds,
    "wound": _wound,
}


def special_class(word: str, context: Context) -> str | None:
    """Class by the word's own rule, None if it has none."""
    rule = _RULES.get(word)
    return rule(context) if rule else None
