"""How a handle is written, so that one number or address is one value however it was typed."""

import re
import unicodedata

import phonenumbers

from chatcore.texts import checked_text, refused

MAX_VALUE_LENGTH = 254
SHORTEST_NATIONAL = 7
TELEPHONES = frozenset({"mms", "phone", "sms", "voice", "whatsapp"})
_CHANNEL = re.compile(r"[a-z][a-z0-9_.-]{0,39}", re.ASCII)


def checked_channel(value: str, pointer: str = "/channel") -> str:
    """The name of a channel, in small letters. Raises Invalid."""
    channel = checked_text(value, pointer, limit=40).strip().lower()
    if not _CHANNEL.fullmatch(channel):
        raise refused(pointer, "must be a word such as sms, email or slack", "channel")
    return channel


def normalised(channel: str, value: str, *, country: str = "", pointer: str = "/value") -> str:
    """The one way to write this handle. Raises Invalid, pointing at it.

    Telephone numbers become E.164; those without a country code are of `country` (two letters), or refused. E-mail
    addresses are folded by NFKC and case. Handles of other channels keep their case: it may tell them apart.
    """
    text = checked_text(value, pointer, limit=MAX_VALUE_LENGTH).strip()
    if any(unicodedata.category(character)[0] == "C" for character in text):
        raise refused(pointer, "must not contain characters that cannot be seen", "invisible")
    if channel in TELEPHONES:
        return _telephone(text, country, pointer)
    found = _folded(text, pointer) if channel == "email" else unicodedata.normalize("NFC", text)
    if len(found) > MAX_VALUE_LENGTH:
        raise refused(pointer, f"has more than {MAX_VALUE_LENGTH} characters once normalised", "too_long")
    return found


def _telephone(text: str, country: str, pointer: str) -> str:
    """E.164. A short code, a name in place of a number or an extension is none: as a number it would be another's."""
    trouble = refused(
        pointer, "must be a telephone number with its country code: +43 660 1234567", "telephone"
    )
    if any(character.isalpha() for character in text):
        raise trouble
    try:
        number = phonenumbers.parse(text, country.upper() or None)
    except phonenumbers.NumberParseException:
        raise trouble from None
    if number.extension or not _is_one(number, is_whole=text.startswith(("+", "＋"))):
        raise trouble
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _is_one(number: phonenumbers.PhoneNumber, *, is_whole: bool) -> bool:
    """Numbers without a country code are looked at closely: five digits may be a short code of any network."""
    if is_whole:
        return phonenumbers.is_possible_number(number)
    digits = phonenumbers.national_significant_number(number)
    return len(digits) >= SHORTEST_NATIONAL and phonenumbers.is_valid_number(number)


def _folded(text: str, pointer: str) -> str:
    folded = text
    for _ in range(2):  # once more: folding can make new pairs that NFKC joins
        folded = unicodedata.normalize("NFKC", folded).casefold()
    folded = unicodedata.normalize("NFKC", folded)
    name, at, domain = folded.rpartition("@")
    spaced = any(character.isspace() for character in folded)
    if not (name and at and domain) or "@" in name or spaced:
        raise refused(pointer, "must be an e-mail address", "email")
    return folded
