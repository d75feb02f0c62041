"""phone_extractor "ipa": our own pronunciations as IPA symbols with word boundaries, and "lexicon" beside it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from models.registry import load_config
from models.tts.exchange.onnx_export import check_piper, phoneme_id_map
from processors.script import Scriptwriter
from processors.text.arpabet import PHONES, arpabet_to_ipa
from processors.text.frontend import TextFrontEnd
from processors.text.ipa import ipa_to_arpabet
from processors.text.tokens import NO_SOUND, PUNCTUATION, ipa_tokens, lexicon_tokens
from utils.errors import UserError

ROOT = Path(__file__).resolve().parents[3]


def front_end(extractor: str = "ipa", **changes: object) -> TextFrontEnd:
    values = {"phone_extractor": extractor, "language": "en-us", "lexicon_path": None, "tokens_path": None}
    return TextFrontEnd.from_config(SimpleNamespace(**{**values, **changes}))


VOICE, OLDER = front_end(), front_end("lexicon")


def spoken(text: str, voice: TextFrontEnd = VOICE) -> str:
    return "".join(voice.phonemise(text))


def script(voice: TextFrontEnd = VOICE) -> Scriptwriter:
    return Scriptwriter(voice, voice.tokens, 200.0, arpabet=True)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Hello, world!", "^həlˈoʊ, wˈɜːld!$"), ("She choked.", "^ʃˈiː tʃˈoʊkt.$"),
        ("The judge measured a bird", "^ðə dʒˈʌdʒ mˈɛʒɚd ə bˈɜːd$"), ("The apple; the pear", "^ði ˈæpəl; ðə pˈɛɹ$"),
        ("Quite easy - boys think so?", "^kwˈaɪt ˈiːzi- bˈɔɪz θˈɪŋk sˈoʊ?$"),
        ("Twenty-two FBI men", "^twˈɛntitˌuː ˈɛfbˈiːˈaɪ mˈɛn$"),
    ],
)  # fmt: skip
def test_known_answers(text: str, tokens: str) -> None:
    assert spoken(text) == tokens
    assert [VOICE.tokens[index] for index in VOICE.encode(text)] == list(tokens)


def test_the_table_is_that_of_espeak_and_fixed() -> None:
    tokens = ipa_tokens()
    assert VOICE.tokens == tokens and tokens[:3] == ["<pad>", "^", "$"] and tuple(tokens[3:11]) == PUNCTUATION
    # Ids of voices that exist: the table must never change.
    assert [tokens.index(token) for token in " azəɹˈː\u0303"] == [11, 12, 37, 65, 96, 147, 149, 180]
    assert len(tokens) == len(set(tokens)) == 213


def test_the_older_table_is_unchanged() -> None:
    assert OLDER.tokens == lexicon_tokens() and len(OLDER.tokens) == 80
    assert OLDER.phonemise("The hour, the {AE1 P} day!") == "^ DH IY0 AW1 ER0 , DH IY0 AE1 P D EY1 ! $".split()


def test_every_phone_survives_the_way_to_ipa_and_back() -> None:
    seen = set()
    for phone in PHONES:
        # In a word with a mark of stress, as single vowels would get one.
        word = ["AA1", "B", phone, "B"]
        symbols = arpabet_to_ipa(word)
        assert set(symbols) <= set(ipa_tokens()) and all(len(symbol) == 1 for symbol in symbols)
        assert ipa_to_arpabet("".join(symbols)) == [word]
        seen.add(tuple(symbols))
    assert len(seen) == len(PHONES)


def test_only_us_english() -> None:
    for extractor, language in (("ipa", "en-gb"), ("lexicon", "de")):
        with pytest.raises(UserError, match=f'"{extractor}" knows "en-us" only.*"espeak"'):
            front_end(extractor, language=language)


def test_sounds_are_counted_without_marks_of_any_kind() -> None:
    # h ə l o ʊ w ɜ l d
    assert script().count_phones(VOICE.encode("Hello, world!")) == 9
    assert {"ˈ", "ˌ", "ː", " ", ",", "^", "$", "\u0303"} <= NO_SOUND and not NO_SOUND & set("aəɹʃ")
    assert not NO_SOUND & set(lexicon_tokens()[11:])


def test_piper_can_speak_it() -> None:
    config = load_config(ROOT / "config/jets.json")
    check_piper(config, ipa_tokens())
    ids = phoneme_id_map(ipa_tokens(), "ipa")
    assert ids["ɾ"] == ids["t"] and ids["ɐ"] == ids["ə"] and ids["\u0329"] == ids["_"] == [0] and ids[" "] == [11]
    assert phoneme_id_map(ipa_tokens(), "espeak")["ɾ"] == [ipa_tokens().index("ɾ")]
