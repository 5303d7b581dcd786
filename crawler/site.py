"""Site descriptions: the TOML file that says what to collect from one site, and how gently."""

import hashlib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import jmespath  # type: ignore[import-untyped, unused-ignore]
from cssselect import SelectorError
from parsel import Selector as ParselSelector
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from avatargan.errors import CrawlError, did_you_mean
from avatargan.version import __version__
from crawler.addresses import AddressPolicy, RefusedAddressError, check_url
from crawler.urls import absolute_url, host_of
from crawler.wishes import PRODUCT

# Names that the standards reserve for examples (RFC 2606): a description with one of them has not
# been filled in yet.
_PLACEHOLDERS = ("example", "example.com", "example.net", "example.org", "invalid", "test")

_HOST_PATTERN = re.compile(r"\*|(\*\.)?([a-z0-9_-]+\.)*[a-z0-9_-]+")


def _compilable_selector(text: str) -> str:
    try:
        probe = ParselSelector(text="<html></html>", type="html")
        probe.xpath(text[6:]) if text.startswith("xpath:") else probe.css(text)
    except (SelectorError, ValueError) as error:
        raise ValueError(f"{text!r} is not a selector: {error}") from None
    return text


def _compilable_expression(text: str) -> str:
    try:
        jmespath.compile(text)
    except jmespath.exceptions.JMESPathError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{text!r} is not a JMESPath expression: {reason}") from None
    return text


def _absolute_http_url(text: str) -> str:
    url = absolute_url(text, text)
    try:
        if url is None:
            raise RefusedAddressError(f"{text!r} is not an absolute http or https URL")
        # Addresses are judged later, by the policy of the run; here only the form counts.
        check_url(url, AddressPolicy.PUBLIC_AND_PRIVATE)
    except RefusedAddressError as error:
        raise ValueError(str(error)) from None
    return url


def _host_pattern(text: str) -> str:
    if not _HOST_PATTERN.fullmatch(text):
        raise ValueError(f"{text!r} is not a host such as 'shop.org', '*.shop.org' or '*'")
    return text


