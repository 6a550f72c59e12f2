"""The characters of a verdict, as the patterns know them."""

import re
import unicodedata

_SIGNS = {
    "\u2212": "-",  # the sign for minus
    "\u2044": "/",  # the slash of fractions
    "\u2192": ":",  # an arrow
    "\u2018": "'",
    "\u2019": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\r": "\n",
    "\x85": "\n",
    "\u2028": "\n",
    "\u2029": "\n",
}
_FENCE = re.compile(r"^[ \t]{0,4}(?:```|~~~)\w{0,20}[ \t]{0,4}$", re.MULTILINE)


def plain_text(text: str) -> str:
    """The text in plain digits, quotes and spaces, without Markdown's fences.

    No Unicode normalisation: it would make 71/2 of seven and a half.
    """
    plain = "".join(map(_plain_sign, text.replace("\r\n", "\n")))
    return _FENCE.sub("", plain).strip()


def _plain_sign(sign: str) -> str:
    if sign in _SIGNS:
        return _SIGNS[sign]
    if sign.isascii() and sign.isprintable():
        return sign
    category = unicodedata.category(sign)
    if category == "Nd":
        return str(unicodedata.decimal(sign))
    if "\uff01" <= sign <= "\uff5e":  # full width
        return chr(ord(sign) - 0xFEE0)
    if category in ("Cc", "Zs"):
        return "\n" if sign == "\n" else " "
    return "" if category == "Cf" else sign
