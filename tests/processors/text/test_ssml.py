"""SSML: what is read, what is refused and where, and what cannot be made to explode."""

from __future__ import annotations

import math
import time

import pytest

from processors.text.arpabet import PHONES
from processors.text.ipa import ipa_to_arpabet
from processors.text.prosody import NEUTRAL, Prosody
from processors.text.speak_as import speak_as as say_as
from processors.text.ssml import MAX_BREAK_SECONDS, Boundary, Pause, Span, SsmlError, begins_ssml, is_ssml, parse_ssml

HALFTONE = 2 ** (1 / 12)


def speak(inside: str) -> list[Span | Pause | Boundary]:
    return parse_ssml(f"<speak>{inside}</speak>", mean_f0=200.0)


def text_of(inside: str) -> str:
    return "".join(item.text for item in speak(inside) if isinstance(item, Span))


def test_what_counts_as_ssml() -> None:
    for markup in ("<speak>x</speak>", " \n<speak/>", '<?xml version="1.0"?>\n<speak version="1.1">', "\ufeff<speak>",
                   "<!-- note --><speak>", "<?note?><!-- <p> -->\n<?x y?> <speak>", "<!DOCTYPE speak><speak>",
                   '<?xml version="1.0"?>x', "<!doctype html><html>"):  # fmt: skip
        assert is_ssml(markup)
    for text in ("speak", "<speaker>", "a <speak>", "<p>x</p>", "", "<", "<!-- <speak>", "<!-- a --> Hello.", "<?php"):
        assert not is_ssml(text)


def test_what_begins_like_markup_is_decided_by_what_follows() -> None:
    document = '\ufeff\n<!-- a --> <?note?>\n<!-- <b> --><!DOCTYPE speak SYSTEM "x.dtd"><speak>'
    assert [begins_ssml(document[:end]) for end in range(42)] == [None] * 42
    assert begins_ssml(document) is True
    assert begins_ssml("<!-- a --> Hello.") is begins_ssml("<b") is begins_ssml("<!D<") is False


DOCTYPES = [
    "<!DOCTYPE speak>",
    '<!DOCTYPE speak PUBLIC "-//W3C//DTD SYNTHESIS 1.0//EN" "http://www.w3.org/TR/speech-synthesis/synthesis.dtd">',
    "<!DOCTYPE speak SYSTEM '/etc/>passwd'>",
    '<?xml version="1.0" encoding="UTF-16"?>\n<?note?><!-- <speak> -->\n<!DOCTYPE\n speak>\n<!-- and -->',
]


@pytest.mark.parametrize("prolog", DOCTYPES)
def test_a_document_type_that_declares_nothing_is_passed_over(prolog: str) -> None:
    assert is_ssml(f"{prolog}<speak>Hello.</speak>")
    assert parse_ssml(f"{prolog}\n<speak>Hello.</speak>") == [Span("Hello.", NEUTRAL)]
    with pytest.raises(SsmlError, match=f"line {prolog.count(chr(10)) + 2}, column 8: unknown entity"):
        parse_ssml(f"{prolog}\n<speak>&nbsp;</speak>")
    with pytest.raises(SsmlError, match="first element must be <speak>, not <html>"):
        parse_ssml(f"{prolog}<html>Hello.</html>")


def test_text_keeps_its_entities_and_letters() -> None:
    assert speak("a &amp; b &lt;&#233;&#x4e2d;&quot;&apos;") == [Span("a & b <é中\"'", NEUTRAL)]
    assert speak("<![CDATA[a < b]]><!-- unseen -->") == [Span("a < b", NEUTRAL)]


