"""Abbreviations, initials and dotted initialisms as words."""

from __future__ import annotations

import re

from processors.text.roman import RULERS

# Written with a full stop, always read so.
_ALWAYS = {
    "Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Messrs": "Messrs", "Mme": "Madame", "Mlle": "Mademoiselle",
    "Prof": "Professor", "Rev": "Reverend", "Revd": "Reverend", "Hon": "Honorable", "Capt": "Captain",
    "Maj": "Major", "Col": "Colonel", "Gen": "General", "Lieut": "Lieutenant", "Lt": "Lieutenant", "Sgt": "Sergeant",
    "Cpl": "Corporal", "Cmdr": "Commander", "Comdr": "Commander", "Adm": "Admiral", "Gov": "Governor",
    "Sen": "Senator", "Rep": "Representative", "Supt": "Superintendent", "Pres": "President", "Sec'y": "Secretary",
    "Atty": "Attorney", "Insp": "Inspector", "Jr": "Junior", "Sr": "Senior", "Esq": "Esquire", "Bros": "Brothers",
    "Corp": "Corporation", "Inc": "Incorporated", "Ltd": "Limited", "Co": "Company", "Cos": "Companies",
    "Dept": "Department", "dept": "department", "Univ": "University", "Assn": "Association", "Assoc": "Association",
    "Ave": "Avenue", "Blvd": "Boulevard", "Rd": "Road", "Hwy": "Highway", "Pkwy": "Parkway", "Apt": "Apartment",
    "Bldg": "Building", "Jan": "January", "Feb": "February", "Apr": "April", "Aug": "August", "Sept": "September",
    "Sep": "September", "Oct": "October", "Nov": "November", "Dec": "December", "Mon": "Monday",
    "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday", "Thur": "Thursday",
    "Thurs": "Thursday", "Fri": "Friday", "Ft": "Fort", "Mt": "Mount", "Govt": "Government", "govt": "government",
    "etc": "et cetera", "Etc": "Et cetera", "vs": "versus", "Vs": "versus", "viz": "namely", "approx": "approximately",
    "esp": "especially", "misc": "miscellaneous", "Vol": "Volume", "vol": "volume", "Vols": "Volumes",
    "vols": "volumes", "Chap": "Chapter", "pp": "pages", "Figs": "Figures", "figs": "figures", "Nos": "Numbers",
    "Drs": "Doctors", "Brig": "Brigadier", "Pvt": "Private", "Fr": "Father", "Rte": "Route",
    "Approx": "Approximately", "cf": "compare", "nos": "numbers", "intl": "international", "Intl": "International",
}  # fmt: skip
# Titles: a name follows, never a new sentence.
_TITLES = frozenset(
    "Mr Mrs Ms Messrs Mme Mlle Prof Rev Revd Hon Capt Maj Col Gen Lieut Lt Sgt Cpl Cmdr Comdr Adm Gov Sen Rep Supt "
    "Pres Atty Insp Dr Drs Brig Pvt Fr Mt Ft".split()
)
# Also ordinary words or letters, so that they need a number after them.
_BEFORE_NUMBER = {
    "No": "Number", "no": "number", "Fig": "Figure", "fig": "figure", "p": "page", "P": "Page", "Sec": "Section",
    "sec": "section", "Art": "Article", "art": "article", "Mar": "March", "Jun": "June", "Jul": "July",
    "Ch": "Chapter", "ch": "chapter", "chap": "chapter", "Pt": "Part", "pt": "part", "Pl": "Plate", "pl": "plate",
    "Eq": "Equation", "eq": "equation", "ca": "circa", "Pg": "Page", "pg": "page", "Ex": "Exhibit",
    "est": "established", "Ext": "Extension", "ext": "extension", "Ver": "Version", "ver": "version", "op": "opus",
    "Op": "Opus", "Secs": "Sections", "Chs": "Chapters",
    "Rt": "Route", "vv": "verses", "Ste": "Suite", "tel": "telephone", "Tel": "Telephone", "c": "c", "s": "s",
}  # fmt: skip
# Also ordinary words, so that they need a comma before them: "Dallas, Tex.".
_STATES = {
    "Ala": "Alabama", "Ariz": "Arizona", "Ark": "Arkansas", "Calif": "California", "Colo": "Colorado",
    "Conn": "Connecticut", "Del": "Delaware", "Fla": "Florida", "Ga": "Georgia", "Ill": "Illinois", "Ind": "Indiana",
    "Kans": "Kansas", "Ky": "Kentucky", "La": "Louisiana", "Md": "Maryland", "Mass": "Massachusetts",
    "Mich": "Michigan", "Minn": "Minnesota", "Miss": "Mississippi", "Mo": "Missouri", "Mont": "Montana",
    "Neb": "Nebraska", "Nev": "Nevada", "Okla": "Oklahoma", "Ore": "Oregon", "Pa": "Pennsylvania",
    "Tenn": "Tennessee", "Tex": "Texas", "Va": "Virginia", "Vt": "Vermont", "Wash": "Washington", "Wis": "Wisconsin",
    "Wyo": "Wyoming",
}  # fmt: skip
# Read so in capitals, too: "MR. SMITH".
_CAPITALS = frozenset(
    ["MR", "MRS", "MS", "DR", "ST", "JR", "SR", "NO", "PROF", "REV", "VS", "INC", "LTD", "VOL", "CAPT"]
)
_WITHOUT_STOP = {"Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Dr": "Doctor", "Prof": "Professor"}
# Poets and philosophers of whom fragments are left, so that "Sappho Fr. 31" is no price.
_IN_FRAGMENTS = (
    "Sappho|Alcaeus|Alcman|Anacreon|Archilochus|Bacchylides|Hipponax|Ibycus|Mimnermus|Pindar|Semonides|Simonides|Solon|"
    "Stesichorus|Theognis|Tyrtaeus|Aeschylus|Sophocles|Euripides|Aristophanes|Cratinus|Eupolis|Menander|Hesiod|"
    "Callimachus|Anaxagoras|Anaximander|Anaximenes|Democritus|Empedocles|Heraclitus|Leucippus|Parmenides|Philolaus|"
    "Xenophanes|Aristotle|Theophrastus|Epicurus|Posidonius|Chrysippus|Ennius|Lucilius"
)
_FRAGMENTS = re.compile(
    rf"\b((?:{_IN_FRAGMENTS})(?:'s?)?,? \(?)"
    r"([Ff]r\. ?\d{1,3}(?![\w,.]*\w)(?:,? and Fr\. ?\d{1,3}(?![\w,.]*\w))?)"
)
# ... unless somebody is paid, or something costs that much: "She gave old Solon Fr. 20", "a bust of Solon, Fr. 20".
_PRICED_BEFORE = re.compile(
    r"\b(?:(?:[Pp]a(?:id|y|ys|ying)|[Oo]w(?:e|es|ed|ing)|[Gg](?:ave|ive|ives|iven|iving)|[Hh]and(?:s|ed|ing)?|"
    r"[Ll]en[td]s?|[Ll]ending|[Ss]en[td]s?|[Ss]ending|[Oo]ffer(?:s|ed|ing)?|[Tt]ip(?:s|ped)?|[Cc]harg(?:es?|ed|ing)|"
    r"[Cc]osts?|[Ss]old|[Ss]ells?|[Tt]ickets?|[Hh]otel)\b[^.!?;:,()]{0,40}|"
    r"(?:[Oo]f|[Tt]o|[Ff]or|[Aa]t|[Tt]he) (?:[a-z]{1,12} )?)$"
)
_PRICED_AFTER = re.compile(r",? (?:an?|each|apiece|per|every|francs?)\b")


