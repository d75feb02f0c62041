"""IPA as people write it in SSML and dictionaries, to the ARPAbet phones of US English."""

from __future__ import annotations

import unicodedata

from processors.text.arpabet import is_vowel

_VOWELS = {
    "aɪ": "AY", "ai": "AY", "aʊ": "AW", "au": "AW", "eɪ": "EY", "ei": "EY", "oʊ": "OW", "əʊ": "OW", "ou": "OW",
    "ɔɪ": "OY", "ɔi": "OY", "ɪə": "IH R", "eə": "EH R", "ɛə": "EH R", "ʊə": "UH R", "ɜɹ": "ER", "ɜr": "ER", "əɹ": "ER0",
    "ər": "ER0", "ɑ": "AA", "ɒ": "AA", "a": "AA", "æ": "AE", "ʌ": "AH", "ɐ": "AH", "ə": "AH0", "ᵊ": "AH0", "ɔ": "AO",
    "ɛ": "EH", "e": "EH", "ɝ": "ER", "ɚ": "ER0", "ɜ": "ER", "ɪ": "IH", "ᵻ": "IH0", "ɨ": "IH0", "i": "IY", "o": "OW",
    "ʊ": "UH", "u": "UW", "y": "UW", "ø": "ER", "œ": "ER", "n̩": "AH0 N", "l̩": "AH0 L", "m̩": "AH0 M",
    "ɹ̩": "ER0", "r̩": "ER0",
}  # fmt: skip
_CONSONANTS = {
    "tʃ": "CH", "ʧ": "CH", "dʒ": "JH", "ʤ": "JH", "b": "B", "d": "D", "ð": "DH", "f": "F", "ɡ": "G", "g": "G",
    "h": "HH",
    "ɦ": "HH", "k": "K", "l": "L", "ɫ": "L", "m": "M", "n": "N", "ŋ": "NG", "p": "P", "r": "R", "ɹ": "R", "ɻ": "R",
    "ʁ": "R", "s": "S", "ʃ": "SH", "t": "T", "ɾ": "D", "ʔ": "T", "θ": "TH", "v": "V", "w": "W", "ʍ": "W", "j": "Y",
    "z": "Z", "ʒ": "ZH", "x": "K", "ç": "SH", "ɲ": "N Y", "ʋ": "V", "β": "V",
}  # fmt: skip
_TABLE = {**_VOWELS, **_CONSONANTS}
_LONGEST = max(map(len, _TABLE))
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
        if sign in _STRESS:
            stress, marked = _STRESS[sign], True
            position += 1
            continue
        match = _longest_match(text, position)
        if match:
            for phone in _TABLE[match].split():
                if is_vowel(phone):
                    phone = phone[:2] + (stress or ("0" if phone[-1] == "0" else "?"))
                    stress = ""
                phones.append(phone)
            position += len(match)
        elif sign in _IGNORED:
            position += 1
        else:
            raise ValueError(sign)
    unmarked = [i for i, phone in enumerate(phones) if phone.endswith("?")]
    for order, index in enumerate(unmarked):
        phones[index] = phones[index][:2] + ("1" if order == 0 and not marked else "0")
    return phones


def _longest_match(text: str, position: int) -> str:
    for size in range(_LONGEST, 0, -1):
        candidate = text[position : position + size]
        if len(candidate) == size and candidate in _TABLE:
            return candidate
    return ""