def test_sentences_and_paragraphs_are_boundaries() -> None:
    assert speak("<p><s>One</s><s>Two</s></p>") == [
        Boundary(True), Boundary(False), Span("One", NEUTRAL), Boundary(False),
        Boundary(False), Span("Two", NEUTRAL), Boundary(False), Boundary(True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("attributes", "seconds"),
    [
        ('time="500ms"', 0.5), ('time="1.5s"', 1.5), ('time="+2s"', 2.0), ('time="0s"', 0.0), ('time=".25s"', 0.25),
        ('time=" 60s "', 60.0), ("", 0.4), ('strength="x-weak"', 0.1), ('strength="strong"', 0.8),
        ('strength="x-strong"', 1.2), ('strength="weak" time="3s"', 3.0),
    ],
)  # fmt: skip
def test_breaks(attributes: str, seconds: float) -> None:
    assert speak(f"<break {attributes}/>") == [Pause(seconds)]


def test_a_break_of_no_strength_is_none() -> None:
    assert speak('a<break strength="none"/>b') == [Span("a", NEUTRAL), Span("b", NEUTRAL)]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ('rate="slow"', (0.75, 0, 0)), ('rate="x-fast"', (1.6, 0, 0)), ('rate="80%"', (0.8, 0, 0)),
        ('rate="+20%"', (1.2, 0, 0)), ('rate="-50%"', (0.5, 0, 0)), ('rate="1.5"', (1.5, 0, 0)),
        ('rate="medium"', (1, 0, 0)), ('pitch="+2st"', (1, 2, 0)), ('pitch="-6st"', (1, -6, 0)),
        ('pitch="high"', (1, 3, 0)), ('pitch="+100%"', (1, 12, 0)), ('pitch="50%"', (1, -12, 0)),
        ('pitch="+200Hz"', (1, 12, 0)), ('pitch="100Hz"', (1, -12, 0)), ('pitch="1.5st"', (1, 1.5, 0)),
        ('volume="+6dB"', (1, 0, 6)), ('volume="-3.5db"', (1, 0, -3.5)), ('volume="soft"', (1, 0, -6)),
        ('volume="silent"', (1, 0, -math.inf)), ('volume="0"', (1, 0, -math.inf)), ('volume="100"', (1, 0, 0)),
        ('volume="+100%"', (1, 0, 20 * math.log10(2))), ('rate="fast" pitch="low" volume="loud"', (1.25, -3, 6)),
        ("", (1, 0, 0)),
    ],
)  # fmt: skip
def test_prosody(attributes: str, expected: tuple[float, float, float]) -> None:
    (span,) = speak(f"<prosody {attributes}>x</prosody>")
    assert isinstance(span, Span)
    got = (span.prosody.rate, span.prosody.semitones, span.prosody.gain_db)
    assert got == pytest.approx(expected)


def test_prosody_nests_and_ends() -> None:
    inner = '<prosody rate="120%" pitch="+1st" volume="-6dB">b</prosody>'
    items = speak(f'<prosody rate="50%" pitch="+2st">a{inner}</prosody>c')
    assert items == [Span("a", Prosody(0.5, 2.0, 0.0)), Span("b", Prosody(0.6, 3.0, -6.0)), Span("c", NEUTRAL)]


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ('<phoneme alphabet="ipa" ph="həˈloʊ">hello</phoneme>', "{HH AH0 L OW1}"),
        ('<phoneme ph="kæt">cat</phoneme>', "{K AE1 T}"),
        ('<phoneme alphabet="arpabet" ph="HH AH0 L OW1">x</phoneme>', "{HH AH0 L OW1}"),
        ('<phoneme alphabet="x-arpabet" ph="t ah m ey1 t ow">x</phoneme>', "{T AH0 M EY1 T OW0}"),
        ('<phoneme alphabet="arpabet" ph="B AY1|N AW1">x</phoneme>', "{B AY1} {N AW1}"),
        (f'<phoneme alphabet="arpabet" ph="{"S " * 34}">x</phoneme>', f"{{S{' S' * 31}}} {{S S}}"),
        ('<sub alias="World Wide Web">WWW</sub>', "World Wide Web"),
        ('<say-as interpret-as="ordinal">21</say-as>', "twenty-first"),
        ('<say-as interpret-as="date" format="dmy">5/3/2007</say-as>', "March fifth, two thousand seven"),
    ],
)
def test_replacements(markup: str, text: str) -> None:
    assert text_of(markup) == text