def _fragments(match: re.Match[str]) -> str:
    """ "Pindar Fr. 52 and Fr. 70" -> "Pindar fragment 52 and fragment 70"; left as it is if that is a price."""
    whole, start, end = match.string, match.start(), match.end()
    if _PRICED_BEFORE.search(whole, max(0, start - 60), start) or _PRICED_AFTER.match(whole, end):
        return match[0]
    return match[1] + re.sub(r"[Ff]r\. ?", "fragment ", match[2])


_PHRASES = [
    (re.compile(r"\b[Ii]\. ?e\.(?=\W|$)"), "that is"),
    (re.compile(r"\b[Ee]\. ?g\.(?=\W|$)"), "for example"),
    (re.compile(r"\bet al\.(?=\W|$)"), "et al"),
    (re.compile(r"\ba\.k\.a\.(?=\W|$)"), "A K A"),
    (re.compile(r"\bPh\. ?D\.s\b"), "P H D's"),
    (re.compile(r"\bPh\. ?D\b\.?"), "P H D"),
    (re.compile(r"\b([BM])\. ?Sc\b\.?"), r"\1 S C"),
    (re.compile(r"&c\."), "et cetera"),
    (re.compile(r"\bFrs?\. ?(?=\d[\d,.]{0,12} francs?\b)"), ""),
    (re.compile(r"\bFrs?\. ?(\d{1,3}(?:,\d{3}){1,4}|\d{1,9}(?:\.\d\d)?)(?![\w,.]*\w)"), r"\1 francs"),
    (re.compile(r"\bc\. ?(?=(?:1\d|20)\d\d\b)"), "circa "),
    (re.compile(r"(?<=[(;,–-])( ?)b\. (?=[12]\d{3}\b)"), r"\1born "),
    (re.compile(r"(?<=[(;,–-])( ?)d\. (?=[12]\d{3}\b)"), r"\1died "),
]
_SLASHED = [
    (re.compile(r"\bw/o\b"), "without"),
    (re.compile(r"\bc/o\b"), "care of"),
    (re.compile(r"\bn/a\b", re.I), "not applicable"),
    (re.compile(r"(?<![\w/])w/(?=\s)"), "with"),
]
_WORD_STOP = re.compile(r"(?<![\w'.])([A-Za-z]{1,8}(?:'y)?)\.(?=(\s*)(\S?)(\S?))")
_TITLE = re.compile(r"\b(Mr|Mrs|Ms|Dr|Prof)(?=\s+[A-Z])")
_ETC = re.compile(r"(?<![/.\\])\betc\b(?![./]| slash\b)")
# "AT&T" is letters, and no word.
_LETTERS_AND = re.compile(r"(?<![\w&])([A-Z]{1,3})&([A-Z]{1,3})(?![\w&])")
_VERSUS = re.compile(r"\bvs\b(?!\.)|(?<=[\w%)\"'.] )V[Ss]\b(?!\.| Code\b| Studio\b)")
# "Roe v. Wade", "England v Australia", but "Chapter v. The".
_AGAINST = re.compile(
    r"(\b(?!(?:Chapter|Scene|Act|Book|Part|Volume|Section|Canto) v\.? (?:The|An?|In|At|On|Of|It)\b)"
    r"[A-Z][\w'.&-]{0,40} )v\.?(?= [A-Z])"
)
_MONTHS = {
    "Jan": "January", "Feb": "February", "Mar": "March", "Apr": "April", "Jun": "June", "Jul": "July", "Aug": "August",
    "Sep": "September", "Sept": "September", "Oct": "October", "Nov": "November", "Dec": "December",
}  # fmt: skip
_DAYS = {
    "Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday", "Thur": "Thursday",
    "Thurs": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday",
}  # fmt: skip
# Several are words and names, so that they need a date behind them.
_A_DAY = "|".join(_DAYS)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?:1[5-9]|20)\d\d"
_ANY_MONTH = "|".join(_MONTHS)
_DAYS_TO = re.compile(
    rf"\b({_A_DAY})\b\.?( ?[-–—/] ?| to | and | through | thru )({_A_DAY})\b(?!\.\w)(?:\.(?=,? [a-z\d]))?"
)
# "Mon/Wed/Fri".
_DAYS_LISTED = re.compile(rf"\b(?:{_A_DAY})(?:/(?:{_A_DAY})){{2,6}}\b")
_DAY_NAMES = "|".join(sorted(set(_DAYS.values())))
_MONTH_NAMES = "|".join([*dict.fromkeys(_MONTHS.values()), "May", "June", "July"])
_NAMES_TO = re.compile(rf"\b({_DAY_NAMES})[-–](?=(?:{_DAY_NAMES})\b)|\b({_MONTH_NAMES})[-–](?=(?:{_MONTH_NAMES})\b)")
_MONTHS_TO = re.compile(
    rf"\b({_ANY_MONTH}|{_MONTH_NAMES})\.?[-–]({_ANY_MONTH}|{_MONTH_NAMES})\b(?!\.?\w)(?:\.(?=,? [a-z\d]))?"
)
_DAY_NAME = re.compile(
    rf"\b({_A_DAY})\.?(?=, ?(?:{_ANY_MONTH})[a-z]*\.? \d|,? {_DAY}(?:st|nd|rd|th)? (?:{_ANY_MONTH}|May)\b)"
)
# Without a stop a month needs its day or year beside it: "Jan 5", "5 Jan 1990", but "Jan said", "Jan 50".
# Behind these a number counts: "Jan 5 times", "mar 10 years".
_COUNTED = (
    r" (?:times?|percent|people|men|women|children|(?:second|minute|hour|day|week|month|year|page|point|mile|meter|"
    r"dollar|pound)s?)\b"
)
_MONTH = re.compile(
    rf"\b({_ANY_MONTH})(?= (?:{_DAY}(?:st|nd|rd|th)?|{_YEAR})\b(?![%:/°]|[.,]\d|{_COUNTED}))"
    rf"|(?<=\d )({_ANY_MONTH})(?=,? {_YEAR}\b)"
)
# "5 Jan." and "on 5 Mar we left", but "the 5 Jan bought".
_DAY_BEFORE = re.compile(
    rf"(?<![\w.,:/$£€])({_DAY}(?:st|nd|rd|th)?) (?:(Feb|Apr|Jul|Aug|Sept?|Oct|Nov|Dec)\b|(Jan|Mar|Jun)(?=[.,;:!?)]|$|"
    r" (?:at|in|on|to(?! go\b)|from|by|until|and|or|for|we|he|she|they|it|I|the|is|was|had|will|with)\b))"
)
_STREET = re.compile(
    r"(?:(\d{1,5} (?:[A-Z][\w']* ){1,3}|\d(?:st|nd|rd|th) )|\b([A-Z][a-z]+) )"
    r"(St|Dr|Ave|Rd|Blvd|Ln)\b(\.?)(?=(\s*)(\S?))"
)
_STREETS = {"St": "Street", "Dr": "Drive", "Ave": "Avenue", "Rd": "Road", "Blvd": "Boulevard", "Ln": "Lane"}
_SAINT = re.compile(r"\bSt\.? (?=[A-Z])")
# U.S., A.M., B.C., J. F. K.: two or more letters with stops.
_DOTTED = re.compile(r"(?<![\w.'])((?:[A-Za-z]\. ?){1,10}[A-Za-z])\.(?:('s)|(?=(\s*)(\S?)))(?!\w)")
# Several of what is spelt: "M.D.s".
_DOTTED_PLURAL = re.compile(r"(?<![\w.'])((?:[A-Z]\.){2,8})s\b")
# A lone letter with a plural, but no word: "three Ds".
_LETTERS = re.compile(r"(?<=[\w,] )([B-HJ-LNP-TV-Z])s\b(?!\.? ?\d|[.']\w)")
_INITIAL = re.compile(r"(?<![\w.'])(?<![A-Z] )([A-Z])\.(?=(\s+)([A-Z\"'])|,|;|-[A-Z])")
# After a dotted abbreviation a capital starts a sentence only in words that rarely follow one otherwise.
_STARTER = re.compile(
    r"\s*[\"'(]*(?:The|A(?!\.)|An|He|She|It|They|We|You|I|This|That|These|Those|There|His|Her|Its|Their|Our|My|In|On|At|But|And|Or|"
    r"So|If|When|While|As|After|Before|For|From|To|With|By|Then|Now|Yes|Not|What|Who|Where|Why|How|Here|Since|Although|"
    r"However|Some|Such|No|All)\b"
)
# A capital behind these is a Roman numeral: "World War I. The".
_NUMBERED = frozenset(
    "war part chapter act book volume type phase class section title stage level scene grade season episode round "
    "symphony article amendment appendix canto lesson unit".split()
)
_CROWNED = frozenset("king queen pope emperor empress tsar".split())
_FUNCTION_WORDS = frozenset(
    "The In At On Near By From To Of For And Saint His Her When Then But With This Old New".split()
)


