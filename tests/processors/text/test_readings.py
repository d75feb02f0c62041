"""Readings of written English that are easy to get wrong: each line was once misread."""

from __future__ import annotations

import time

import pytest

from processors.text.normalise import normalise

DATES = [
    ("In the 1990s.", "In the nineteen nineties."),
    ("They were in their 30s.", "They were in their thirties."),
    ("in his late 20s. She was not.", "in his late twenties. She was not."),
    ("In the '90s. Then it ended.", "In the nineties. Then it ended."),
    ("the mid-1800s. Railways came", "the mid-eighteen hundreds. Railways came"),
    ("On 5-7 Jan 2020", "On fifth to seventh January twenty twenty"),
    ("5th-7th May", "fifth to seventh May"),
    ("On 5 Jan we met, and on 6 Sept again.", "On fifth January we met, and on sixth September again."),
    ("Mar 10 times the paint.", "Mar ten times the paint."),
    ("Mar 10 was cold.", "March tenth was cold."),
    ("the 5 Jan bought", "the five Jan bought"),
    ("On 25/12 we celebrate.", "On December twenty-fifth we celebrate."),
    ("See you Mon, Feb 3.", "See you Monday, February third."),
    ("on Mon. and Wed. each week", "on Monday and Wednesday each week"),
    ("Q3 2021 results", "Q three twenty twenty-one results"),
    ("on March 3-April 5, May-June", "on March third to April fifth, May to June"),
    ("Open Mon.-Fri. and Sat/Sun 9-5", "Open Monday to Friday and Saturday and Sunday nine to five"),
    ("10-12-2020, 2020/05/06", "October twelfth, twenty twenty, May sixth, twenty twenty"),
    ("1990-present, '99-'00", "nineteen ninety to present, ninety-nine to oh oh"),
    ("The Sun, 5 light minutes away", "The Sun, five light minutes away"),
    ("Mon 6 May", "Monday sixth May"),
    ("c. 1850 (b. 1820, d. 1899)", "circa eighteen fifty, born eighteen twenty, died eighteen ninety-nine,"),
    ("FY2021 and pre-1900", "F Y twenty twenty-one and pre nineteen hundred"),
    ("reduced by 1/16, on 1/24 scale", "reduced by one sixteenth, on one twenty-fourth scale"),
    ("from 3/16 to 5/16 inch", "from three sixteenths to five sixteenths inch"),
    ("Since 1/16 of them left, by 1/16 it was", "Since one sixteenth of them left, by January sixteenth it was"),
    ("from 1/16 to 2/14", "from January sixteenth to February fourteenth"),
    ("in the 60s, in 60s; the late 20s", "in the sixties, in sixty seconds; the late twenties"),
    ("Music of the 60s, 70s and 80s.", "Music of the sixties, seventies and eighties."),
    ("a 90s kid, 80s music, his 30s", "a nineties kid, eighties music, his thirties"),
    ("Mon/Wed/Fri, Jan-Mar 2020", "Monday, Wednesday and Friday, January to March twenty twenty"),
    ("with 5 Mar to go", "with five Mar to go"),
    ("newly Wed. The day, on Wed. The day", "newly Wed. The day, on Wednesday. The day"),
    ("5 May-7 June, 5th May - 7th June", "fifth May to seventh June, fifth May to seventh June"),
    ("the 1960s and 70s, 80s night", "the nineteen sixties and seventies, eighties night"),
    ("a 50s diner", "a fifties diner"),
    ("In the 90s video games boomed", "In the nineties video games boomed"),
    ("cut by 12/31, on 7/13 shares fell", "cut by December thirty-first, on July thirteenth shares fell"),
    ("from 5 Jan to next week", "from fifth January to next week"),
    ("in her 30s-40s, the '60s. 5 men", "in her thirties to forties, the sixties. five men"),
]
TIMES = [
    ("Open 9-10:30.", "Open nine to ten thirty."),
    ("Open 9-10:30 am daily.", "Open nine to ten thirty A M daily."),
    ("Open 9:30-10.", "Open nine thirty to ten."),
    ("10am-2pm", "ten A M to two P M"),
    ("9:30am-5pm", "nine thirty A M to five P M"),
    ("10 AM – 2 PM", "ten A M to two P M"),
    ("at 0800 hours, at 0930 hours", "at oh eight hundred hours, at oh nine thirty hours"),
    ("8.30 a.m. or 8.30pm", "eight thirty A M or eight thirty P M"),
    ("8 a.m.-noon, noon-1 p.m.", "eight A M to noon, noon to one P M."),
    ("2h 30m, 5m 20s", "two hours thirty minutes, five minutes twenty seconds"),
    ("At 9:30 - 10 men came", "At nine thirty - ten men came"),
    ("It took 30s. We left after 30s.", "It took thirty seconds. We left after thirty seconds."),
    ("Wait 60s! a 30s clip, the 30s mark", "Wait sixty seconds! a thirty second clip, the thirty seconds mark"),
    ("7pm-9, 7 p.m.-9", "seven P M to nine, seven P M to nine"),
    ("He swam it in 45:30, then 45:00.", "He swam it in forty-five thirty, then forty-five minutes."),
    ("It took 30s to load; set in 80s Britain", "It took thirty seconds to load; set in eighties Britain"),
    ("Germany 31:28 Denmark", "Germany thirty-one to twenty-eight Denmark"),
    ("a 50:50 split, a 45:30 ratio", "a fifty to fifty split, a forty-five to thirty ratio"),
    ("Watch 25:30-26:00.", "Watch twenty-five thirty to twenty-six minutes."),
    ("45:05 – 119:30", "forty-five oh five to one hundred nineteen thirty"),
    ("at 9:15-45:00", "at nine fifteen to forty-five minutes"),
    ("Isaiah 52:13-53:12", "Isaiah fifty-two thirteen to fifty-three twelve"),
]
MONEY = [
    ("It cost 30s. a week.", "It cost thirty shillings a week."),
    ("He paid 20s. She left.", "He paid twenty shillings. She left."),
    ("She paid £5 10s. They left.", "She paid five pounds ten shillings. They left."),
    ("a $3.5 billion deal", "a three point five billion dollar deal"),
    ("a $1 bill and two $20s", "a one dollar bill and two twenties"),
    ("$.50, -$5, $2.5 tn", "fifty cents, minus five dollars, two point five trillion dollars"),
    ("It cost Rs. 500 or Rs 20", "It cost five hundred rupees or twenty rupees"),
    ("Rs. 500", "five hundred rupees"),
    ("£3.50 per kg", "three pounds, fifty pence per kilogram"),
    ("Fr. 50 and Fr. Brown", "fifty francs and Father Brown"),
]
SEVERAL = [
    ("the 747s landed", "the seven forty-sevens landed"),
    ("two 747s", "two seven forty-sevens"),
    ("Boeing 737s and A320s", "Boeing seven thirty-sevens and A three twenties"),
    ("the 747 passengers", "the seven hundred forty-seven passengers"),
    ("a score in the 100s", "a score in the hundreds"),
    ("two 9s and the 1s and 0s", "two nines and the ones and zeros"),
    ("It took 120s. Then 52s more.", "It took one hundred twenty seconds. Then fifty-two seconds more."),
]
NUMBERS = [
    ("Call 911 now, a 911 call", "Call nine one one now, a nine one one call"),
    ("OF 25000 MEN", "OF twenty-five thousand MEN"),
    ("They called 911 people", "They called nine hundred eleven people"),
    ("911 men", "nine hundred eleven men"),
    ("Dial 555.123.4567.", "Dial five five five, one two three, four five six seven."),
    ("Python 3.10, version 3.05", "Python three point ten, version three point oh five"),
    ("50-50 odds", "fifty fifty odds"),
    ("Matthew 5:3-12", "Matthew five three to twelve"),
    ("1 Corinthians 13:4", "First Corinthians thirteen four"),
    ("1 000 000 people, 1.000.000 people", "one million people, one million people"),
    (">100 people, <5% of cases", "more than one hundred people, less than five percent of cases"),
    ("page#5, 3.5:1, .357 Magnum", "page number five, three point five to one, three fifty-seven Magnum"),
    ("1/2-3/4 cup, 1 1/2-2 hours", "one half to three quarters cup, one and a half to two hours"),
    ("2–3x faster, pp.5-6", "two to three times faster, pages five to six"),
    ("1080p and 720p", "ten eighty P and seven twenty P"),
    ("+44 (0)20 7946 0958", "plus four four, two zero, seven nine four six, zero nine five eight"),
    ("020 7946 0958", "zero two zero, seven nine four six, zero nine five eight"),
    ("Los Angeles, CA 90210", "Los Angeles, California nine zero two one zero"),
    ("2/3rds of it, 1/100th", "two thirds of it, one one hundredth"),
    ("Table 2-1, tables 2-4", "Table two dash one, tables two to four"),
    ("a 404 error, a 401(k) plan", "a four oh four error, a four oh one K plan"),
    ("1.5k views, a 10k run", "one point five thousand views, a ten K run"),
    ("rooms 101 102 103", "rooms one hundred one one hundred two one hundred three"),
    ("add 100 200 300.", "add one hundred two hundred three hundred."),
    ("10 000 men, 250 000 men", "ten thousand men, two hundred fifty thousand men"),
    (
        "1 234 567 people",
        "one million two hundred thirty-four thousand five hundred sixty-seven people",
    ),
    (
        "123 456 789 people",
        "one hundred twenty-three four hundred fifty-six seven hundred eighty-nine people",
    ),
    (
        "Fry at 325 350 375 degrees",
        "Fry at three hundred twenty-five three hundred fifty three hundred seventy-five degrees",
    ),
    ("Prices of 100 150 200 pounds", "Prices of one hundred one hundred fifty two hundred pounds"),
    ("Squads of 110 120 130 men", "Squads of one hundred ten one hundred twenty one hundred thirty men"),
    (
        "Chapters 123 456 789 people",
        "Chapters one hundred twenty-three four hundred fifty-six seven hundred eighty-nine people",
    ),
    ("101 102 103 people died", "one hundred one one hundred two one hundred three people died"),
    ("110 220 330 440 tons", "one hundred ten two hundred twenty three hundred thirty four hundred forty tons"),
    ("call 555 123 456", "call five hundred fifty-five one hundred twenty-three four hundred fifty-six"),
    ("in 1999 200 people", "in nineteen ninety-nine two hundred people"),
    ("Flight 370 239 people", "Flight three seven zero two hundred thirty-nine people"),
    ("rooms 101 102 103 men", "rooms one hundred one one hundred two one hundred three men"),
    ("100 200 300 dollars", "one hundred two hundred three hundred dollars"),
    ("in 1999 123 456 men", "in nineteen ninety-nine one hundred twenty-three four hundred fifty-six men"),
    ("He called 199 customers. Call 112.", "He called one hundred ninety-nine customers. Call one one two."),
    ("He called 911 three times", "He called nine one one three times"),
    ("They called 511 local numbers", "They called five hundred eleven local numbers"),
    ("He called 911 for directions", "He called nine one one for directions"),
    ("He called 911 minutes after it", "He called nine one one minutes after it"),
    ("a total of 727 men", "a total of seven hundred twenty-seven men"),
    (
        "a 777 page book, a 777-page book",
        "a seven hundred seventy-seven page book, a seven hundred seventy-seven-page book",
    ),
    ("a 404 page report", "a four hundred four page report"),
]
UNITS = [
    ("9.8 m/s²", "nine point eight meters per second squared"),
    ("100 sq. ft. of floor", "one hundred square feet of floor"),
    ("5 ft 10 in tall", "five feet ten inches tall"),
    ("5 ft 10 in the back", "five feet ten in the back"),
    ("a 6'4\" man", "a six foot four man"),
    ("the 45° angle", "the forty-five degree angle"),
    ("an 8 oz. glass, a 500-m race", "an eight ounce glass, a five hundred-meter race"),
    ("a 5 km run of 5 km, 1/4 tsp. of it", "a five kilometer run of five kilometers, one quarter teaspoon of it"),
    ("20-30°C, 20°-30°C", "twenty to thirty degrees Celsius, twenty degrees to thirty degrees Celsius"),
    ("-5°C, 5 - 3 = 2", "minus five degrees Celsius, five minus three equals two"),
    ("5%-10%, 5km-10km", "five percent to ten percent, five kilometers to ten kilometers"),
    ("5 days/wk", "five days per week"),
    ("a ≠ b", "a is not equal to b"),
    ("1.21 GW", "one point two one gigawatts"),
    ("In 2020 -5°C was rare", "In twenty twenty minus five degrees Celsius was rare"),
    ("5° - 10°, 20 – 30 °C", "five degrees to ten degrees, twenty to thirty degrees Celsius"),
    ("40% - 12 people, 5% - 10%", "forty percent - twelve people, five percent to ten percent"),
    ("5 ft 10 in 2019 and 5 feet 10 in March", "five feet ten in twenty nineteen and five feet ten in March"),
    ("6 ft 3 in and up, from 10 -15°C", "six feet three inches and up, from ten to fifteen degrees Celsius"),
    ("He ran 100 m 9 s faster.", "He ran one hundred meters nine seconds faster."),
    ("20°C -30°C, 50% -60%", "twenty degrees Celsius to thirty degrees Celsius, fifty percent to sixty percent"),
]
WORDS = [
    ("the U.S. VS the U.K.", "the U S versus the U K."),
    ("Cats VS. dogs, Kramer Vs. Kramer", "Cats versus dogs, Kramer versus Kramer"),
    ("Use VS Code today.", "Use VS Code today."),
    ("the U.S. v. Nixon", "the U S versus Nixon"),
    ("Roe v. Wade, England v Australia", "Roe versus Wade, England versus Australia"),
    ("World Wars I and II", "World Wars one and two"),
    ("WW2 and WWII", "World War two and World War two"),
    ("Act III, Scene ii, part iii", "Act three, Scene two, part three"),
    ("Amendment XIV, Final Fantasy VII, Saturn V", "Amendment fourteen, Final Fantasy seven, Saturn five"),
    ("World War I. It began", "World War one. It began"),
    ("Type I errors, Louis XIV-style", "Type one errors, Louis the fourteenth-style"),
    ("Ph.D.s, M.D.s and the 3 Rs", "P H D's, M D's and the three R's"),
    ("Drs. Smith and Jones, Pvt. Ryan", "Doctors Smith and Jones, Private Ryan"),
    ("Approx. 5 men, cf. Secs. 2 and 3", "Approximately five men, compare Sections two and three"),
    ("He stopped- and went", "He stopped - and went"),
    ("19th- and 20th-century art", "nineteenth and twentieth-century art"),
    ("an IV drip", "an I V drip"),
    ("AT&T, R&D and C#", "A T and T, R and D and C sharp"),
    ("/etc/passwd", "slash etc slash passwd"),
    ("This season I will win.", "This season I will win."),
    ("each round I lose, the book I read", "each round I lose, the book I read"),
    ("Season I, part I of it, phase I trials", "Season one, part one of it, phase one trials"),
    ("Symphony I. The end", "Symphony one. The end"),
    ("part I was written, chapter I introduces", "part one was written, chapter one introduces"),
    ("Act I made us laugh, a phase I safety study", "Act one made us laugh, a phase one safety study"),
    ("Type I like best, Type I is rare", "Type I like best, Type one is rare"),
    ("world war I planes, at this stage I think", "world war one planes, at this stage I think"),
    ("Queen Elizabeth I. She ruled.", "Queen Elizabeth the first. She ruled."),
    ("King George V. Parliament met.", "King George the fifth. Parliament met."),
    ("I met my cousin Paul I. He left.", "I met my cousin Paul I. He left."),
    ("Mr. Charles V. is in, Uncle John I.", "Mister Charles V is in, Uncle John I."),
    ("cousin Paul I. He left.", "cousin Paul the first. He left."),
    ("My uncle Leopold I of Belgium", "My uncle Leopold the first of Belgium"),
    ("My friend Charles V. of Spain", "My friend Charles the fifth of Spain"),
    ("her cousin Elizabeth I. She fled.", "her cousin Elizabeth the first. She fled."),
    ("his uncle, James I. He died. Mr. John III", "his uncle, James the first. He died. Mister John the third"),
    ("Chapter v. The start. Scene v. A room.", "Chapter five. The start. Scene five. A room."),
    ("Otto v. Bismarck", "Otto versus Bismarck"),
]
CASES = [*DATES, *TIMES, *MONEY, *SEVERAL, *NUMBERS, *UNITS, *WORDS]


@pytest.mark.parametrize(("written", "spoken"), CASES)
def test_reading(written: str, spoken: str) -> None:
    assert normalise(written) == spoken
    assert normalise(spoken) == spoken, "a reading is read as it is"


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
