"""IPA as people write it in SSML and dictionaries, to the ARPAbet phones of US English."""

from __future__ import annotations

import re
import unicodedata

from processors.text.arpabet import is_vowel
from processors.text.tables import rows

# What IPA is read as.
_TABLE = {sign: phones for phones, _, signs in rows("sounds.txt") for sign in signs.split()}
_SIGN = re.compile("|".join(sorted(_TABLE, key=len, reverse=True)))
_STRESS = {"ˈ": "1", "'": "1", "ˌ": "2", "ˏ": "2"}
# Length, syllable borders, ties, aspiration, unreleased, dental, nasal: nothing that ARPAbet tells apart.
_IGNORED = frozenset(".ːˑ-‿|\u0361\u035cʰ̪̃̚ʷʲˠ̠̟̝̞̥̬̯" + "()/[]")


def ipa_to_arpabet(ipa: str) -> list[list[str]]:
    """Phones of each word of an IPA transcription: "həˈloʊ" -> [["HH", "AH0", "L", "OW1"]].

    Stress marks hold for the next vowel; a word without any has its first full vowel stressed.

    :raises ValueError: a sign that has no ARPAbet equivalent; it is the only argument.
    """
    text = unicodedata.normalize("NFD", ipa.strip().strip("/")).replace("c\u0327", "ç").replace("\u0361", "")
    words = [_word(word) for word in text.split()]
    return [word for word in words if word]


def _word(text: str) -> list[str]:
    phones: list[str] = []
    stress, marked, position = "", False, 0
    while position < len(text):
        sign = text[position]
        if match := _SIGN.match(text, position):
            for phone in _TABLE[match[0]].split():
                if is_vowel(phone):
                    phone = phone[:2] + (stress or ("0" if phone[-1] == "0" else "?"))
                    stress = ""
                phones.append(phone)
        elif sign in _STRESS:
            stress, marked = _STRESS[sign], True
        elif sign not in _IGNORED:
            raise ValueError(sign)
        position = match.end() if match else position + 1
    first = "0" if marked else "1"
    for index, phone in enumerate(phones):
        if phone[-1] == "?":
            phones[index], first = phone[:2] + first, "0"
    return phones