def _closing_stop(text: str, end: int, gap: str, following: str) -> str:
    """ "." if the abbreviation's stop, which ends at `end`, also closes a sentence."""
    if not following or (following in "\"')" and not text[end : end + 12].strip("\"') ")):
        return "."
    return "." if gap and _STARTER.match(text, end) else ""


def _word(match: re.Match[str]) -> str:
    word, gap, following, second = match.groups()
    if word in _CAPITALS:
        word = word.capitalize()
    if word == "Wed" and match.string.endswith("newly ", 0, match.start()):
        return match[0]
    spoken = _ALWAYS.get(word)
    if spoken is None and (
        following.isdigit() or following.isupper() and (second.isdigit() or second in ".IVX" and following in "IVX")
    ):
        spoken = _BEFORE_NUMBER.get(word)
        if spoken:
            return spoken if gap else spoken + " "
    if spoken is None and word in ("Dr", "St"):
        spoken = "Doctor" if word == "Dr" else ("Saint" if following.isupper() else "Street")
    if spoken is None and word in _STATES and match.string[max(0, match.start() - 2) : match.start()] == ", ":
        spoken = _STATES[word]
    if spoken is None:
        return match[0]
    if word in _TITLES and following:
        return spoken
    if following.isdigit() and not gap:
        return spoken + " "
    return spoken + _closing_stop(match.string, match.end(), gap, following)


