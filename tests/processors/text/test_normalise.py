"""What written text is read as: a table, and properties that hold for any text."""

from __future__ import annotations

import re

import pytest

from processors.text.characters import TextError
from processors.text.normalise import normalise
from tests.processors.text.test_readings import CASES as MISREAD

CASES = [
    # characters
    ("“Quoted” ‘text’ isn’t odd", "Quoted text isn't odd"),
    ("naïve café Zürich Ångström", "naïve café Zürich Ångström"), ("Ｆｕｌｌ ｗｉｄｔｈ １２", "Full width twelve"),
    ("a\u200bb soft\u00adly", "ab softly"), ("one\ttwo\nthree\u2028four\x00five", "one two three four five"),
    ("hi 😀👍 there", "hi there"), ("word—word", "word - word"),
    ("until 1899--he left", "until eighteen ninety-nine - he left"),
    ("Tom &amp; Jerry, it&#39;s", "Tom and Jerry, it's"), ("wait...", "wait…"), ("α and β", "alpha and beta"),
    ("日本 Japan", "Japan"), ("١٢ apples", "twelve apples"),
    # punctuation
    ("What?! No!!", "What? No!"), ("he (she) left", "he, she, left"), ("file(s)", "files"), ("a ;b :c", "a; b: c"),
    ("'tis rock 'n' roll, y'all", "'tis rock 'n' roll, y'all"), ("He said 'go away' twice", "He said go away twice"),
    ('"Yes," he said. "No."', "Yes, he said. No."),
    # cardinals
    ("0", "zero"), ("21 cats", "twenty-one cats"), ("1,000 men", "one thousand men"),
    (
        "2,147,483,648",
        "two billion one hundred forty-seven million four hundred eighty-three thousand six hundred forty-eight",
    ),
    ("1000000000000000000", "one quintillion"),
    (
        "123456789012345678901",
        "one two three four five six seven eight nine zero one two three four five six seven eight nine zero one",
    ),
    ("007", "oh oh seven"), ("-5 degrees", "minus five degrees"),
    ("a 2,500-year-old tree", "a two thousand five hundred-year-old tree"),
    ("1,300 persons", "thirteen hundred persons"),
    # decimals
    ("11.2 miles", "eleven point two miles"), ("a .38 caliber pistol", "a thirty-eight caliber pistol"),
    ("version 1.2.3", "version one point two point three"),
    ("1,234.5", "one thousand two hundred thirty-four point five"),
    # ordinals
    ("the 2nd and 3rd", "the second and third"), ("the 21st floor", "the twenty-first floor"),
    # years
    ("in 1805", "in eighteen oh five"), ("in 2000", "in two thousand"), ("in 2024", "in twenty twenty-four"),
    ("the 1960s", "the nineteen sixties"), ("in 1914-18", "in nineteen fourteen to eighteen"),
    ("in 484 B.C. he", "in four eighty-four B C he"), ("the 1960 elections", "the nineteen sixty elections"),
    # dates
    ("November 22, 1963", "November twenty-second, nineteen sixty-three"),
    ("14th June, 1800", "fourteenth June, eighteen hundred"), ("3/14/2015", "March fourteenth, twenty fifteen"),
    ("14.3.2015", "March fourteenth, twenty fifteen"), ("Jan 5 and Jan. 5", "January fifth and January fifth"),
    ("Jan 5-7", "January fifth to seventh"), ("may 5 people come", "may five people come"),
    ("Jan 50 and Jan 5,000", "Jan fifty and Jan five thousand"),
    # times
    ("10:45 a.m.", "ten forty-five A M."), ("at 5:00", "at five o'clock"),
    ("9 a.m. to 5 p.m.", "nine A M to five P M."), ("18:30", "eighteen thirty"),
    ("9:30 a.m.-5:15 p.m.", "nine thirty A M to five fifteen P M."), ("the score 3:1", "the score three to one"),
    # money
    ("$1", "one dollar"), ("$21.45", "twenty-one dollars, forty-five cents"), ("$5 million", "five million dollars"),
    ("£1.50", "one pound, fifty pence"), ("50¢", "fifty cents"), ("$5-10", "five to ten dollars"),
    ("20 USD", "twenty dollars"),
    # fractions
    ("1/2 cup", "one half cup"), ("2 1/2 miles", "two and a half miles"), ("3½ hours", "three and a half hours"),
    ("9/11", "nine eleven"), ("24/7", "twenty-four seven"),
    # ranges, scores, telephone
    ("10-20 men", "ten to twenty men"), ("555-1234", "five five five, one two three four"),
    ("(212) 555-1234", "two one two, five five five, one two three four"),
    # units
    ("1 km", "one kilometer"), ("a 5-km run", "a five-kilometer run"), ("20°C", "twenty degrees Celsius"),
    ("50%", "fifty percent"), ("5'10\" tall", "five feet ten tall"),
    ("gate 12A, 221B Baker Street", "gate twelve A, two two one B Baker Street"),
    ("a fuse of 1.5A", "a fuse of one point five amps"), ("100 km/h", "one hundred kilometers per hour"),
    # abbreviations
    ("Dr. Jones", "Doctor Jones"), ("St. Louis", "Saint Louis"), ("St. John's St., Rome", "Saint John's Street, Rome"),
    ("411 Elm St. Dallas", "four eleven Elm Street Dallas"), ("Smith & Co.", "Smith and Company."),
    ("e.g., that", "for example, that"), ("cats vs. dogs", "cats versus dogs"), ("No. 5", "Number five"),
    ("Martin Luther King Jr. spoke", "Martin Luther King Junior spoke"), ("U.S. Army", "U S Army"),
    ("in the U.S. He left", "in the U S. He left"), ("J.F.K. died", "J F K died"), ("plan B. The", "plan B. The"),
    ("Capt. Fritz and Lt. Day", "Captain Fritz and Lieutenant Day"), ("vol. 2, p. 5", "volume two, page five"),
    ("w/o sugar", "without sugar"), ("He took off his cap. She", "He took off his cap. She"),
    # initialisms and codes
    ("the FBI", "the FBI"), ("serial number C2766", "serial number C two seven six six"),
    ("COVID-19", "COVID nineteen"), ("two B-52s and a B-52", "two B fifty-twos and a B fifty-two"),
    ("it took 52s", "it took fifty-two seconds"),
    # Roman numerals
    ("Henry VIII", "Henry the eighth"), ("Charles I. in", "Charles the first in"), ("World War II", "World War two"),
    ("what George I saw", "what George I saw"), ("Malcolm X", "Malcolm X"),
    ("Elizabeth II's", "Elizabeth the second's"), ("I'd MIX it", "I'd MIX it"),
    # internet
    ("me@example.com", "me at example dot com"),
    (
        "https://www.example.com/a?b=1",
        "H T T P S colon slash slash W W W dot example dot com slash a question mark b equals one",
    ),
    ("@nasa", "at nasa"), ("read.me and go.Then", "read. me and go. Then"),
    # symbols
    ("R&D", "R and D"), ("a + b = c", "a plus b equals c"), ("5 * 6", "five times six"), ("and/or", "and or"),
    ("§ 5", "section five"), ("±2", "plus or minus two"), ("~50 men", "about fifty men"),
    ("10^6", "ten to the power of six"), ("<b>bold</b>", "bold"), ("5 - 3 = 2", "five minus three equals two"),
    # more of what people write
    ("€1.299,00 or €5,99", "one thousand two hundred ninety-nine euros or five euros, ninety-nine cents"),
    ("1.5M views, 3K followers", "one point five million views, three thousand followers"),
    ("1 1/2 tsp. salt", "one and a half teaspoons salt"), ("Psalm 23:4", "Psalm twenty-three four"),
    ("6.02×10^23", "six point zero two times ten to the power of twenty-three"),
    ("$2.50/lb", "two dollars, fifty cents per pound"), ('a 30" screen', "a thirty inch screen"),
    ('"he is 28" she said', "he is twenty-eight she said"), ("item (iii)", "item, three,"),
    ("192.168.0.1", "one nine two dot one six eight dot zero dot one"),
    ("£5 10s. 6d. more", "five pounds ten shillings, six pence more"),
    ("Flight BA2490", "Flight B A two four nine zero"), ("1999/2000", "nineteen ninety-nine to two thousand"),
    ("+44 20 7946 0958", "plus four four, two zero, seven nine four six, zero nine five eight"),
    # phones
    ("say {HH AH0 L OW1}!", "say {HH AH0 L OW1}!"), ("{K AE T}s", "{K AE1 T} s"),
    # braces that hold no phones
    ("a set {1, 2}", "a set one, two"), ('{"a": 1}', "a: one"),
    # nothing to say
    ("", ""), ("   ", ""), ("😀", ""),
    # what people write every day
    ('boards 1/2" thick, a 3/4" pipe', "boards one half inch thick, a three quarters inch pipe"),
    ("5 m x 3 m, 3 × 4, 2x16GB", "five meters by three meters, three by four, two by sixteen gigabytes"),
    (
        "3-6 V, 64GB/1TB, 2 L, 1.5 A",
        "three to six V, sixty-four gigabytes slash one terabyte, two liters, one point five amps",
    ),
    ("It was 25C in seat 25C", "It was twenty-five degrees Celsius in seat twenty-five C"),
    ("the ID 4F-22", "the ID four F twenty-two"),
    ("up 25 bps", "up twenty-five basis points"),
    ("$15-20/hr", "fifteen to twenty dollars per hour"),
    ("1.299,00 €", "one thousand two hundred ninety-nine euros"),
    ("He said no. I left Max. I did", "He said no. I left Max. I did"),
    ("c. 300 BCE, max. 5", "circa three hundred BCE, maximum five"),
    ("Sat 10-4, Sun at 9:30, Thu", "Saturday ten to four, Sunday at nine thirty, Thursday"),
    ("2024-03-15T14:30", "March fifteenth, twenty twenty-four, fourteen thirty"),
    ("on 5/12 we got 3/4 of it", "on May twelfth we got three quarters of it"),
    (
        "scored 8/10, 4.5/5, an 80/20 split",
        "scored eight out of ten, four point five out of five, an eighty twenty split",
    ),
    ("Zip: 90210", "Zip: nine zero two one zero"),
    ("07700 900123", "zero seven seven zero zero, nine zero zero one two three"),
    ("Bob <bob@x.com> wrote", "Bob bob at x dot com wrote"),
    ("node.js, 0x80FF, a && b", "node dot J S, zero X eight zero F F, a and b"),
    ("00:1B:44:11:3A:B7", "zero zero colon one B colon four four colon one one colon three A colon B seven"),
]  # fmt: skip


ALLOWED = re.compile(r"(?:[^\W\d_]|[' ,.!?;:…-]|\{[A-Z0-2 ]+\})*")


@pytest.mark.parametrize(("written", "spoken"), [*CASES, *MISREAD])
def test_reading(written: str, spoken: str) -> None:
    assert normalise(written) == spoken
    assert normalise(spoken) == spoken, "a reading is read as it is"
    assert ALLOWED.fullmatch(spoken), "only words and marks are left"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("say {HH AH0 L OQ1}", r"'OQ1' in the braces at character 5"),
        ("open {HH AH0", r"'\{' at character 6 has no partner"),
        ("say {ɓə}", r"'ɓ' in '\{ɓə\}' is no IPA sign"),
    ],
)
def test_bad_braces_name_symbol_and_position(text: str, message: str) -> None:
    with pytest.raises(TextError, match=message):
        normalise(text)
