"""Units of measure after numbers."""

from __future__ import annotations

import re

from processors.text.number_words import cardinal, digits, pairs, plural_of
from processors.text.substitute import substitute
from processors.text.times import TIMED

# Written -> (one, many).
_UNITS = {
    "km": ("kilometer", "kilometers"), "m": ("meter", "meters"), "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"), "μm": ("micrometer", "micrometers"), "nm": ("nanometer", "nanometers"),
    "kg": ("kilogram", "kilograms"), "g": ("gram", "grams"), "mg": ("milligram", "milligrams"),
    "μg": ("microgram", "micrograms"), "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"),
    "oz": ("ounce", "ounces"), "ft": ("foot", "feet"), "yd": ("yard", "yards"), "yds": ("yard", "yards"),
    "mi": ("mile", "miles"), "in": ("inch", "inches"), "sq ft": ("square foot", "square feet"),
    "sq mi": ("square mile", "square miles"), "sq km": ("square kilometer", "square kilometers"),
    "ha": ("hectare", "hectares"), "l": ("liter", "liters"), "L": ("liter", "liters"),
    "ml": ("milliliter", "milliliters"), "mL": ("milliliter", "milliliters"), "gal": ("gallon", "gallons"),
    "pt": ("pint", "pints"), "qt": ("quart", "quarts"), "mph": ("mile per hour", "miles per hour"),
    "kph": ("kilometer per hour", "kilometers per hour"), "km/h": ("kilometer per hour", "kilometers per hour"),
    "m/s": ("meter per second", "meters per second"), "mpg": ("mile per gallon", "miles per gallon"),
    "rpm": ("revolution per minute", "revolutions per minute"), "Hz": ("hertz", "hertz"),
    "kHz": ("kilohertz", "kilohertz"), "MHz": ("megahertz", "megahertz"), "GHz": ("gigahertz", "gigahertz"),
    "B": ("byte", "bytes"), "kB": ("kilobyte", "kilobytes"), "KB": ("kilobyte", "kilobytes"),
    "MB": ("megabyte", "megabytes"), "GB": ("gigabyte", "gigabytes"), "TB": ("terabyte", "terabytes"),
    "GiB": ("gibibyte", "gibibytes"), "MiB": ("mebibyte", "mebibytes"),
    "Mbps": ("megabit per second", "megabits per second"), "Gbps": ("gigabit per second", "gigabits per second"),
    "kbps": ("kilobit per second", "kilobits per second"), "W": ("watt", "watts"), "kW": ("kilowatt", "kilowatts"),
    "MW": ("megawatt", "megawatts"), "kWh": ("kilowatt hour", "kilowatt hours"), "V": ("volt", "volts"),
    "kV": ("kilovolt", "kilovolts"), "mV": ("millivolt", "millivolts"), "A": ("amp", "amps"),
    "mA": ("milliamp", "milliamps"), "mAh": ("milliamp hour", "milliamp hours"), "dB": ("decibel", "decibels"),
    "Pa": ("pascal", "pascals"), "kPa": ("kilopascal", "kilopascals"), "psi": ("P S I", "P S I"),
    "hp": ("horsepower", "horsepower"), "cal": ("calorie", "calories"), "kcal": ("kilocalorie", "kilocalories"),
    "J": ("joule", "joules"), "kJ": ("kilojoule", "kilojoules"), "N": ("newton", "newtons"),
    "s": ("second", "seconds"), "ms": ("millisecond", "milliseconds"), "μs": ("microsecond", "microseconds"),
    "ns": ("nanosecond", "nanoseconds"), "sec": ("second", "seconds"), "secs": ("second", "seconds"),
    "min": ("minute", "minutes"), "mins": ("minute", "minutes"), "h": ("hour", "hours"), "hr": ("hour", "hours"),
    "hrs": ("hour", "hours"), "yr": ("year", "years"), "yrs": ("year", "years"), "wk": ("week", "weeks"),
    "wks": ("week", "weeks"), "mo": ("month", "months"), "mos": ("month", "months"), "px": ("pixel", "pixels"),
    "MP": ("megapixel", "megapixels"), "fps": ("frame per second", "frames per second"),
    "GW": ("gigawatt", "gigawatts"), "MWh": ("megawatt hour", "megawatt hours"),
    "GWh": ("gigawatt hour", "gigawatt hours"), "THz": ("terahertz", "terahertz"),
    "PB": ("petabyte", "petabytes"), "cu ft": ("cubic foot", "cubic feet"),
    "ppm": ("part per million", "parts per million"), "tsp": ("teaspoon", "teaspoons"),
    "tbsp": ("tablespoon", "tablespoons"), "cwt": ("hundredweight", "hundredweight"), "kn": ("knot", "knots"),
    "bbl": ("barrel", "barrels"),
}  # fmt: skip
# Letters that are rather a word or a designation unless a stop, a decimal or a blank-free digit makes them units.
_NEEDS_STOP = frozenset(["in", "pt", "mo", "cal", "gal"])
# Behind a whole number these are rather part of an address or a name: "221B", "gate 12A".
_DESIGNATIONS = frozenset("ABJN")
_NAMES = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_NUMBER = r"(?<!\w)(?<!\d[.,])(?:(\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.(\d+))?|\.(\d+))"
_UNIT = re.compile(
    rf"{_NUMBER}((?: \d{{1,2}}/\d{{1,2}})?)( ?|-)({_NAMES})"
    r"(?:(\^[23])|/([a-zA-Z]{1,3})\b)?(?![\w/°'])(\.?)(?= ?(\S?))"
)
_PER = {
    "s": "second", "sec": "second", "min": "minute", "h": "hour", "hr": "hour", "m": "meter", "kg": "kilogram",
    "l": "liter", "L": "liter", "mi": "mile", "lb": "pound", "gal": "gallon", "day": "day", "km": "kilometer",
}  # fmt: skip
_DEGREES = re.compile(r"(-?)(?<!\d)(?<!\d[.,])(\d+)(?:\.(\d+))? ?°(?: ?([CFK])\b)?(?: ?([NSEW])\b)?")
_PER_UNIT = re.compile(r"\bper (kg|km|lb|hr|sec|min|oz|cm|mm|ml|mg|kWh|sq ft)\b")
_SQUARE = re.compile(r"(?<=\d )(sq|cu)\.? ?(?=(?:ft|mi|km)\b)")
_FEET_AND = re.compile(
    r"(?<=\d) ?(?:ft|feet)\.? (\d{1,2}) ?in\b(?!\.)(?! (?:the|a|an|this|that|these|those|all|my|his|her|its|our|their|"
    r"your|some|each|every|both|total|front|back|height|length|width|depth|diameter|circumference|"
    r"Jan\w*|Feb\w*|March|April|May|June|July|Aug\w*|Sep\w*|Oct\w*|Nov\w*|Dec\w*|[12]\d{3})\b)"
)
_ANGLE = re.compile(r"[- ](?:angle|turn|view|bend|slope|arc|rotation|heat|weather|temperatures?)s?\b")
# Several of a kind and not seconds: "the 747s", "two 9s", "the 1s and 0s".
_SEVERAL = re.compile(
    r"\b((?:[Tt]he|[Tt]hese|[Tt]hose|[Mm]any|[Ss]everal|[Tt]wo|[Tt]hree|[Ff]our|[Ff]ive|[Ss]ix|[Ss]even|[Ee]ight|[Nn]ine|"
    r"[Tt]en|Boeing|Airbus|iPhone) \d{1,4}s(?:,? (?:and|or|to) (?:[a-z]+ )?\d{1,4}s){0,3})"
    rf"\b(?! {TIMED}\b)"
    r"|(?<![\w.,-])7[0-8]7s\b"
)
_MANY = re.compile(r"\b(\d{1,4})s\b")
_A = re.compile(r"\b[Aa]n? $")
_NO_NOUN = re.compile(r" ?(?:of|in|on|at|to|and|or|is|was|for|per|by|with|from|above|below|[A-Z])\b")
_PART_OF_ONE = re.compile(r"(?<!\d)(?<!\d )\d/$")
# Ranges with the unit at both ends: "20°-30°C", "5%-10%", "5km-10km"; "In 2020 -5°C" has a minus.
_DEGREES_TO = re.compile(r"(?<=\d)(?:( ?°[CF]?) ?[-–] ?| ?[-–] |-| ?–|(?<![12]\d{3}) -)(?=\d{1,4}(?:\.\d{1,3})? ?°)")
_PERCENT_TO = re.compile(r"(?<=\d) ?%(?:[-–](?=\d)| ?[-–] ?(?=\d{1,3}(?:\.\d{1,3})? ?%))")
_UNIT_TO = re.compile(rf"(?<=\d)( ?({_NAMES}))[-–](?=\d[\d.,]{{0,9}} ?\2(?![\w/]))")
_PERCENT = re.compile(r" ?%")
_INCHES = re.compile(r"(?<=\d)\"(?= [a-z])")
_ATTRIBUTE = re.compile(r"\ban? [\d.]+$", re.I)
_COUNTS = re.compile(
    r"(?<=\d)([KkM])(?= (?!(?:races|runs|runners|walks|times|events|videos|screens|displays)\b)"
    r"(?:[a-z]+s|people|men|women|children)\b)"
)
_CODE_HEAD = re.compile(r"[A-Z]-$")
_FEET_INCHES = re.compile(r"(?<![\d.,'])(\d{1,2})' ?(\d{1,2})(?:\"|'')")