def _street(match: re.Match[str]) -> str:
    house, name, kind, stop, gap, following = match.groups()
    if not house:
        if (
            name in _FUNCTION_WORDS
            or kind in ("St", "Dr")
            and following.isupper()
            and not _STARTER.match(match.string, match.end())
        ):
            return match[0]
        if not stop and kind != "Blvd":
            return match[0]
    closing = _closing_stop(match.string, match.end(), gap, following) if stop else ""
    return f"{house or name + ' '}{_STREETS[kind]}{closing}"


def _dotted(match: re.Match[str]) -> str:
    letters = re.sub(r"[. ]", "", match[1])
    spelt = " ".join(letters.upper())
    if match[2]:
        return spelt + "'s"
    return spelt + _closing_stop(match.string, match.end(), match[3] or "", match[4] or "")


def _initial(match: re.Match[str]) -> str:
    before = match.string[max(0, match.start() - 40) : match.start()].split()
    # "plan B. The" ends a sentence, "John F. The" hardly does.
    follows_name = bool(before) and before[-1][0].isupper()
    last = before[-1].lower() if before else ""
    ruler = match[1] in "IVX" and follows_name and last in RULERS
    numeral = ruler or match[1] in "IVX" and last in _NUMBERED
    if ruler and match[2] and len(before) > 1 and before[-2].lower() in _CROWNED:
        return match[0]
    if match[2] and _STARTER.match(match.string, match.end()) and (numeral or not follows_name):
        return match[0]
    return match[1]


