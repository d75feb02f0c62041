"""Second parts of English compounds and place names.

CMUdict holds tens of thousands of surnames, so that any two entries glued together say little ("saga" + "city"); a word
is taken for a compound only if its second part is one of these.
"""

from __future__ import annotations

_WORDS = """
    acre back backed ball balls band bands bank banks bearer bearers bed beds bell bells bird birds blade board boards
    boat boats bodied body bone bones book books borne bound bow box boxes boy boys braced brained brake bread breaker
    breakers breaking bridge bridges bringer brother broker brokers brush builder builders building bush cake cakes
    call camp cap caps car card cards care cart carts case cases cast castle catcher cellar chain chair chamber church
    class clerk cloth clothes coach coat coats colored corn corner country court cover craft creek cross cup cut
    cutter cutters cutting day days dealer dealers deck deep dog dogs door doors down dream dress dressed driver
    drivers drop drops drum dust eater eating edge egg end ended ends engine eyed eyes face faced fall farm fast
    father fed feeder field fields fight fighter fighters fighting finder fire fires fish fisher flies flight floor
    flow flower flowers fly foot footed force found frame free friend friendly fruit full gate gates gear girl girls
    giver glass goer goers going gold gown grass grave green ground grounds guard guards gun guns hair haired hall
    hand handed handle hands hat hats head headed heads heart hearted hearth heat heaven heel high hill hills hold
    holder holders hole holes home hook horn horse horses hound hour hours house houses hunter hunters hunting job
    keeper keepers keeping key kin king knife knight lace lady ladies lamp land landed lands law leaf leg legged
    letter light lights line lined liner lines lock lord lords made maid maids mail maker makers making mark marks
    market mason mast master masters mate mates meal mill mills mind minded money monger mongers moon mother mouth
    mouthed nail necked nest night note nut nuts office old out over owner owners page pan paper papers part party
    path pence penny people pick piece pieces pin pipe pipes piper place places plan plane plate play player players
    point points pole pool port post posts pot pots pound power press print printing prints proof race rack rail rank
    reader reading rider riders ridge ring road roads rock roll roller room roomed rooms roof root rope row runner
    runners running sack safe safes sail saw school screen sea seat seller sellers selling servant servants setter
    shaft shaped shed sheep sheet shell ship ships shirt shoe shop shops shot side sided sides sight sill skin sky
    slip smith smiths snake song soul sound spear spot spread spring staff stage stairs stake stalk stand star stare
    station stead steads step sticks stick stock stone stones stop store storm story straw stream street string stroke
    struck suit sun table tail tailed taker takers taking talk teller thief thing things thought throat throne tide
    tight tile time times tip toe tongue tongued top town trader train tree trees trip tube turn turner under up vine
    wagon wake walk walker wall walls ward wards ware wash washing watch watcher water waters wave waves way ways wear
    weather wed weed week weight well wheel whip wide wife wind window wing winged wire wise wives woman women wood
    woods wool word words work worker workers working works world worm worn worthy wright writer writers writing yard
    yards year
""".split()
SECOND_PARTS = frozenset(_WORDS)
# Said weaker than the words they come from.
PLACE_ENDINGS = (
    ("borough", "B ER2 OW0"), ("bridge", "B R IH2 JH"), ("brook", "B R UH2 K"), ("burgh", "B ER0 G"),
    ("burg", "B ER0 G"), ("bury", "B EH2 R IY0"), ("chester", "CH EH2 S T ER0"), ("cester", "S T ER0"),
    ("dale", "D EY2 L"), ("ford", "F ER0 D"), ("ham", "AH0 M"), ("haven", "HH EY2 V AH0 N"), ("hurst", "HH ER2 S T"),
    ("minster", "M IH2 N S T ER0"), ("more", "M AO2 R"), ("mouth", "M AH0 TH"), ("shire", "SH ER0"),
    ("stone", "S T OW2 N"), ("ton", "T AH0 N"), ("town", "T AW2 N"), ("ville", "V IH2 L"), ("wick", "W IH2 K"),
    ("worth", "W ER0 TH"), ("sville", "Z V IH2 L"), ("son", "S AH0 N"), ("man", "M AH0 N"), ("men", "M AH0 N"),
    ("sman", "Z M AH0 N"), ("smen", "Z M AH0 N"), ("land", "L AH0 N D"),
)  # fmt: skip