@pytest.mark.parametrize(
    ("kind", "text", "spoken"),
    [
        ("characters", "AB2", "{EY1} {B IY1} two"), ("spell-out", "a-b", "{EY1} dash {B IY1}"),
        ("characters", "é c", "{IY1} , {S IY1}"), ("cardinal", "1,234", "one thousand two hundred thirty-four"),
        ("cardinal", "-3.14", "minus three point one four"), ("cardinal", "2010", "two thousand ten"),
        ("cardinal", ".5", "zero point five"), ("number", "XIV", "fourteen"), ("ordinal", "3rd", "third"),
        ("ordinal", "IV", "fourth"), ("digits", "12 30", "one two three zero"),
        ("date", "2024-03-05", "March fifth, twenty twenty-four"),
        ("date", "12/25/1999", "December twenty-fifth, nineteen ninety-nine"),
        ("date", "July 4", "July 4"), ("date", "1066", "ten sixty-six"),
        ("telephone", "+1 (212) 555-0123", "plus one, two one two, five five five, zero one two three"),
        ("telephone", "555-1234 ext. 9", "five five five, one two three four, extension nine"),
        ("time", "10:30", "ten thirty"), ("time", "2:30pm", "two thirty P M"),
        ("duration", "2h 30m", "two hours thirty minutes"), ("fraction", "2/3", "two thirds"),
        ("currency", "$12.50", "twelve dollars, fifty cents"), ("unit", "5 km", "five kilometers"),
        ("verbatim", "a1", "{EY1} one"), ("name", "O'Neil", "O'Neil"),
        ("address", "12 W Oak Ave", "twelve West Oak Avenue"),
        ("unit", "five of them", "five of them"),
    ],
)  # fmt: skip
def test_say_as(kind: str, text: str, spoken: str) -> None:
    assert say_as(kind, text) == spoken


def test_say_as_in_groups_and_what_is_no_fraction() -> None:
    assert say_as("telephone", "5551234", detail="3 4") == "five five five, one two three four"
    with pytest.raises(ValueError, match="'half' is no fraction"):
        say_as("fraction", "half")


def test_every_letter_has_a_name_of_real_phones() -> None:
    for letter in "abcdefghijklmnopqrstuvwxyz":
        assert set(say_as("characters", letter).strip("{}").split()) <= set(PHONES)
        assert say_as("characters", letter, arpabet=False) == letter.upper()


@pytest.mark.parametrize(
    ("ipa", "phones"),
    [
        ("təˈmɑːtəʊ", "T AH0 M AA1 T OW0"), ("t͡ʃɜːt͡ʃ", "CH ER1 CH"), ("ˈbɑtl̩", "B AA1 T AH0 L"), ("ə", "AH0"),
        ("ˌɪntəˈnæʃənəl", "IH2 N T AH0 N AE1 SH AH0 N AH0 L"), ("dʒʌdʒ", "JH AH1 JH"), ("hɛlˈoʊ", "HH EH0 L OW1"),
        ("/θɪŋk/", "TH IH1 NG K"), ("ˈvɪʒən", "V IH1 ZH AH0 N"), ("bɔɪ", "B OY1"), ("ʃ", "SH"),
    ],
)  # fmt: skip
def test_ipa(ipa: str, phones: str) -> None:
    assert ipa_to_arpabet(ipa) == [phones.split()]


def test_ipa_words_and_what_is_no_ipa() -> None:
    assert ipa_to_arpabet(" hɛˈloʊ  wɜːld ") == [["HH", "EH0", "L", "OW1"], ["W", "ER1", "L", "D"]]
    with pytest.raises(ValueError, match="^Ж$"):
        ipa_to_arpabet("kЖt")