def decimal(whole: str | None, part: str | None) -> str:
    """ "11", "2" -> "eleven point two"; without a whole part "point two"."""
    head = cardinal(whole.replace(",", "")) if whole else ""
    return f"{head} point {digits(part)}".strip() if part else head


def _several(match: re.Match[str]) -> str:
    def kind(several: re.Match[str]) -> str:
        number = several[1]
        if number.strip("0") == "1" and len(number) > 2:
            return plural_of(cardinal(number).removeprefix("one "))
        return plural_of(pairs(number) if len(number) > 2 else cardinal(number))

    return _MANY.sub(kind, match[0])


def _feet_inches(match: re.Match[str]) -> str:
    text, start = match.string, match.start()
    attribute = text[max(0, start - 2) : start].lower() == "a " and re.match(" ?[a-z]", text[match.end() :][:2])
    one = match[1] == "1" or attribute
    return f"{cardinal(match[1])} {'foot' if one else 'feet'} {cardinal(match[2])}"


def _inches(match: re.Match[str]) -> str:
    text, start = match.string, match.start()
    if text.count('"', 0, start) % 2:
        # It closes a quotation.
        return '"'
    return " inch" if _ATTRIBUTE.search(text, max(0, start - 12), start) else " inches"


def _unit(match: re.Match[str]) -> str:
    whole, part, bare, fraction, gap, name, power, per, stop, following = match.groups()
    if name in _NEEDS_STOP and not stop:
        return match[0]
    if name == "s" and not gap and _CODE_HEAD.search(match.string, max(0, match.start() - 2), match.start()):
        # "B-52s" are several.
        return match[0]
    run = name == "m" and gap == "-" and following.islower()
    if len(name) == 1 and (gap == "-" and not run or (gap == " " and name in "ABKJNV")):
        return match[0]
    if name in _DESIGNATIONS and not (part or bare):
        return match[0]
    if per and per not in _PER:
        return match[0]
    part = part or bare
    single = whole == "1" and not part and not fraction
    one, many = _UNITS[name]
    # "a 5-km run" and "a 5 km run" keep the singular, and so does "1/4 tsp.".
    before = match.string[max(0, match.start() - 6) : match.start()]
    attribute = _A.search(before) and following.isalpha() and not (stop and following.isupper())
    attribute = attribute and not _NO_NOUN.match(match.string, match.end())
    unit = one if single or gap == "-" or attribute or _PART_OF_ONE.search(before) else many
    if power and "/" in name:
        # "m/s^2".
        unit += " squared" if power == "^2" else " cubed"
    elif power:
        unit = f"{'square' if power == '^2' else 'cubic'} {unit}"
    if per:
        unit += f" per {_PER[per]}"
    ends = stop and (not following or following.isupper() or following in "\"'")
    number = f"{whole or ''}{'.' + part if part else ''}"
    return f"{number}{fraction}{'-' if gap == '-' else ' '}{unit}{'.' if ends else ''}"


