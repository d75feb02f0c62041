"""Closed classes of English words, all that the homograph tagger knows of grammar."""

from __future__ import annotations

DETERMINERS = frozenset(
    "a an the this these those my your his her its our their no any some every each another either neither such "
    "what whose all both "
    "several few many much more most other certain own same first last next new old".split()
)
PREPOSITIONS = frozenset(
    "of in on for with by from at into upon under over through between without within against during about as than "
    "like near behind beyond toward towards across per via among amongst off after before since until despite "
    "along around above below beneath "
    "outside inside onto throughout besides except".split()
)
MODALS = frozenset(
    "will would shall should can could may might must do does did don't doesn't didn't won't wouldn't can't cannot "
    "couldn't shouldn't mustn't mightn't let let's i'll you'll he'll she'll it'll we'll they'll who'll i'd he'd "
    "she'd we'd they'd you'd please help "
    "helped".split()
)
SUBJECTS = frozenset("i you we they he she it".split())
BE = frozenset(
    "is are was were be been being am isn't aren't wasn't weren't i'm you're we're they're he's she's it's that's "
    "there's seems "
    "seemed remained became become remains feel felt looked".split()
)
HAVE = frozenset("have has had having i've you've we've they've hasn't haven't hadn't having".split())
CONJUNCTIONS = frozenset("and or but nor".split())
OBJECTS = frozenset(
    "the a an this these those him them me us it my your his her its our their myself himself herself itself "
    "ourselves themselves "
    "yourself everything anything something nothing everyone someone any all each every some one both no".split()
)
NUMBERS = frozenset(
    "two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty sixty seventy "
    "eighty ninety hundred "
    "thousand million billion dozen".split()
)
# After these "to" is a preposition: "due to use", "access to records".
BEFORE_NOUN_TO = frozenset(
    "access due according prior back regard respect reference addition contrary opposed subject relation attention "
    "exposure next "
    "returned return right answer key similar equal close attached added introduction led leads".split()
)
ADVERBS = frozenset(
    "not never also always often usually still just then now only even ever already soon rather quite very so too "
    "well seldom "
    "sometimes again almost perhaps thus therefore long far nearly quickly".split()
)
_NO_ADVERBS = frozenset(
    "only family early daily july supply reply apply ally rally fly italy assembly sally lily emily billy".split()
) - {"only"}
_NO_PLURALS = frozenset("this his its as us is was has does yes thus plus perhaps always james charles".split())


def is_adverb(word: str) -> bool:
    """Whether a lower-case word is an adverb, as far as its form tells."""
    return word in ADVERBS or word.endswith("ly") and len(word) > 4 and word not in _NO_ADVERBS


def is_plural(word: str) -> bool:
    """Whether a lower-case word looks like a plural noun."""
    if word.endswith("s"):
        return len(word) > 3 and not word.endswith(("ss", "us", "is", "'s")) and word not in _NO_PLURALS
    return word in ("people", "men", "women", "children", "police")