@pytest.mark.parametrize(
    ("markup", "line", "column", "what"),
    [
        ("<speak>a", 1, 9, "ends before <speak>"),
        ("<speak>\n <s>a</p></speak>", 2, 8, "does not match <s> opened in line 2, column 2"),
        ("<speak>é中\n\n<emphasis level='x'/></speak>", 3, 1, "level 'x'"),
        ("<p/>", 1, 1, "first element must be <speak>"),
        ("<speak>a</speak>b", 1, 17, "nothing may follow"),
        ("<speak><break time='5'/></speak>", 1, 8, "time '5' is no time"),
        ("<speak><break time='-1s'/></speak>", 1, 8, "is no time"),
        ("<speak><break time='1e9s'/></speak>", 1, 8, "is no time"),
        ("<speak><break time='61s'/></speak>", 1, 8, f"longer than {MAX_BREAK_SECONDS:g}s"),
        ("<speak><break strength='huge'/></speak>", 1, 8, "strength 'huge'"),
        ("<speak><break>x</break></speak>", 1, 15, "must be empty"),
        ("<speak><break length='1s'/></speak>", 1, 8, "no attribute 'length'"),
        ("<speak><prosody rate='very'>x</prosody></speak>", 1, 8, "rate 'very'"),
        ("<speak><prosody rate='9'>x</prosody></speak>", 1, 8, "rate 9 is not between"),
        ("<speak><prosody rate='0%'>x</prosody></speak>", 1, 8, "rate 0 is not between"),
        ("<speak><prosody pitch='+30st'>x</prosody></speak>", 1, 8, "pitch +30st"),
        ("<speak><prosody pitch='-100%'>x</prosody></speak>", 1, 8, "leaves no pitch"),
        ("<speak><prosody volume='+60dB'>x</prosody></speak>", 1, 8, "volume +60dB"),
        ("<speak><phoneme>x</phoneme></speak>", 1, 8, "needs the attribute 'ph'"),
        ("<speak>\n  <phoneme alphabet='arpabet' ph='HH QQ'>x</phoneme></speak>", 2, 3, "'QQ' is no ARPAbet phone"),
        ("<speak><phoneme ph='ʘ'>x</phoneme></speak>", 1, 8, "'ʘ' is no IPA sign"),
        ("<speak><phoneme alphabet='x-sampa' ph='x'>x</phoneme></speak>", 1, 8, "alphabet 'x-sampa'"),
        ("<speak><phoneme ph='ˈ'>x</phoneme></speak>", 1, 8, "holds no phone"),
        ("<speak><sub>x</sub></speak>", 1, 8, "needs the attribute 'alias'"),
        ("<speak><sub alias='a'><s/></sub></speak>", 1, 23, "<sub> may hold text only"),
        ("<speak><say-as interpret-as='cardinal'>x</say-as></speak>", 1, 8, "'x' is no number"),
        ("<speak><say-as interpret-as='ordinal'>1.5</say-as></speak>", 1, 8, "no whole number"),
        ("<speak><say-as interpret-as='date'>13/40/1999</say-as></speak>", 1, 8, "is no month"),
        ("<speak><say-as interpret-as='date' format='q'>1</say-as></speak>", 1, 8, "date format 'q'"),
        ("<speak><say-as interpret-as='telephone'>call</say-as></speak>", 1, 8, "no telephone number"),
        ("<speak><say-as interpret-as='characters'> </say-as></speak>", 1, 8, "no text inside"),
        ("<speak><s><p/></s></speak>", 1, 11, "<p> may not stand inside <s>"),
        ("<speak><p><p/></p></speak>", 1, 11, "<p> may not stand inside <p>"),
        ("<speak><speak/></speak>", 1, 8, "only at the start"),
        ("<speak>&nbsp;</speak>", 1, 8, "unknown entity"),
        ("<speak>a < b</speak>", 1, 11, "write & as &amp;"),
        ("<speak a='1' a='2'/>", 1, 14, "twice"),
        ("<speak", 1, 1, "not finished"),
        ("\n\n  <speak><p x=''/></speak>", 3, 10, "no attribute 'x'"),
        ("<!DOCTYPE speak []><speak>a</speak>", 1, 18, "document type with declarations"),
        ("<speak>a</speak><!DOCTYPE speak>", 1, 17, "nothing may follow"),
        ("<!DOCTYPE speak><!DOCTYPE speak><speak>a</speak>", 1, 17, "document type"),
        ("<speak><say-as interpret-as='date' format='m'>000112</say-as></speak>", 1, 8, "is no month"),
        ("<speak><prosody rate='1e400'>x</prosody></speak>", 1, 8, "rate '1e400' is not understood"),
        ("<speak><prosody pitch='1e400st'>x</prosody></speak>", 1, 8, "pitch '1e400st' is not understood"),
        ("<speak><prosody volume='inf'>x</prosody></speak>", 1, 8, "volume 'inf' is not understood"),
        ("<speak><prosody rate='" + "9" * 400 + "'>x</prosody></speak>", 1, 8, "is not understood"),
    ],
)
def test_errors_have_a_position_and_a_reason(markup: str, line: int, column: int, what: str) -> None:
    with pytest.raises(SsmlError) as caught:
        parse_ssml(markup)
    message = str(caught.value)
    assert what in message
    assert "\n" not in message
    found = [int(part) for part in message.split(":")[0].removeprefix("SSML, line ").split(", column ")]
    assert found[0] == line
    # Some positions are those of a name inside a tag; the tag is what counts.
    assert abs(found[1] - column) <= 6


