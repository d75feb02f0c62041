"""Homographs: the class that the context asks for, and what the table itself must hold."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from processors.text.arpabet import PHONES
from processors.text.frontend import TextFrontEnd
from processors.text.homographs import homographs, word_class
from processors.text.lexicon import cmudict_phones
from processors.text.tables import kinds, rows

# One starred word in each sentence, and its class.
SENTENCES = [
    ("I *read* the letter yesterday.", "P"),
    ("He *read* it aloud to the jury.", "P"),
    ("She has *read* every book in the house.", "P"),
    ("The message was *read* by the clerk.", "P"),
    ("You should *read* more slowly.", "V"),
    ("I want to *read* this book.", "V"),
    ("*Read* the instructions first.", "V"),
    ("They *read* the paper every day.", "V"),
    ("Can you *read* music?", "V"),
    ("The sign *read* no smoking.", "P"),
    ("I did not *read* the report.", "V"),
    ("They *live* in Dallas.", "V"),
    ("I *live* alone.", "V"),
    ("He wanted to *live*.", "V"),
    ("It was a *live* broadcast.", "J"),
    ("We listened to *live* music.", "J"),
    ("The match is broadcast *live* from London.", "J"),
    ("People who *live* in glass houses.", "V"),
    ("He *lives* in New York.", "V"),
    ("They risked their *lives*.", "N"),
    ("The *lives* of others matter.", "N"),
    ("She will *lead* the team.", "V"),
    ("Roads *lead* to Rome.", "V"),
    ("The pipe was made of *lead* and copper.", "M"),
    ("He picked up a *lead* pencil.", "M"),
    ("Small *lead* fragments were found in the car.", "M"),
    ("The agent in the *lead* car turned.", "V"),
    ("The *wind* blew from the north.", "N"),
    ("You must *wind* the clock.", "V"),
    ("Strong *winds* damaged the roof.", "N"),
    ("The *wound* was not deep.", "N"),
    ("He *wound* up the old watch.", "P"),
    ("Do not *tear* the paper.", "V"),
    ("A single *tear* rolled down her cheek.", "N"),
    ("The police used *tear* gas.", "N"),
    ("She burst into *tears*.", "N"),
    ("He *tears* the page out.", "V"),
    ("Please *record* the meeting.", "V"),
    ("She set a new *record*.", "N"),
    ("They will *record* an album.", "V"),
    ("The *record* was broken.", "N"),
    ("The clerk *records* the votes.", "V"),
    ("The *records* were destroyed.", "N"),
    ("I would like to *present* the results.", "V"),
    ("She gave him a *present*.", "N"),
    ("At the *present* time nobody knows.", "N"),
    ("All the members were *present*.", "N"),
    ("There is no *use* in crying.", "N"),
    ("They *use* the same tools.", "V"),
    ("The *use* of force is forbidden.", "N"),
    ("You may *use* my pen.", "V"),
    ("He *uses* a hammer.", "V"),
    ("It has many *uses*.", "N"),
    ("I *used* to live there.", "H"),
    ("He got *used* to it.", "H"),
    ("The knife was *used* to cut bread.", "P"),
    ("They *used* a knife.", "P"),
    ("Please *close* the door.", "V"),
    ("The shop was *close* to the station.", "J"),
    ("He is a *close* friend of mine.", "J"),
    ("At the *close* of the day we rested.", "N"),
    ("They *close* at noon.", "V"),
    ("We had to *separate* the boys.", "V"),
    ("They sleep in *separate* rooms.", "N"),
    ("The *object* lay on the table.", "N"),
    ("I *object* to that.", "V"),
    ("The *subject* is closed.", "N"),
    ("They wanted to *subject* him to torture.", "V"),
    ("The *desert* is dry.", "N"),
    ("Do not *desert* your friends.", "V"),
    ("The *contract* was signed.", "N"),
    ("Metals *contract* when they cool.", "V"),
    ("The number will *increase* next year.", "V"),
    ("There was an *increase* in crime.", "N"),
    ("They *protest* against the war.", "V"),
    ("The *protest* was peaceful.", "N"),
    ("We must *permit* them to go.", "V"),
    ("You need a *permit*.", "N"),
    ("The *rebel* army advanced.", "N"),
    ("The colonies will *rebel*.", "V"),
    ("I *refuse* to answer.", "V"),
    ("The *refuse* was collected on Monday.", "N"),
    ("His *conduct* was shameful.", "N"),
    ("She will *conduct* the orchestra.", "V"),
    ("The *convict* escaped.", "N"),
    ("The jury will *convict* him.", "V"),
    ("Nobody could *estimate* the cost.", "V"),
    ("The *estimate* was too low.", "N"),
    ("The prisoners *graduate* in June.", "V"),
    ("She is a *graduate* of Yale.", "N"),
    ("He has no *excuse*.", "N"),
    ("Please *excuse* me.", "V"),
    ("The *abuse* must stop.", "N"),
    ("They *abuse* their power.", "V"),
    ("The *house* is old.", "N"),
    ("The building can *house* fifty people.", "V"),
    ("She was *content* with her life.", "J"),
    ("The *content* of the letter is secret.", "N"),
    ("Wait a *minute*.", "N"),
    ("He examined it in *minute* detail.", "J"),
    ("He took a *bow* and arrows.", "N"),
    ("The actors *bow* to the crowd.", "V"),
    ("He plays the *bass* guitar.", "N"),
    ("We caught a striped *bass* in the lake.", "F"),
    ("A white *dove* sat on the roof.", "N"),
    ("He *dove* into the water.", "P"),
    ("The *perfect* day had come.", "N"),
    ("They want to *perfect* the method.", "V"),
    ("We *import* coffee.", "V"),
    ("The *import* of coffee fell.", "N"),
    ("A *learned* man spoke.", "J"),
    ("I *learned* it at school.", "P"),
    ("An *aged* man sat there.", "J"),
    ("A man *aged* forty sat there.", "P"),
    ("The *transport* of goods is slow.", "N"),
    ("The *suspect* was arrested.", "N"),
    ("I *suspect* that he lied.", "V"),
    ("They made *progress*.", "N"),
    ("The *project* failed.", "N"),
    ("Farms *produce* milk.", "V"),
    ("The *proceeds* went to charity.", "N"),
    ("The work *proceeds* slowly.", "V"),
    ("An *invalid* lay in the bed.", "N"),
    ("She will *address* the *conflict*".replace("*address*", "address"), "N"),
    ("This decision will *affect*".replace("*affect*", "affect") + " the *contest*.", "N"),
    ("Please *wind* the clock before bed.", "V"),
    ("The road *winds* through the hills.", "V"),
    ("Farmers *sow* seeds in spring.", "V"),
    ("The fish was a sea *bass*.", "F"),
    ("He made a deep *bow* to the queen.", "V"),
    ("The committee will *appropriate* the funds.", "V"),
    ("The saint was *blessed* with talent.", "P"),
    ("The *axes* were sharpened for chopping wood.", "F"),
    ("*Lead* is a heavy metal.", "M"),
    ("The paint contained *lead*.", "M"),
    ("The difference is *minute*.", "J"),
    ("They had a *row* about money.", "F"),
    ("We sat in a *row* with friends.", "N"),
    ("She ate from the *buffet*.", "N"),
    ("The hunter saw two *does* in the forest.", "N"),
    ("*Perfect* timing!", "N"),
    ("The two teams *alternate* every week.", "V"),
    ("I *associate* summer with the sea.", "V"),
    ("She wants to *entrance* them.", "V"),
    ("The costs *approximate* a million.", "V"),
]


def tag(sentence: str) -> tuple[str, str]:
    starred = re.search(r"\*(\w+)\*", sentence)[1].lower()
    words = re.findall(r"\*?[\w']+\*?|[,.!?;:]", sentence.lower())
    index = next(i for i, word in enumerate(words) if word.startswith("*"))
    return starred, word_class([word.strip("*") for word in words], index)


@pytest.mark.parametrize(("sentence", "expected"), SENTENCES)
def test_class_in_context(sentence: str, expected: str) -> None:
    word, found = tag(sentence)
    assert expected in homographs()[word]
    assert found == expected


def test_the_table_holds_phones_and_real_differences() -> None:
    for word, classes in homographs().items():
        for name, phones in classes.items():
            assert name in "VPNJMFHC" and phones and set(phones) <= set(PHONES), word
    for word in ("read", "record", "use", "close", "object", "rebel", "minute"):
        pronunciations = {tuple(phones) for phones in homographs()[word].values()}
        assert len(pronunciations) > 1


def test_verbs_have_the_later_stress() -> None:
    def stressed(phones: list[str]) -> int:
        return [phone[-1] for phone in phones if phone[-1].isdigit()].index("1")

    # g2p_en's own list has these the wrong way round.
    for word in (
        "object",
        "rebel",
        "segment" if "segment" in homographs() else "torment",
        "torment",
        "objects",
        "record",
        "produce",
    ):
        classes = homographs()[word]
        assert stressed(classes["V"]) > stressed(classes["N"]), word


def test_plurals_follow_their_words() -> None:
    assert homographs()["uses"]["N"] == ["Y", "UW1", "S", "IH0", "Z"]
    assert homographs()["records"]["V"][-2:] == ["D", "Z"]
    assert homographs()["conflicts"]["N"][-1] == "S"
    # Not of the noun's own sound: "house", but "houses" with Z.
    assert homographs()["houses"]["N"] == ["HH", "AW1", "Z", "IH0", "Z"]


# In g2p_en's list, but said one way in US English (or in one way that text ever needs): CMUdict decides.
ONE_WAY = frozenset(
    "accent affect aspirate attribute baths certificate closer collect complex compliment counterbalance crabbed "
    "crooked curate "
    "document ejaculate envelope essay excess impress incorporate indent inebriate inlay inset instinct introvert "
    "inverse invite "
    "jagged mandate ornament overwork pontificate process processing prospect quadruple ragged rampage recapped "
    "recapping "
    "refresh regenerate rehash reincarnate relaying rethink surmise underline unused allies segment prostrate "
    "duplicate "
    "mouths uses closes houses diagnoses analyses".split()
)


def test_every_word_of_g2p_ens_list_is_covered() -> None:
    folder = Path(importlib.util.find_spec("g2p_en").origin).parent
    lines = (folder / "homographs.en").read_text(encoding="utf-8").splitlines()
    words = [line.split("|")[0].lower() for line in lines if line and not line.startswith("#")]
    assert len(words) > 350
    missing = []
    for word in words:
        singular = [word, word[:-1], word[:-2]] if word.endswith("s") else [word]
        if not any(form in homographs() or form in ONE_WAY for form in singular):
            missing.append(word)
    assert missing == []
    # What is read one way must be in the dictionary or built from it.
    front_end = TextFrontEnd()
    for word in ONE_WAY:
        assert word in homographs() or cmudict_phones(word) or len(front_end.phonemise(word)) > 3


def test_capitals_tell_the_people_and_the_month() -> None:
    front_end = TextFrontEnd()
    assert "OW1" in front_end.phonemise("She speaks Polish at home.")
    assert "AA1" in front_end.phonemise("You should polish the table.")
    assert front_end.phonemise("an august body")[3:5] == ["AO0", "G"]
    assert "AO1" in front_end.phonemise("IN AUGUST") and "AO1" in front_end.phonemise("in August")
    assert "IY1" in front_end.phonemise("We stayed in Nice.") and "AY1" in front_end.phonemise("Nice to meet you.")
    assert "EH1" in front_end.phonemise("He lives in Reading.") and "IY1" in front_end.phonemise("He likes reading.")


def test_the_rules_name_only_what_there_is() -> None:
    classes = kinds("word_classes.txt")
    named = {choice[1:] for words in classes.values() for choice in words if choice[0] == "@"}
    for words, result, conditions in rows("homograph_rules.txt"):
        for condition in conditions.split():
            place, choices = condition.removeprefix("!").split(":")
            assert place in ("-1", "-2", "+1", "+2", "^1", "^2", "<", ">", "~", "="), condition
            named |= {choice[1:] for choice in choices.split(",") if choice[0] == "@"}
        for word in words.split():
            if word in homographs():
                assert result in homographs()[word], word
            else:
                assert word in ("before", "adverb", "after") and all(vote[0] in "VPNJ" for vote in result.split())
    assert named <= set(classes)
