"""An answer as text and as a document, whatever its charset and spelling."""

import codecs
import json
import re
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urljoin

from multidict import CIMultiDict
from parsel import Selector
from w3lib.encoding import (
    html_body_declared_encoding,
    http_content_type_encoding,
    read_bom,
    resolve_encoding,
)

# The encodings of the web (the Encoding standard), by the names that Python gives them. Python
# knows more codecs, and some of those (hex, idna, punycode) turn no bytes into text.
_WEB_ENCODINGS = {
    *("utf-8", "utf-16", "utf-16-le", "utf-16-be", "ascii", "gbk", "gb18030", "big5", "big5hkscs"),
    *("euc_jp", "iso2022_jp", "shift_jis", "cp932", "euc_kr", "cp949", "koi8-r", "koi8-u"),
    *(f"cp{number}" for number in (866, 874, *range(1250, 1259))),
    *(f"iso8859-{number}" for number in range(1, 17)),
    *("mac-roman", "mac-cyrillic"),
}
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Page:
    """One answer that is to be read: its URL after redirects, headers and unpacked body."""

    url: str
    headers: CIMultiDict[str]
    body: bytes

    @cached_property
    def text(self) -> str:
        """The body as text: by its byte order mark, its declared charset, or as what fits."""
        encoding, mark = read_bom(self.body)
        if encoding is not None and mark is not None:
            return self.body[len(mark) :].decode(encoding, errors="replace")
        declared = http_content_type_encoding(self.headers.get("Content-Type"))
        for encoding in (declared, html_body_declared_encoding(self.body)):
            if encoding is not None and is_web_encoding(encoding):
                return self.body.decode(resolve_encoding(encoding) or encoding, errors="replace")
        try:
            return self.body.decode()
        except UnicodeDecodeError:
            return self.body.decode("cp1252", errors="replace")

    @cached_property
    def document(self) -> Selector:
        """The body as an HTML document."""
        return Selector(text=self.text, type="html")

    @cached_property
    def base(self) -> str:
        """What the page's references are relative to: its URL, or the first ``<base href>``."""
        href = self.document.xpath("//base/@href").get()
        try:
            return urljoin(self.url, href.strip()) if href else self.url
        except ValueError:
            return self.url

    def json(self) -> object:
        """Return the body as JSON; a broken character or an endless number spoils nothing else.

        Raises:
            ValueError: it is not JSON.
            RecursionError: it is nested too deeply.
        """
        declared = http_content_type_encoding(self.headers.get("Content-Type"))
        if declared is None or not is_web_encoding(declared):
            declared = json.detect_encoding(self.body)
        text = self.body.decode(declared, errors="replace").removeprefix("\ufeff")
        return json.loads(text, parse_int=_bounded_integer)


def is_web_encoding(name: str) -> bool:
    """Whether ``name`` is an encoding that pages are written in."""
    try:
        return codecs.lookup(resolve_encoding(name) or name).name in _WEB_ENCODINGS
    except (LookupError, ValueError):  # ValueError: a name with a NUL
        return False


def without_surrogates(text: str) -> str:
    """Return ``text`` with U+FFFD for lone surrogates, which JSON may hold and UTF-8 cannot."""
    return _LONE_SURROGATE.sub("\ufffd", text)


def _bounded_integer(digits: str) -> int | float:
    # Python refuses to read, and to write, integers of more than 4,300 digits.
    return int(digits) if len(digits) <= 400 else float(digits)