# A document of each kind that people have, the text that is spoken, and what is noted as without effect.
DOCUMENTS = [
    (
        """<?xml version="1.0"?><speak version="1.1" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-US">
        <lexicon uri="a.pls" xml:id="a"/><meta name="seeAlso" content="x"/><metadata><rdf:RDF><p>No.</p></rdf:RDF>
        </metadata><lookup ref="a"><p><token role="x">Hello</token>, <w>you</w>.</p></lookup><mark name="m"/>
        <lang xml:lang="fr">Oui.</lang> <voice gender="female" required="age">Yes.</voice>
        <audio src="a.wav"><desc>A dog <emphasis>barks</emphasis>.</desc>Woof.</audio></speak>""",
        "Hello, you. Oui. Yes. Woof.", "<lexicon>, <lookup>, <lang>, <voice>, <audio>",
    ),
    (
        """<speak><amazon:domain name="news">Now <amazon:effect name="whispered">hush</amazon:effect>,
        <amazon:auto-breaths>please</amazon:auto-breaths>. <amazon:breath duration="long"/>
        <prosody amazon:max-duration="2s" rate="90%">Go.</prosody> <w role="amazon:VB">read</w>
        <say-as interpret-as="interjection">Wow.</say-as></amazon:domain></speak>""",
        "Now hush, please. Go. read Wow.",
        "<amazon:domain>, <amazon:effect>, <amazon:auto-breaths>, <amazon:breath>, <say-as> of 'interjection'",
    ),
    (
        """<speak><seq><media xml:id="a" begin="1s"><speak>One. <google:style name="lively">Two.</google:style></speak>
        </media><media><audio src="https://example.com/a.ogg">Three.</audio></media></seq></speak>""",
        "One. Two. Three.", "<seq>, <media>, <google:style>, <audio>",
    ),
    (
        """<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xmlns:mstts="https://www.w3.org/2001/mstts"
        xml:lang="en-US"><mstts:backgroundaudio src="a.wav" volume="0.7"/><voice name="en-US-AvaNeural">
        <mstts:express-as style="cheerful" styledegree="2">Hi.</mstts:express-as> <bookmark mark="b"/>
        <mstts:silence type="Sentenceboundary" value="200ms"/><prosody contour="(0%,+20Hz) (50%,+10%)" range="high">Bye.
        </prosody></voice></speak>""",
        "Hi. Bye.", "<mstts:backgroundaudio>, <voice>, <mstts:express-as>, <bookmark>, <mstts:silence>, "
        "contour of <prosody>, range of <prosody>",
    ),
    ("<ssml:speak><ssml:s>One.</ssml:s></ssml:speak>", "One.", ""),
    ("<speak>" + "".join(f"<x{n}>a</x{n}>" for n in range(20)) + "</speak>", "a" * 20,
     ", ".join(f"<x{n}>" for n in range(8)) + " and more"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "text", "without_effect"), DOCUMENTS)
