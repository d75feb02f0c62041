"""phone_extractor "ipa": our own pronunciations as IPA symbols with word boundaries, and "lexicon" beside it."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.registry import load_config
from models.tts.exchange.onnx_export import check_piper, phoneme_id_map
from processors.script import Scriptwriter
from processors.text.arpabet import PHONES, arpabet_to_ipa
from processors.text.frontend import TextFrontEnd
from processors.text.ipa import ipa_to_arpabet
from processors.text.text_error import TextError
from processors.text.tokens import NO_SOUND, PUNCTUATION, append_word, ipa_tokens, lexicon_tokens
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


INFERENCE = load_config(ROOT / "config/jets.json").inference


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Hello, world!", "^həlˈoʊ, wˈɜːld!$"),
        ("She choked.", "^ʃˈiː tʃˈoʊkt.$"),
        ("The judge measured a bird", "^ðə dʒˈʌdʒ mˈɛʒɚd ə bˈɜːd$"),
        ("The apple; the pear", "^ði ˈæpəl; ðə pˈɛɹ$"),
        ("Quite easy - boys think so?", "^kwˈaɪt ˈiːzi- bˈɔɪz θˈɪŋk sˈoʊ?$"),
        ("Twenty-two FBI men", "^twˈɛntitˌuː ˈɛfbˈiːˈaɪ mˈɛn$"),
    ],
)
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


def test_stress_stands_before_the_vowel() -> None:
    assert "".join(arpabet_to_ipa("S T R EY1 NG TH OW2 ER0 IY0 AH1 AH0".split())) == "stɹˈeɪŋθˌoʊɚiˈʌə"
    assert arpabet_to_ipa([]) == []


def test_boundaries_part_words_and_follow_marks() -> None:
    tokens: list[str] = []
    for word in (["a"], [], ["b", "c"]):
        append_word(tokens, word)
    assert tokens == ["a", " ", "b", "c"]
    assert spoken("One, two...three - four.") == "^wˈʌn, tˈuː… θɹˈiː- fˈɔːɹ.$"
    for text in ("a - b", "no. Yes", "(so) it said: go", "'tis", "well-known"):
        middle = spoken(text)[1:-1]
        assert "  " not in middle and middle == middle.strip() and not any(" " + mark in middle for mark in PUNCTUATION)


def test_braces_user_lexicon_and_article(tmp_path: Path) -> None:
    lexicon = tmp_path / "lexicon.txt"
    lexicon.write_text("kyoto K IY0 OW1 T OW0\nfi F AY\n")
    voice = front_end(lexicon_path=str(lexicon))
    assert spoken("Kyoto, {K AE1 T} fi", voice) == "^kiˈoʊtoʊ, kˈæt fˈaɪ$"
    assert spoken("the {AE1 P AH0 L}") == "^ði ˈæpəl$" and spoken("{t ah m ey t ow}") == "^tˈʌmeɪtoʊ$"
    assert pickle.loads(pickle.dumps(voice)).encode("Kyoto") == voice.encode("Kyoto")
    with pytest.raises(TextError, match="'XX'"):
        voice.phonemise("{XX AH0}")


@pytest.mark.parametrize("text", ["", "?!", "...", "'", "😀", "-"])
def test_nothing_to_speak(text: str) -> None:
    with pytest.raises(TextError):
        VOICE.encode(text)


def test_only_us_english() -> None:
    for extractor, language in (("ipa", "en-gb"), ("lexicon", "de")):
        with pytest.raises(UserError, match=f'"{extractor}" knows "en-us" only.*"espeak"'):
            front_end(extractor, language=language)


def test_it_is_the_default() -> None:
    assert load_config(ROOT / "config/jets.json").preprocess.phone_extractor == "ipa"


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from("the a, e.-{}'AE1 "), max_size=80))
def test_the_same_words_as_the_older_tokens(text: str) -> None:
    """Whatever is read: the two extractors refuse the same texts, and give the same sounds."""
    try:
        phones = OLDER.phonemise(text)
    except TextError:
        with pytest.raises(TextError):
            VOICE.phonemise(text)
        return
    sounds = [token if token in (*PUNCTUATION, "^", "$") else "".join(arpabet_to_ipa([token])) for token in phones]
    assert spoken(text).replace(" ", "") == "".join(sounds)


def test_sounds_are_counted_without_marks_of_any_kind() -> None:
    # h ə l o ʊ w ɜ l d
    assert script().count_phones(VOICE.encode("Hello, world!")) == 9
    assert {"ˈ", "ˌ", "ː", " ", ",", "^", "$", "\u0303"} <= NO_SOUND and not NO_SOUND & set("aəɹʃ")
    assert not NO_SOUND & set(lexicon_tokens()[11:])


def test_ssml_gives_each_word_its_manner_and_phonemes() -> None:
    markup = (
        '<speak>We <prosody rate="50%" pitch="+3st">say</prosody> '
        '<phoneme alphabet="ipa" ph="təˈmeɪtoʊ">x</phoneme>, '
        '<phoneme alphabet="arpabet" ph="K AE1 T">x</phoneme></speak>'
    )
    (line,) = script().lines(markup, INFERENCE)
    assert "".join(VOICE.tokens[index] for index in line.ids) == "^wˈiː sˈeɪ təmˈeɪtoʊ, kˈæt.$"
    slow = [VOICE.tokens[index] for index, manner in zip(line.ids, line.prosody) if manner.rate == 0.5]
    # The boundary in front of a word goes with it.
    assert "".join(slow) == " sˈeɪ" and len(line.ids) == len(line.prosody)
    assert all((manner.rate == 0.5) == (manner.semitones == 3.0) for manner in line.prosody)


def test_piper_can_speak_it() -> None:
    config = load_config(ROOT / "config/jets.json")
    check_piper(config, ipa_tokens())
    ids = phoneme_id_map(ipa_tokens(), "ipa")
    assert ids["ɾ"] == ids["t"] and ids["ɐ"] == ids["ə"] and ids["\u0329"] == ids["_"] == [0] and ids[" "] == [11]
    assert phoneme_id_map(ipa_tokens(), "espeak")["ɾ"] == [ipa_tokens().index("ɾ")]


@pytest.mark.skipif(importlib.util.find_spec("espeakng_loader") is None, reason="needs the optional espeakng-loader")
def test_piper_gives_it_no_symbol_that_it_never_learned() -> None:
    espeak = front_end("espeak")
    ids = phoneme_id_map(ipa_tokens(), "ipa")
    known = {VOICE.tokens.index(symbol) for phone in PHONES for symbol in arpabet_to_ipa([phone])} | set(range(12))
    texts = (
        "The city's little butter, certain kittens about a better roses' carriage, and thirty-five mountains.",
        "Before the button was written, people waited; naturally the bottle fell: how awful! Was it hers?",
        "Our power hours were poor: pure air near the fair furniture, an emotional Asian vision of the south.",
    )
    for text in texts:
        assert {index for symbol in espeak.phonemise(text) for index in ids[symbol]} <= known
