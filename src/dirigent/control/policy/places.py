"""Which bodies of law speak for a recipient, by country. Not legal advice: a table to be signed by counsel.

A country that is not known gets every body of law there is, so that the strictest candidate decides. A
country that is known but for which no rules were written gets none, and `has_pack` says so.

Sources: Regulation (EU) 2016/679 and Directive 2002/58/EC article 13 with the EEA agreement; UK PECR 2003
and the UK, Jersey, Guernsey and Isle of Man data protection acts; Swiss UWG article 3(1)(o); German UWG
section 7, Austrian TKG 2021 section 174, Italian Codice Privacy article 130 (prior consent also between
businesses); CASL (S.C. 2010, c. 23); CAN-SPAM (15 U.S.C. 7701) and TCPA (47 U.S.C. 227); Australian Spam
Act 2003; Japanese Act on Regulation of Transmission of Specified Electronic Mail.
"""

from __future__ import annotations

GDPR, PRIOR_CONSENT, CASL, US, AUSTRALIA, JAPAN = "GDPR", "PRIOR_CONSENT", "CASL", "US", "AU", "JP"
ALL_REGIMES = (GDPR, PRIOR_CONSENT, CASL, US, AUSTRALIA, JAPAN)

_EEA_CODES = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE IS LI NO"
_LIKE_EEA = ("GB", "JE", "GG", "IM", "CH")
_PRIOR_CONSENT = ("DE", "AT", "IT")
_REGIMES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys((*_EEA_CODES.split(), *_LIKE_EEA), (GDPR,)),
    **dict.fromkeys(_PRIOR_CONSENT, (GDPR, PRIOR_CONSENT)),
    "CA": (CASL,),
    "US": (US,),
    "PR": (US,),
    "AU": (AUSTRALIA,),
    "JP": (JAPAN,),
}
_OTHER_NAMES = {
    "UK": "GB",
    "EL": "GR",
    "USA": "US",
    "UNITED KINGDOM": "GB",
    "GREAT BRITAIN": "GB",
    "UNITED STATES": "US",
    "UNITED STATES OF AMERICA": "US",
    "GERMANY": "DE",
    "DEUTSCHLAND": "DE",
    "AUSTRIA": "AT",
    "FRANCE": "FR",
    "ITALY": "IT",
    "SPAIN": "ES",
    "NETHERLANDS": "NL",
    "BELGIUM": "BE",
    "IRELAND": "IE",
    "EIRE": "IE",
    "SWITZERLAND": "CH",
    "CANADA": "CA",
    "AUSTRALIA": "AU",
    "JAPAN": "JP",
}


def country_code(value: object) -> str:
    """The two-letter code that a text stands for; empty where that is not certain."""
    text = value.strip().upper() if isinstance(value, str) else ""
    code = _OTHER_NAMES.get(text, text)
    return code if len(code) == 2 and code.isascii() and code.isalpha() else ""


def regimes_of(country: str) -> tuple[str, ...]:
    """The bodies of law for a country code; all of them for an unknown country."""
    return _REGIMES.get(country, ()) if country else ALL_REGIMES


def has_pack(country: str) -> bool:
    """Whether rules were written for this country."""
    return country in _REGIMES
