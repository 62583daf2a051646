"""The raw tables: a contract each. A further table is one more in `CONTRACTS`."""

from stages.contracts import Column, Contract, Kind

_PIXELS = tuple(Column(name=f"px{pixel:02}", kind=Kind.INTEGER, low=0, high=16) for pixel in range(64))

LANGUAGES = ("de", "es", "fi", "fr", "it", "nl", "pl", "pt", "sv", "tr")
WEATHER = ("drizzle", "fog", "rain", "snow", "sun")

# The ranges are those of the rows that there are, with a margin for further ones.
DIGITS = Contract(
    table="digits",
    columns=(*_PIXELS, Column(name="digit", kind=Kind.INTEGER, low=0, high=9, shares=(0.05, 0.15))),
    rows=(1500, 2500),
)
DIABETES = Contract(
    table="diabetes",
    columns=(
        Column(name="age", low=15, high=100),
        Column(name="sex", low=1, high=2, among=(1, 2)),
        Column(name="bmi", low=12, high=60),
        Column(name="bp", low=40, high=180),
        Column(name="s1", low=60, high=450),
        Column(name="s2", low=20, high=350),
        Column(name="s3", low=10, high=150),
        Column(name="s4", low=1, high=15),
        Column(name="s5", low=2, high=8),
        Column(name="s6", low=40, high=250),
        Column(name="progression", low=10, high=500),
    ),
    rows=(400, 600),
)
WINE = Contract(
    table="wine",
    columns=(
        Column(name="alcohol", low=8, high=17),
        Column(name="malic_acid", low=0.2, high=9),
        Column(name="ash", low=1, high=5),
        Column(name="alcalinity_of_ash", low=5, high=40),
        Column(name="magnesium", low=50, high=220),
        Column(name="total_phenols", low=0.3, high=6),
        Column(name="flavanoids", low=0.1, high=8),
        Column(name="nonflavanoid_phenols", low=0.02, high=1.5),
        Column(name="proanthocyanins", low=0.1, high=6),
        Column(name="color_intensity", low=0.5, high=20),
        Column(name="hue", low=0.2, high=3),
        Column(name="od280_od315_of_diluted_wines", low=0.5, high=6),
        Column(name="proline", low=150, high=2500),
        Column(name="cultivar", kind=Kind.INTEGER, low=0, high=2, shares=(0.2, 0.5)),
    ),
    rows=(150, 250),
)
COUNTRY_NAMES = Contract(
    table="country_names",
    columns=(
        Column(name="language", kind=Kind.CODE, among=LANGUAGES, shares=(0.08, 0.12)),
        Column(name="country", kind=Kind.CODE),
        Column(name="name", kind=Kind.NAME),
    ),
    rows=(2000, 3000),
)
SEATTLE_WEATHER = Contract(
    table="seattle_weather",
    columns=(
        Column(name="date", kind=Kind.DAY),
        Column(name="precipitation", low=0, high=150),
        Column(name="temp_max", low=-15, high=45),
        Column(name="temp_min", low=-20, high=30),
        Column(name="wind", low=0, high=30),
        Column(name="weather", kind=Kind.CODE, among=WEATHER, shares=(0.005, 0.7)),
    ),
    rows=(1000, 4000),
)
CONTRACTS = (DIGITS, DIABETES, WINE, COUNTRY_NAMES, SEATTLE_WEATHER)