def test_documents_of_every_kind_are_read_through(document: str, text: str, without_effect: str) -> None:
    notes: list[str] = []
    spans = [item for item in parse_ssml(document, on_note=notes.append) if isinstance(item, Span)]
    assert " ".join("".join(span.text for span in spans).split()) == text
    assert notes == ([f"SSML without effect here: {without_effect}"] if without_effect else [])
    assert is_ssml(document)


@pytest.mark.parametrize(("level", "decibels"), [("", 2), ("level='strong'", 4), ("level='reduced'", -3)])
def test_emphasis_is_volume(level: str, decibels: float) -> None:
    assert speak(f"<emphasis {level}>a</emphasis>b") == [Span("a", Prosody(1, 0, decibels)), Span("b", NEUTRAL)]


def test_entity_bombs_and_outside_files_are_refused_at_once() -> None:
    levels = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 20))
    bomb = f'<?xml version="1.0"?><!DOCTYPE speak [<!ENTITY l0 "ha">{levels}]><speak>&l19;</speak>'
    outside = '<!DOCTYPE speak [<!ENTITY x SYSTEM "file:///etc/passwd">]><speak>&x;</speak>'
    started = time.process_time()  # of the processor, which others may be using
    for markup in (bomb, outside):
        with pytest.raises(SsmlError, match="document type"):
            parse_ssml(markup)
    assert time.process_time() - started < 1.0


def seconds(markup: str) -> float:
    """Of the processor, which others may be using, for finding out that a text is markup, and for reading it."""
    fastest = math.inf
    for _ in range(3):
        started = time.process_time()
        if is_ssml(markup):
            try:
                parse_ssml(markup)
            except SsmlError:
                pass
        fastest = min(fastest, time.process_time() - started)
    return fastest


LONG = [
    ("", "<!---->", "Hello."), ("", "<!---->", "<speak/>"), ("", "<?a?> ", "x"), ("", "<!--", ""),
    ("<!DOCTYPE s ", "'>' ", ">"), ("<!DOCTYPE s", " ' \" ", "<speak/>"),
    ("<speak>", "<s>One sentence, and its end.</s><break/>", "</speak>"), ("<speak>", "<prosody>", ""),
    ("<speak>", "<prosody>a ", ""), ("<speak><sub alias='a'>", "a<!---->", "</sub></speak>"),
    ("<speak><sub alias='a'>", "<![CDATA[a]]>&#10;", "</sub></speak>"),
    ("<speak><phoneme ph='", "ə", "'>x</phoneme></speak>"),
    *[(f"<speak><say-as interpret-as='{kind}'>{'1' * start}", unit, "!</say-as></speak>")
      for kind in ("characters", "digits", "cardinal", "ordinal", "date", "telephone")
      for start, unit in ((1, "1"), (1, "1 "), (2000, " "), (1, "-"), (0, "\ufdfa"), (0, "㎯"))],
]  # fmt: skip


@pytest.mark.parametrize(("before", "unit", "after"), LONG)
def test_documents_take_linear_time(before: str, unit: str, after: str) -> None:
    # Four times the text takes four times as long; what grows with the square takes sixteen times.
    short, long = (before + unit * count + after for count in (2000, 8000))
    assert seconds(before + unit * 40 + after) < 0.1
    assert seconds(long) < 8 * seconds(short) + 0.05


def test_phonemes_need_a_front_end_that_reads_them() -> None:
    with pytest.raises(SsmlError, match="reads no phones"):
        parse_ssml('<speak><phoneme ph="kæt">cat</phoneme></speak>', arpabet=False)