Host = Annotated[str, AfterValidator(_host_pattern)]
Selector = Annotated[str, Field(min_length=1), AfterValidator(_compilable_selector)]
Expression = Annotated[str, Field(min_length=1), AfterValidator(_compilable_expression)]
HttpUrl = Annotated[str, AfterValidator(_absolute_http_url)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class PageRules(_Table):
    """``[pages]``: a site of HTML pages. Selectors are CSS, or XPath after ``xpath:``."""

    start: list[HttpUrl] = Field(min_length=1)
    follow: Selector | None = None
    next: Selector | None = None
    max_depth: int = Field(default=3, ge=0, le=100)
    each: Selector | None = None
    image: Selector
    tags: Selector | None = None
    title: Selector | None = None
    author: Selector | None = None
    licence: Selector | None = None
    terms: Selector | None = None


class ApiFields(_Table):
    """``[api.fields]``: where a post holds what. JMESPath expressions relative to the post."""

    image: Expression
    tags: list[Expression] = []
    title: Expression | None = None
    author: Expression | None = None
    licence: Expression | None = None
    terms: Expression | None = None


class ApiRules(_Table):
    """``[api]``: a JSON API that lists posts (booru style)."""

    url: str
    first_page: int = Field(default=1, ge=0)
    posts: Expression = "@"
    post_page: str | None = None
    fields: ApiFields
    require: dict[str, list[str]] = {}

    @field_validator("url")
    @classmethod
    def _holds_page_number(cls, url: str) -> str:
        if "{page}" not in url:
            raise ValueError(f"{url!r} needs {{page}} where the number of the page goes")
        _absolute_http_url(url.replace("{page}", "1"))
        return url

    def page_url(self, number: int) -> str:
        """Return the URL of one page of the listing."""
        return _absolute_http_url(self.url.replace("{page}", str(number)))


class Rate(_Table):
    """``[rate]``: how gently. Every figure can only be made gentler than the default rate."""

    seconds_between_requests: float = Field(default=1.0, ge=1.0, le=3600.0)
    retries: int = Field(default=3, ge=0, le=10)
    max_wait_minutes: float = Field(default=10.0, ge=0.0, le=1440.0)
    timeout_seconds: float = Field(default=60.0, gt=0.0, le=600.0)


class Limits(_Table):
    """``[limits]``: where a run stops, and what is too large or too small to be taken."""

    max_images: int | None = Field(default=None, ge=1)
    max_bytes: int | None = Field(default=None, ge=1)
    max_minutes: float | None = Field(default=None, gt=0)
    max_pages: int = Field(default=10_000, ge=1)
    max_page_bytes: int = Field(default=5_000_000, ge=1_000, le=100_000_000)
    max_image_bytes: int = Field(default=20_000_000, ge=1_000, le=200_000_000)
    min_side: int = Field(default=64, ge=1)
    near_duplicate_distance: int = Field(default=4, ge=0, le=16)


class StatedTerms(_Table):
    """``[terms]``: the site's terms as the person who wrote the description read them."""

    licence: str | None = None
    terms: str | None = None


class SiteDescription(_Table):
    """One site: what to collect from it and how. Read with :func:`load_site`."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    contact: str
    hosts: list[Host] = []
    image_hosts: list[Host] = []
    recheck_images: bool = True
    require_tags: list[str] = []
    exclude_tags: list[str] = []
    ignore_parameters: list[str] = []
    pages: PageRules | None = None
    api: ApiRules | None = None
    attributes: dict[str, dict[str, str]] = {}
    terms: StatedTerms = StatedTerms()
    rate: Rate = Rate()
    limits: Limits = Limits()

    @field_validator("contact")
    @classmethod
    def _reachable_contact(cls, contact: str) -> str:
        looks_right = contact.startswith(("https://", "http://")) or "@" in contact[1:-1]
        if not looks_right or not contact.isascii() or not contact.isprintable():
            raise ValueError(
                f"{contact!r} is neither an e-mail address nor a URL; "
                "site owners need a way to reach you"
            )
        return contact

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.pages is None) == (self.api is None):
            raise ValueError("exactly one of [pages] and [api] is needed")
        return self

    @field_validator("ignore_parameters")
    @classmethod
    def _in_lower_case(cls, names: list[str]) -> list[str]:
        return [name.lower() for name in names]

    @property
    def start_urls(self) -> list[str]:
        """The URLs where every run begins."""
        if self.pages is not None:
            return list(self.pages.start)
        assert self.api is not None
        return [self.api.page_url(self.api.first_page)]

    @property
    def page_hosts(self) -> list[str]:
        """The hosts whose pages are read: those of the start pages, and ``hosts``."""
        return [*dict.fromkeys([*map(host_of, self.start_urls), *self.hosts])]

    @property
    def picture_hosts(self) -> list[str]:
        """The hosts that pictures are taken from: those of the pages, and ``image_hosts``."""
        return [*dict.fromkeys([*self.page_hosts, *self.image_hosts])]

    @property
    def user_agent(self) -> str:
        """Who we are and how to reach the person who runs this crawl."""
        return f"{PRODUCT}/{__version__} (+{self.contact})"

    @property
    def digest(self) -> str:
        """SHA-256 of what is collected; how fast and how much may change without starting over."""
        judging = self.limits.model_dump(include={"min_side", "max_image_bytes"})
        unused = set() if self.ignore_parameters else {"ignore_parameters"}
        collected = self.model_dump_json(exclude={"rate", "limits", "contact", *unused})
        content = collected + str(judging)
        return hashlib.sha256(content.encode()).hexdigest()

    def placeholder(self) -> str | None:
        """Return the first example host or contact that was never filled in, or None."""
        candidates = [*self.page_hosts, *self.image_hosts]
        candidates.append(host_of(self.contact) or self.contact.rpartition("@")[2].lower())
        for candidate in candidates:
            if any(candidate == name or candidate.endswith("." + name) for name in _PLACEHOLDERS):
                return candidate
        return None


def load_site(path: Path) -> SiteDescription:
    """Read and check the description at ``path``.

    Raises:
        CrawlError: it cannot be read, is not TOML, or has a key or value that is not allowed; the
            message names the key and, for a misspelt one, the nearest right one.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CrawlError(f"cannot read {path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CrawlError(f"{path} is not valid TOML: {error}") from None
    try:
        return SiteDescription.model_validate(content)
    except ValidationError as error:
        raise CrawlError(f"{path}: {_first_problem(error, content)}") from None


def ready_descriptions() -> list[Path]:
    """Return the example descriptions that come with the crawler, to copy and fill in."""
    return sorted((Path(__file__).parent / "sites").glob("*.toml"))


def _first_problem(error: ValidationError, content: dict[str, Any]) -> str:
    details = error.errors(include_url=False)
    # A misspelt key also leaves its right spelling missing: name the misspelling first.
    detail = min(details, key=lambda each: each["type"] != "extra_forbidden")
    path = detail["loc"]
    key = ".".join(str(part) for part in path) or "the description"
    if detail["type"] == "extra_forbidden":
        hint = did_you_mean(str(path[-1]), _keys_at(path[:-1]))
        return f"unknown key {key!r}{hint}"
    if detail["type"] == "missing":
        return f"{key!r} is missing"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{key}: {message[:1].lower()}{message[1:]}"


def _keys_at(path: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = SiteDescription
    tables: dict[str, type[BaseModel]] = {
        "pages": PageRules,
        "api": ApiRules,
        "fields": ApiFields,
        "rate": Rate,
        "limits": Limits,
        "terms": StatedTerms,
    }
    for part in path:
        model = tables.get(str(part), model)
    return list(model.model_fields)


AttributeMap = dict[str, dict[str, str]]
Kind = Literal["page", "image"]
