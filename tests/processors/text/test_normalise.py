"""What written text is read as: a table, and properties that hold for any text."""

from __future__ import annotations

import re

import pytest

from processors.text.errors import TextError
from processors.text.normalise import normalise

CASES = [
    # characters
    ("“Quoted” ‘text’ isn’t odd", "Quoted text isn't odd"),
    ("naïve café Zürich Ångström", "naive cafe Zurich Angstrom"),
    ("ﬁnal ﬂoor œuvre encyclopædia", "final floor oeuvre encyclopaedia"),
    ("Ｆｕｌｌ ｗｉｄｔｈ １２", "Full width twelve"),
    ("a\u200bb soft\u00adly", "ab softly"),
    ("one\ttwo\nthree\u2028four\x00five", "one two three four five"),
    ("hi 😀👍 there", "hi there"),
    ("word—word", "word - word"),
    ("word -- word", "word - word"),
    ("word – word", "word - word"),
    ("wait...", "wait…"),
    ("wait....", "wait…"),
    ("Straße in Łódź", "Strasse in Lodz"),
    ("α and β", "alpha and beta"),
    ("日本 Japan", "Japan"),
    ("١٢ apples", "twelve apples"),
    # punctuation
    ("Hello, world!", "Hello, world!"),
    ("What?! No!!", "What? No!"),
    ("he (she) left", "he, she, left"),
    ("file(s)", "files"),
    ("[sic] yes", "sic, yes"),
    ("end.)", "end."),
    ("a ;b :c", "a; b: c"),
    ("well-known fact - yes", "well-known fact - yes"),
    ("no final stop", "no final stop"),
    ("'tis rock 'n' roll, y'all", "'tis rock 'n' roll, y'all"),
    ("the boys' toys", "the boys' toys"),
    ("He said 'go away' twice", "He said go away twice"),
    ('"Yes," he said. "No."', "Yes, he said. No."),
    (", leading", "leading"),
    # cardinals
    ("0", "zero"),
    ("7 men", "seven men"),
    ("13", "thirteen"),
    ("21 cats", "twenty-one cats"),
    ("100 men", "one hundred men"),
    ("101 dogs", "one hundred one dogs"),
    ("999 days", "nine hundred ninety-nine days"),
    ("1,000 men", "one thousand men"),
    ("1,063 prisoners", "one thousand sixty-three prisoners"),
    ("12,345", "twelve thousand three hundred forty-five"),
    ("1,000,000", "one million"),
    (
        "2,147,483,648",
        "two billion one hundred forty-seven million four hundred eighty-three thousand six hundred forty-eight",
    ),
    ("1000000000000000000", "one quintillion"),
    (
        "123456789012345678901",
        "one two three four five six seven eight nine zero one two three four five six seven eight nine zero one",
    ),
    ("007", "oh oh seven"),
    ("5 million", "five million"),
    ("-5 degrees", "minus five degrees"),
    ("+3", "plus three"),
    ("a 2,500-year-old tree", "a two thousand five hundred-year-old tree"),
    ("1308 prisoners", "one thousand three hundred eight prisoners"),
    ("1,300 persons", "thirteen hundred persons"),
    ("it cost 4500", "it cost forty-five hundred"),
    # decimals
    ("11.2 miles", "eleven point two miles"),
    ("0.05", "zero point zero five"),
    (".5", "point five"),
    ("a .38 caliber pistol", "a thirty-eight caliber pistol"),
    ("3.14159", "three point one four one five nine"),
    ("version 1.2.3", "version one point two point three"),
    ("1,234.5", "one thousand two hundred thirty-four point five"),
    # ordinals
    ("1st", "first"),
    ("the 2nd and 3rd", "the second and third"),
    ("12th", "twelfth"),
    ("20th-century art", "twentieth-century art"),
    ("the 21st floor", "the twenty-first floor"),
    ("100th", "one hundredth"),
    ("1,000th", "one thousandth"),
    ("the 22ND", "the twenty-second"),
    # years
    ("in 1805", "in eighteen oh five"),
    ("In 1963, he", "In nineteen sixty-three, he"),
    ("in 1800", "in eighteen hundred"),
    ("in 2000", "in two thousand"),
    ("in 2007", "in two thousand seven"),
    ("in 2024", "in twenty twenty-four"),
    ("in 1066", "in ten sixty-six"),
    ("the 1960s", "the nineteen sixties"),
    ("the '60s", "the sixties"),
    ("the 1990's", "the nineteen nineties"),
    ("in 1914-18", "in nineteen fourteen to eighteen"),
    ("summer of '64", "summer of sixty-four"),
    ("in 44 B.C.", "in forty-four B C."),
    ("in 484 B.C. he", "in four eighty-four B C he"),
    ("A.D. 1066", "A D ten sixty-six"),
    ("the 1960 elections", "the nineteen sixty elections"),
    ("more than 1500 men", "more than fifteen hundred men"),
    # dates
    ("November 22, 1963", "November twenty-two, nineteen sixty-three"),
    ("Nov. 22, 1963", "November twenty-two, nineteen sixty-three"),
    ("14th June, 1800", "fourteenth June, eighteen hundred"),
    ("4 July 1776", "fourth July seventeen seventy-six"),
    ("the 4th of July", "the fourth of July"),
    ("3/14/2015", "March fourteenth, twenty fifteen"),
    ("2015-03-14", "March fourteenth, twenty fifteen"),
    ("14.3.2015", "March fourteenth, twenty fifteen"),
    ("May 1963", "May nineteen sixty-three"),
    # times
    ("10:45 a.m.", "ten forty-five A M."),
    ("at 5:00", "at five o'clock"),
    ("5:00 p.m. sharp", "five P M sharp"),
    ("12:05 PM", "twelve oh five P M"),
    ("9 a.m. to 5 p.m.", "nine A M to five P M."),
    ("9-10 am", "nine to ten A M"),
    ("18:30", "eighteen thirty"),
    ("the score 3:1", "the score three to one"),
    # money
    ("$1", "one dollar"),
    ("$5", "five dollars"),
    ("$21.45", "twenty-one dollars, forty-five cents"),
    ("$0.99", "ninety-nine cents"),
    ("$1.01", "one dollar, one cent"),
    ("$5 million", "five million dollars"),
    ("$1.5 billion", "one point five billion dollars"),
    ("$3.2M deal", "three point two million dollars deal"),
    ("£500", "five hundred pounds"),
    ("£68,728", "sixty-eight thousand seven hundred twenty-eight pounds"),
    ("€20", "twenty euros"),
    ("£1.50", "one pound, fifty pence"),
    ("¥100", "one hundred yen"),
    ("50¢", "fifty cents"),
    ("$5-10", "five to ten dollars"),
    ("US$5", "five U S dollars"),
    ("20 USD", "twenty dollars"),
    ("$1,500", "fifteen hundred dollars"),
    # fractions
    ("1/2 cup", "one half cup"),
    ("3/4", "three quarters"),
    ("2 1/2 miles", "two and a half miles"),
    ("½", "one half"),
    ("3½ hours", "three and a half hours"),
    ("5⅜", "five and three eighths"),
    ("7/10", "seven tenths"),
    ("9/11", "nine eleven"),
    ("24/7", "twenty-four seven"),
    # ranges, scores, telephone
    ("10-20 men", "ten to twenty men"),
    ("pages 10–20", "pages ten to twenty"),
    ("555-1234", "five five five, one two three four"),
    ("(212) 555-1234", "two one two, five five five, one two three four"),
    ("123-45-6789", "one two three, four five, six seven eight nine"),
    ("1.5-2.5", "one point five to two point five"),
    # units
    ("5 km", "five kilometers"),
    ("1 km", "one kilometer"),
    ("60 mph", "sixty miles per hour"),
    ("a 5-km run", "a five-kilometer run"),
    ("20°C", "twenty degrees Celsius"),
    ("-40 °F", "minus forty degrees Fahrenheit"),
    ("50%", "fifty percent"),
    ("3.5 kg", "three point five kilograms"),
    ("10 m²", "ten square meters"),
    ("5 ft. 10 in.", "five feet ten inches."),
    ("5'10\" tall", "five feet ten tall"),
    ("44.1 kHz", "forty-four point one kilohertz"),
    ("16 GB of RAM", "sixteen gigabytes of RAM"),
    ("100 km/h", "one hundred kilometers per hour"),
    ("8 in all", "eight in all"),
    # abbreviations
    ("Mr. Smith", "Mister Smith"),
    ("Mr Smith and Mrs Jones", "Mister Smith and Missus Jones"),
    ("Dr. Jones", "Doctor Jones"),
    ("St. Louis", "Saint Louis"),
    ("Main St.", "Main Street."),
    ("411 Elm St. Dallas", "four eleven Elm Street Dallas"),
    ("on Elm St. He", "on Elm Street. He"),
    ("Smith & Co.", "Smith and Company."),
    ("etc.", "et cetera."),
    ("cats, dogs, etc., and", "cats, dogs, et cetera, and"),
    ("i.e. this", "that is this"),
    ("e.g., that", "for example, that"),
    ("cats vs. dogs", "cats versus dogs"),
    ("No. 5", "Number five"),
    ("He said no.", "He said no."),
    ("Nos. 3 and 4", "Numbers three and four"),
    ("Martin Luther King Jr. spoke", "Martin Luther King Junior spoke"),
    ("Messrs. Smith", "Messrs Smith"),
    ("U.S. Army", "U S Army"),
    ("in the U.S. He left", "in the U S. He left"),
    ("J. Edgar Hoover", "J Edgar Hoover"),
    ("J.F.K. died", "J F K died"),
    ("the F.B.I.'s", "the F B I's"),
    ("plan B. The", "plan B. The"),
    ("Capt. Fritz and Lt. Day", "Captain Fritz and Lieutenant Day"),
    ("Dallas, Tex.", "Dallas, Texas."),
    ("vol. 2, p. 5", "volume two, page five"),
    ("Ph.D. student", "P H D student"),
    ("w/o sugar", "without sugar"),
    ("He took off his cap. She", "He took off his cap. She"),
    ("MR. SMITH", "Mister SMITH"),
    # initialisms and codes
    ("the FBI", "the FBI"),
    ("serial number C2766", "serial number C two seven six six"),
    ("Exhibit No. 133-A", "Exhibit Number one thirty-three A"),
    ("an F-16 jet", "an F sixteen jet"),
    ("COVID-19", "COVID nineteen"),
    ("Box 2915", "Box two nine one five"),
    ("MP3 player", "M P three player"),
    # Roman numerals
    ("Henry VIII", "Henry the eighth"),
    ("Charles I. in", "Charles the first in"),
    ("George III., as", "George the third, as"),
    ("Chapter IV", "Chapter four"),
    ("World War II", "World War two"),
    ("Louis XVI was", "Louis the sixteenth was"),
    ("what George I saw", "what George I saw"),
    ("I am", "I am"),
    ("Malcolm X", "Malcolm X"),
    ("Part II", "Part two"),
    ("Elizabeth II's", "Elizabeth the second's"),
    ("a CD and a DVD", "a CD and a DVD"),
    ("I'd MIX it", "I'd MIX it"),
    # internet
    ("me@example.com", "me at example dot com"),
    ("john.doe-1@mail.co.uk", "john dot doe dash one at mail dot co dot U K"),
    ("https://www.example.com/a?b=1", "W W W dot example dot com slash a question mark b equals one"),
    ("see example.com.", "see example dot com."),
    ("@nasa", "at nasa"),
    ("#winning", "hashtag winning"),
    ("read.me and go.Then", "read. me and go. Then"),
    # symbols
    ("R&D", "R and D"),
    ("#5", "number five"),
    ("a + b = c", "a plus b equals c"),
    ("3 x 4", "three by four"),
    ("5 * 6", "five times six"),
    ("and/or", "and or"),
    ("km/h limit", "km slash h limit"),
    ("§ 5", "section five"),
    ("© 2020", "copyright twenty twenty"),
    ("±2", "plus or minus two"),
    ("~50 men", "about fifty men"),
    ("10^6", "ten to the power of six"),
    ("x^2", "x squared"),
    ("5 < 6", "five is less than six"),
    ("<b>bold</b>", "bold"),
    ("snake_case", "snake case"),
    ("5 - 3 = 2", "five minus three equals two"),
    ("*emphasis*", "emphasis"),
    # phones
    ("say {HH AH0 L OW1}!", "say {HH AH0 L OW1}!"),
    ("{hh ah l ow1}", "{HH AH0 L OW1}"),
    ("{K AE T}s", "{K AE1 T} s"),
    # nothing to say
    ("", ""),
    ("   ", ""),
    ("?!...", ""),
    ("😀", ""),
]


@pytest.mark.parametrize(("written", "spoken"), CASES)
def test_reading(written: str, spoken: str) -> None:
    assert normalise(written) == spoken


@pytest.mark.parametrize("written", [written for written, _ in CASES])
def test_reading_a_reading_changes_nothing(written: str) -> None:
    spoken = normalise(written)
    assert normalise(spoken) == spoken


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("say {HH AH0 L OQ1}", r"'OQ1' in the braces at character 5"),
        ("{}", "character 1 hold no phones"),
        ("open {HH AH0", r"'\{' at character 6 has no partner"),
        ("close }", r"'\}' at character 7 has no partner"),
        ("{HH {AH0} }", "no partner"),
    ],
)
def test_bad_braces_name_symbol_and_position(text: str, message: str) -> None:
    with pytest.raises(TextError, match=message):
        normalise(text)


ALLOWED = re.compile(r"(?:[A-Za-z' ,.!?;:…-]|\{[A-Z0-2 ]+\})*")


@pytest.mark.parametrize("written", [written for written, _ in CASES])
def test_only_words_and_marks_are_left(written: str) -> None:
    assert ALLOWED.fullmatch(normalise(written))
