"""Unicode's mathematical alphabets (block U+1D400): the letter that draws bold, double-struck, script and so on."""

ORDER = (
    *("bold", "italic", "bold-italic", "script", "bold-script", "fraktur", "double-struck", "bold-fraktur"),
    *("sans-serif", "bold-sans-serif", "sans-serif-italic", "sans-serif-bold-italic", "monospace"),
)
FIRST_LATIN = 0x1D400  # then 52 letters, A–Z and a–z, for each style in turn
GREEK = {"bold": 0x1D6A8, "italic": 0x1D6E2, "bold-italic": 0x1D71C, "bold-sans-serif": 0x1D756}
GREEK_CAPITAL, GREEK_SMALL = 0x1D6A8 - 0x0391, 0x1D6C2 - 0x03B1
DIGITS = {
    "bold": 0x1D7CE,
    "double-struck": 0x1D7D8,
    "sans-serif": 0x1D7E2,
    "bold-sans-serif": 0x1D7EC,
    "monospace": 0x1D7F6,
}
# Letters that had a place of their own before the block was made.
ELSEWHERE = {
    ("italic", "h"): "ℎ",
    **{("script", letter): code for letter, code in zip("BEFHILMRego", "ℬℰℱℋℐℒℳℛℯℊℴ", strict=True)},
    **{("fraktur", letter): code for letter, code in zip("CHIRZ", "ℭℌℑℜℨ", strict=True)},
    **{("double-struck", letter): code for letter, code in zip("CHNPQRZ", "ℂℍℕℙℚℝℤ", strict=True)},
}


def restyled(text: str, style: str) -> str:
    """`text` in the letters of `style` (a MathML `mathvariant`); characters without one stay as they are."""
    return "".join(_letter(character, style) for character in text)


def _letter(character: str, style: str) -> str:
    if (style, character) in ELSEWHERE:
        return ELSEWHERE[style, character]
    if character.isascii() and character.isalpha() and style in ORDER:
        index = ord(character) - (ord("A") if character.isupper() else ord("a") - 26)
        return chr(FIRST_LATIN + 52 * ORDER.index(style) + index)
    if character.isascii() and character.isdigit() and style in DIGITS:
        return chr(DIGITS[style] + int(character))
    if style in GREEK and ("Α" <= character <= "Ω" or "α" <= character <= "ω"):
        offset = GREEK_SMALL if character >= "α" else GREEK_CAPITAL
        return chr(ord(character) + offset + GREEK[style] - GREEK["bold"])
    return character