def _degrees(match: re.Match[str]) -> str:
    minus, whole, part, scale, side = match.groups()
    one = whole == "1" and not part or not scale and _ANGLE.match(match.string, match.end())
    words = f"{'minus ' if minus else ''}{decimal(whole, part)} {'degree' if one else 'degrees'}"
    if scale:
        words += {"C": " Celsius", "F": " Fahrenheit", "K": " Kelvin"}[scale]
    if side:
        words += {"N": " north", "S": " south", "E": " east", "W": " west"}[side]
    return words


def expand_units(text: str) -> str:
    """ "5 km" -> "5 kilometers"; "20°C" -> "twenty degrees Celsius"; "5%" -> "5 percent"."""
    text = _UNIT_TO.sub(r"\1 to ", text)
    if "%" in text:
        text = _PERCENT_TO.sub("% to ", text)
    if "°" in text:
        text = _DEGREES_TO.sub(lambda m: f"{m[1] or ''} to ", text)
        text = substitute(_DEGREES, _degrees, text)
    if "'" in text:
        text = substitute(_FEET_INCHES, _feet_inches, text)
    if '"' in text:
        text = _INCHES.sub(_inches, text)
    text = _COUNTS.sub(lambda m: " million" if m[1] == "M" else " thousand", text)
    text = substitute(_SEVERAL, _several, text)
    text = _SQUARE.sub(r"\1 ", text)
    text = _FEET_AND.sub(r" feet \1 inches", text)
    text = substitute(_UNIT, _unit, text)
    text = _PER_UNIT.sub(lambda m: f"per {_UNITS[m[1]][0]}", text)
    return _PERCENT.sub(" percent ", text) if "%" in text else text
