"""Abbreviations, initials and dotted initialisms as words."""

from __future__ import annotations

import re

# Written with a full stop, always read so. Keys keep their capitals where these decide.
_ALWAYS = {
    "Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Messrs": "Messers", "Mme": "Madame", "Mlle": "Mademoiselle",
    "Prof": "Professor", "Rev": "Reverend", "Revd": "Reverend", "Hon": "Honorable", "Capt": "Captain", "Maj": "Major",
    "Col": "Colonel", "Gen": "General", "Lieut": "Lieutenant", "Lt": "Lieutenant", "Sgt": "Sergeant", "Cpl": "Corporal",
    "Cmdr": "Commander", "Comdr": "Commander", "Adm": "Admiral", "Gov": "Governor", "Sen": "Senator", "Supt": "Superintendent",
    "Pres": "President", "Sec'y": "Secretary", "Atty": "Attorney", "Insp": "Inspector", "Jr": "Junior", "Sr": "Senior",
    "Esq": "Esquire", "Bros": "Brothers", "Corp": "Corporation", "Inc": "Incorporated", "Ltd": "Limited",
    "Co": "Company", "Dept": "Department", "Univ": "University", "Assn": "Association", "Assoc": "Association",
    "Ave": "Avenue", "Blvd": "Boulevard", "Rd": "Road", "Hwy": "Highway", "Pkwy": "Parkway", "Apt": "Apartment",
    "Bldg": "Building", "Jan": "January", "Feb": "February", "Apr": "April", "Aug": "August", "Sept": "September",
    "Sep": "September", "Oct": "October", "Nov": "November", "Dec": "December", "Mon": "Monday", "Tues": "Tuesday",
    "Thurs": "Thursday", "Fri": "Friday", "Ft": "Fort", "Mt": "Mount",
    "etc": "et cetera", "vs": "versus", "viz": "namely", "approx": "approximately", "esp": "especially", "dept": "department",
    "est": "established", "misc": "miscellaneous", "temp": "temperature", "Vol": "Volume", "vol": "volume", "vols": "volumes",
    "Chap": "Chapter", "chap": "chapter", "ch": "chapter", "cap": "chapter", "Figs": "Figures", "figs": "figures", "ed": "editor",
    "eds": "editors", "pp": "pages", "Gents": "Gentlemen", "govt": "government", "Govt": "Government", "Vols": "Volumes",
}  # fmt: skip
# Also ordinary words, so that they need a number after them.
_BEFORE_NUMBER = {
    "No": "Number", "no": "number", "Nos": "Numbers", "nos": "numbers", "Fig": "Figure", "fig": "figure", "p": "page",
    "P": "Page", "Sec": "Section", "sec": "section", "Art": "Article", "art": "article", "Mar": "March", "Jun": "June",
    "Jul": "July", "Ch": "Chapter", "Pt": "Part", "pt": "part", "Pl": "Plate", "pl": "plate", "Eq": "Equation",
    "eq": "equation", "ca": "circa", "Pg": "Page", "pg": "page", "Ex": "Exhibit",
}  # fmt: skip
_TITLES_WITHOUT_STOP = {"Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Dr": "Doctor"}
_STATES = {
    "Ala": "Alabama", "Ariz": "Arizona", "Ark": "Arkansas", "Calif": "California", "Colo": "Colorado", "Conn": "Connecticut",
    "Del": "Delaware", "Fla": "Florida", "Ga": "Georgia", "Ill": "Illinois", "Ind": "Indiana", "Kans": "Kansas",
    "Ky": "Kentucky", "La": "Louisiana", "Md": "Maryland", "Mass": "Massachusetts", "Mich": "Michigan", "Minn": "Minnesota",
    "Miss": "Mississippi", "Mo": "Missouri", "Mont": "Montana", "Neb": "Nebraska", "Nev": "Nevada", "Okla": "Oklahoma",
    "Ore": "Oregon", "Pa": "Pennsylvania", "Tenn": "Tennessee", "Tex": "Texas", "Va": "Virginia", "Vt": "Vermont",
    "Wash": "Washington", "Wis": "Wisconsin", "Wyo": "Wyoming",
}  # fmt: skip
_PHRASES = [
    (re.compile(r"\b[Ii]\. ?e\.(?=\W|$)"), "that is"),
    (re.compile(r"\b[Ee]\. ?g\.(?=\W|$)"), "for example"),
    (re.compile(r"\bet al\.(?=\W|$)"), "et al"),
    (re.compile(r"\bw/o\b"), "without"),
    (re.compile(r"\bc/o\b"), "care of"),
    (re.compile(r"(?<![\w/])w/(?=\s)"), "with"),
    (re.compile(r"\bPh\. ?D\b\.?"), "P H D"),
    (re.compile(r"&c\."), "et cetera"),
]
_WORD_STOP = re.compile(r"(?<![\w'.])([A-Za-z]+(?:'y)?)\.(?=(\s*)(\S?))")
_TITLE = re.compile(r"\b(Mr|Mrs|Ms|Dr)(?=\s+[A-Z])")
_ETC = re.compile(r"\betc\b(?!\.)")
_STREET = re.compile(r"(\b[A-Z][a-z]+|\d(?:st|nd|rd|th)) (St|Dr)\.(?=\s*(?:[a-z,;:!?)\"'-]|$|[NSEW]\b))")
_NUMBERED_STREET = re.compile(r"(\b\d{1,5} (?:[A-Z][a-z]+ ){1,3})(St|Dr|Ave|Rd)\b\.?(?= |,|$)")
_SAINT = re.compile(r"\bSt\.? (?=[A-Z])")
# U.S., A.M., B.C., J. F. K.: two or more letters with stops.
_DOTTED = re.compile(r"(?<![\w.'])((?:[A-Za-z]\. ?)(?:[A-Za-z]\. ?){0,10}[A-Za-z])\.(?:('s)|(?=(\s*)(\S?)))(?!\w)")
_INITIAL = re.compile(r"(?<![\w.'])([A-Z])\.(?=(\s+)([A-Z\"'])|,|;|-[A-Z])")
# A capital after a dotted abbreviation starts a sentence only with words that rarely follow one otherwise.
_STARTERS = re.compile(
    r"(?:The|A|An|He|She|It|They|We|You|I|This|That|These|Those|There|His|Her|Its|Their|Our|My|In|On|At|But|And|Or|So|"
    r"If|When|While|As|After|Before|For|From|To|With|By|Then|Now|No|Yes|Not|What|Who|Where|Why|How)\b"
)