def _days_to(match: re.Match[str]) -> str:
    joint = {"-": " to ", "–": " to ", "—": " to ", "/": " and ", "thru": " through "}.get(match[2].strip(), match[2])
    return f"{_DAYS[match[1]]}{joint}{_DAYS[match[3]]}"


def _days_listed(match: re.Match[str]) -> str:
    *days, last = (_DAYS[day] for day in match[0].split("/"))
    return f"{', '.join(days)} and {last}"


def expand_abbreviations(text: str) -> str:
    """ "Dr. Smith vs. the U.S." -> "Doctor Smith versus the U S."."""
    text = _AGAINST.sub(r"\1versus", text)
    text = _DAYS_LISTED.sub(_days_listed, text)
    text = _DAYS_TO.sub(_days_to, text)
    text = _MONTHS_TO.sub(lambda m: f"{_MONTHS.get(m[1], m[1])} to {_MONTHS.get(m[2], m[2])}", text)
    text = _NAMES_TO.sub(lambda m: f"{m[1] or m[2]} to ", text)
    if "/" in text:
        for pattern, spoken in _SLASHED:
            text = pattern.sub(spoken, text)
    if "." in text:
        text = _FRAGMENTS.sub(_fragments, text)
        for pattern, spoken in _PHRASES:
            text = pattern.sub(spoken, text)
        text = _STREET.sub(_street, text)
        text = _DOTTED_PLURAL.sub(lambda m: " ".join(m[1].replace(".", "")) + "'s", text)
        text = _DOTTED.sub(_dotted, text)
        text = _INITIAL.sub(_initial, text)
        text = _WORD_STOP.sub(_word, text)
    if "&" in text:
        text = _LETTERS_AND.sub(lambda m: f"{' '.join(m[1])} and {' '.join(m[2])}", text)
    text = _DAY_NAME.sub(lambda m: _DAYS[m[1]], text)
    text = _TITLE.sub(lambda m: _WITHOUT_STOP[m[1]], text)
    text = _SAINT.sub("Saint ", text)
    text = _MONTH.sub(lambda m: _MONTHS[m[1] or m[2]], text)
    text = _DAY_BEFORE.sub(lambda m: f"{m[1]} {_MONTHS[m[2] or m[3]]}", text)
    text = _VERSUS.sub("versus", text)
    text = _LETTERS.sub(r"\1's", text)
    return _ETC.sub("et cetera", text)
