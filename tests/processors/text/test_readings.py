"""Readings of written English that are easy to get wrong (each line was once misread), and how long reading takes."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from processors.text.normalise import normalise
from tests.tiny_voice import ROOT

DATES = [
    ("In the 1990s.", "In the nineteen nineties."), ("They were in their 30s.", "They were in their thirties."),
    ("the mid-1800s. Railways came", "the mid-eighteen hundreds. Railways came"),
    ("On 5-7 Jan 2020", "On fifth to seventh January twenty twenty"),
    ("On 5 Jan we met, and on 6 Sept again.", "On fifth January we met, and on sixth September again."),
    ("Mar 10 times the paint.", "Mar ten times the paint."),
    ("On 25/12 we celebrate.", "On December twenty-fifth we celebrate."),
    ("on Mon. and Wed. each week", "on Monday and Wednesday each week"),
    ("Q3 2021 results", "Q three twenty twenty-one results"),
    ("Open Mon.-Fri. and Sat/Sun 9-5", "Open Monday to Friday and Saturday and Sunday nine to five"),
    ("1990-present, '99-'00", "nineteen ninety to present, ninety-nine to oh oh"),
    ("c. 1850 (b. 1820, d. 1899)", "circa eighteen fifty, born eighteen twenty, died eighteen ninety-nine,"),
    ("FY2021 and pre-1900", "F Y twenty twenty-one and pre nineteen hundred"),
    ("from 3/16 to 5/16 inch", "from three sixteenths to five sixteenths inch"),
    ("Since 1/16 of them left, by 1/16 it was", "Since one sixteenth of them left, by January sixteenth it was"),
    ("Music of the 60s, 70s and 80s.", "Music of the sixties, seventies and eighties."),
    ("newly Wed. The day, on Wed. The day", "newly Wed. The day, on Wednesday. The day"),
    ("5 May-7 June, 5th May - 7th June", "fifth May to seventh June, fifth May to seventh June"),
    ("cut by 12/31, on 7/13 shares fell", "cut by December thirty-first, on July thirteenth shares fell"),
]  # fmt: skip
TIMES = [
    ("Open 9-10:30 am daily.", "Open nine to ten thirty A M daily."), ("9:30am-5pm", "nine thirty A M to five P M"),
    ("at 0800 hours, at 0930 hours", "at oh eight hundred hours, at oh nine thirty hours"),
    ("8.30 a.m. or 8.30pm", "eight thirty A M or eight thirty P M"),
    ("2h 30m, 5m 20s", "two hours thirty minutes, five minutes twenty seconds"),
    ("At 9:30 - 10 men came", "At nine thirty - ten men came"),
    ("It took 30s. We left after 30s.", "It took thirty seconds. We left after thirty seconds."),
    ("He swam it in 45:30, then 45:00.", "He swam it in forty-five thirty, then forty-five minutes."),
    ("It took 30s to load; set in 80s Britain", "It took thirty seconds to load; set in eighties Britain"),
    ("Germany 31:28 Denmark", "Germany thirty-one to twenty-eight Denmark"),
    ("45:05 – 119:30", "forty-five oh five to one hundred nineteen thirty"),
    ("Isaiah 52:13-53:12", "Isaiah fifty-two thirteen to fifty-three twelve"),
]  # fmt: skip
MONEY = [
    ("It cost 30s. a week.", "It cost thirty shillings a week."),
    ("a $3.5 billion deal", "a three point five billion dollar deal"),
    ("$.50, -$5, $2.5 tn", "fifty cents, minus five dollars, two point five trillion dollars"),
    ("It cost Rs. 500 or Rs 20", "It cost five hundred rupees or twenty rupees"),
    ("£3.50 per kg", "three pounds, fifty pence per kilogram"),
    ("Fr. 50 and Fr. Brown", "fifty francs and Father Brown"),
]
SEVERAL = [
    ("the 747s landed", "the seven forty-sevens landed"),
    ("the 747 passengers", "the seven hundred forty-seven passengers"),
    ("two 9s and the 1s and 0s", "two nines and the ones and zeros"),
    ("It took 120s. Then 52s more.", "It took one hundred twenty seconds. Then fifty-two seconds more."),
]
NUMBERS = [
    ("Call 911 now, a 911 call", "Call nine one one now, a nine one one call"),
    ("911 men", "nine hundred eleven men"),
    ("Dial 555.123.4567.", "Dial five five five, one two three, four five six seven."),
    ("Python 3.10, version 3.05", "Python three point ten, version three point oh five"),
    ("Matthew 5:3-12", "Matthew five three to twelve"),
    ("1 000 000 people, 1.000.000 people", "one million people, one million people"),
    (">100 people, <5% of cases", "more than one hundred people, less than five percent of cases"),
    ("page#5, 3.5:1, .357 Magnum", "page number five, three point five to one, three fifty-seven Magnum"),
    ("020 7946 0958", "zero two zero, seven nine four six, zero nine five eight"),
    ("Los Angeles, CA 90210", "Los Angeles, California nine zero two one zero"),
    ("Table 2-1, tables 2-4", "Table two dash one, tables two to four"),
    ("a 404 error, a 401(k) plan", "a four oh four error, a four oh one K plan"),
    ("rooms 101 102 103", "rooms one hundred one one hundred two one hundred three"),
    ("10 000 men, 250 000 men", "ten thousand men, two hundred fifty thousand men"),
    ("123 456 789 people", "one hundred twenty-three four hundred fifty-six seven hundred eighty-nine people"),
    ("call 555 123 456", "call five hundred fifty-five one hundred twenty-three four hundred fifty-six"),
    ("in 1999 200 people", "in nineteen ninety-nine two hundred people"),
    ("He called 911 three times", "He called nine one one three times"),
    ("a total of 727 men", "a total of seven hundred twenty-seven men"),
]  # fmt: skip
UNITS = [
    ("9.8 m/s²", "nine point eight meters per second squared"),
    ("100 sq. ft. of floor", "one hundred square feet of floor"),
    ("5 ft 10 in the back", "five feet ten in the back"), ("a 6'4\" man", "a six foot four man"),
    ("a 5 km run of 5 km, 1/4 tsp. of it", "a five kilometer run of five kilometers, one quarter teaspoon of it"),
    ("20-30°C, 20°-30°C", "twenty to thirty degrees Celsius, twenty degrees to thirty degrees Celsius"),
    ("5 days/wk", "five days per week"),
    ("In 2020 -5°C was rare", "In twenty twenty minus five degrees Celsius was rare"),
    ("40% - 12 people, 5% - 10%", "forty percent - twelve people, five percent to ten percent"),
    ("6 ft 3 in and up, from 10 -15°C", "six feet three inches and up, from ten to fifteen degrees Celsius"),
    ("He ran 100 m 9 s faster.", "He ran one hundred meters nine seconds faster."),
]  # fmt: skip
WORDS = [
    ("the U.S. VS the U.K.", "the U S versus the U K."),
    ("Roe v. Wade, England v Australia", "Roe versus Wade, England versus Australia"),
    ("World Wars I and II", "World Wars one and two"),
    ("Act III, Scene ii, part iii", "Act three, Scene two, part three"),
    ("World War I. It began", "World War one. It began"),
    ("Ph.D.s, M.D.s and the 3 Rs", "P H D's, M D's and the three R's"),
    ("Drs. Smith and Jones, Pvt. Ryan", "Doctors Smith and Jones, Private Ryan"),
    ("Approx. 5 men, cf. Secs. 2 and 3", "Approximately five men, compare Sections two and three"),
    ("He stopped- and went", "He stopped - and went"), ("an IV drip", "an I V drip"),
    ("/etc/passwd", "slash etc slash passwd"),
    ("each round I lose, the book I read", "each round I lose, the book I read"),
    ("part I was written, chapter I introduces", "part one was written, chapter one introduces"),
    ("Type I like best, Type I is rare", "Type I like best, Type one is rare"),
    ("Queen Elizabeth I. She ruled.", "Queen Elizabeth the first. She ruled."),
    ("I met my cousin Paul I. He left.", "I met my cousin Paul I. He left."),
    ("My uncle Leopold I of Belgium", "My uncle Leopold the first of Belgium"),
    ("his uncle, James I. He died. Mr. John III", "his uncle, James the first. He died. Mister John the third"),
    ("Otto v. Bismarck", "Otto versus Bismarck"),
]  # fmt: skip
CASES = [*DATES, *TIMES, *MONEY, *SEVERAL, *NUMBERS, *UNITS, *WORDS]


def test_the_command_without_its_packages_says_where_they_are() -> None:
    command = [sys.executable, "-S", "-m", "processors.text", "Hello."]
    outcome = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (outcome.returncode, outcome.stderr.count("\n")) == (2, 1)
    assert ".venv/bin/python -m processors.text" in outcome.stderr


@pytest.mark.parametrize(
    "unit",
    [
        *["1-", "12s ", "5 Jan-", "$1-", "5km-", "-1 °", "1:1-", "1 000 ", "0123 456 ", "A v ", "Acts I, ", "Mon-"],
        *["Mon/", "20s and ", "by 1/16 to ", "5% - ", "45:30 ", "call 911 ", "this act I ", "5 May - ", "7pm-", "Jan-"],
        *["25:30-26:00 ", "my cousin Paul I. ", "123 456 789 people ", "123 456 "],
    ],
)
def test_time_is_linear_in_the_length(unit: str) -> None:
    long = (unit * 32000)[:32000]
    short = long[:8000]

    def fastest(text: str) -> float:
        times = []
        for _ in range(3):
            started = time.process_time()
            normalise(text)
            times.append(time.process_time() - started)
        return min(times)

    # Four times the text takes four times as long; what grows with the square takes sixteen times.
    took = fastest(long)
    assert took < 8 * fastest(short) + 0.05 and took < 4