def _stop_after(text: str, end: int, gap: str, following: str) -> str:
    """ "." if the stop that ends at `end` also closes a sentence."""
    if not following or (following in "\"')" and not text[end + len(gap) :].strip("\"') ")):
        return "."
    return "." if gap and _STARTERS.match(text, end + len(gap)) else ""


def _word(match: re.Match[str]) -> str:
    word, gap, following = match[1], match[2], match[3]
    spoken = _ALWAYS.get(word)
    if spoken is None and following.isdigit():
        spoken = _BEFORE_NUMBER.get(word)
        if spoken:
            return spoken
    if spoken is None and word in ("Dr", "St"):
        spoken = "Doctor" if word == "Dr" else ("Saint" if following.isupper() else "Street")
        return spoken + ("" if following else ".")
    if spoken is None and word in _STATES:
        before = match.string[max(0, match.start() - 2) : match.start()]
        if before == ", ":
            spoken = _STATES[word]
    if spoken is None and word == "Messrs":
        spoken = "Messers"
    if spoken is None:
        return match[0]
    return spoken + _stop_after(match.string, match.end(), gap, following)


def _dotted(match: re.Match[str]) -> str:
    letters = re.sub(r"[. ]", "", match[1])
    if letters in ("am", "pm", "AM", "PM") or letters.isupper() or letters.lower() in ("bc", "ad", "mp", "us", "rip"):
        spelt = " ".join(letters.upper())
    else:
        spelt = " ".join(letters)
    if match[2]:
        return spelt + "'s"
    return spelt + _stop_after(match.string, match.end(), match[3] or "", match[4] or "")


def expand_abbreviations(text: str) -> str:
    """ "Dr. Smith vs. the U.S." -> "Doctor Smith versus the U S." ."""
    for pattern, spoken in _PHRASES:
        text = pattern.sub(spoken, text)
    if "." in text:
        text = _NUMBERED_STREET.sub(lambda m: m[1] + {"St": "Street", "Dr": "Drive"}.get(m[2], m[2] + "."), text)
        text = _STREET.sub(lambda m: f"{m[1]} {'Street' if m[2] == 'St' else 'Drive'}", text)
        text = _DOTTED.sub(_dotted, text)
        text = _INITIAL.sub(r"\1", text)
        text = _WORD_STOP.sub(_word, text)
    text = _TITLE.sub(lambda m: _TITLES_WITHOUT_STOP[m[1]], text)
    text = _SAINT.sub("Saint ", text)
    return _ETC.sub("et cetera", text)
