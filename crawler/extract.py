"""Reading pages and API answers: which pages and pictures they name, and what they say of them."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import jmespath  # type: ignore[import-untyped, unused-ignore]
from parsel import Selector, SelectorList
from scrapy.http import TextResponse

from crawler.ledger import Context, Found, Target
from crawler.site import PRODUCT, ApiRules, AttributeMap, PageRules, SiteDescription
from crawler.urls import absolute_url

_MAX_TEXT = 500
_MAX_TAGS = 500
_MAX_FOUND = 5_000
# Where pages state a licence when the description names no selector for it.
_COMMON_LICENCES = (
    "[rel~=license]::attr(href)",
    "meta[name='dcterms.license']::attr(content)",
    "meta[name=copyright]::attr(content)",
)
# The value of a meta element whose name is written in any case.
_META = "xpath://meta[translate(@name, 'TDMRESVAIONB', 'tdmresvaionb') = '{}']/@content"
_ROBOTS_META = _META.format("robots")
_RESERVATION_META = _META.format("tdm-reservation")
_URL_ATTRIBUTES = ("src", "href", "content")
# What asks not to have pictures collected, in robots meta tags and X-Robots-Tag headers.
_NO_PICTURES = {"none", "noindex", "noimageindex", "noai", "noimageai"}
_NO_LINKS = {"none", "nofollow"}
_VALUED_DIRECTIVES = {
    "max-image-preview",
    "max-snippet",
    "max-video-preview",
    "unavailable_after",
}


@dataclass
class PageContent:
    """What one page names, and how often each selector of the description matched on it."""

    found: list[Found] = field(default_factory=list)
    further: Found | None = None
    matches: dict[str, int] = field(default_factory=dict)
    opted_out: str | None = None


class UnreadablePageError(ValueError):
    """A page is not what the description says: not HTML, or not the JSON of an API."""


def read_page(response: TextResponse, target: Target, site: SiteDescription) -> PageContent:
    """Return what the page or API answer ``response`` names.

    Raises:
        UnreadablePageError: the body is not HTML or not JSON.
    """
    if site.pages is not None:
        return _read_html(response, target, site, site.pages)
    assert site.api is not None
    return _read_api(response, target, site, site.api)


def opt_out(directives: Iterable[str], reservations: Iterable[str]) -> set[str]:
    """Return the lower-case robots directives that apply to us.

    ``directives`` are values of X-Robots-Tag headers or robots meta tags, ``reservations`` those
    of the TDM reservation protocol, whose "1" reserves the right to mine.
    """
    words = set()
    for value in directives:
        for_us = True
        for word in value.lower().split(","):
            name, colon, rest = word.strip().partition(":")
            if colon and name.strip() not in _VALUED_DIRECTIVES:
                # "somebot: noindex" speaks, to the end of the line, to one crawler alone.
                for_us, name = name.strip() == PRODUCT, rest
            if for_us:
                words.add(name.strip())
    if any(value.strip() == "1" for value in reservations):
        words.add("noai")
    return words


def forbids_pictures(directives: set[str]) -> str | None:
    """Return the directive that asks not to collect pictures, or None."""
    return min(directives & _NO_PICTURES, default=None)


def attributes_of(tags: Iterable[str], mapping: AttributeMap) -> dict[str, str]:
    """Return the attributes that ``tags`` stand for.

    An attribute that the tags give two values (two characters, most often) is left out: a wrong
    label is worse than none.
    """
    normalised = {normalise_tag(tag) for tag in tags}
    attributes = {}
    for attribute, values in mapping.items():
        choices = {value for tag, value in values.items() if normalise_tag(tag) in normalised}
        if len(choices) == 1:
            attributes[attribute] = choices.pop()
    return attributes


def normalise_tag(tag: str) -> str:
    """Return a tag the way tags are compared: lower case, underscores for spaces."""
    return "_".join(tag.lower().split())


def _read_html(
    response: TextResponse, target: Target, site: SiteDescription, rules: PageRules
) -> PageContent:
    kinds = _headers(response, "Content-Type")
    if kinds and "html" not in kinds[0].lower():
        raise UnreadablePageError("not an HTML page")
    document = response.selector
    content = PageContent()
    directives = opt_out(
        [
            *_headers(response, "X-Robots-Tag"),
            *_texts(document, _ROBOTS_META),
        ],
        [*_headers(response, "TDM-Reservation"), *_texts(document, _RESERVATION_META)],
    )
    content.opted_out = forbids_pictures(directives)
    _read_pictures(response, document, site, rules, content)
    if content.opted_out:
        content.found.clear()
    if rules.follow is not None:
        links = _urls(response, document, rules.follow)
        content.matches["pages.follow"] = len(links)
        if target.depth < rules.max_depth and not directives & _NO_LINKS:
            content.found += [Found(url, "page", depth=target.depth + 1) for url in links]
    if rules.next is not None:
        further = _urls(response, document, rules.next)
        content.matches["pages.next"] = len(further)
        if further and not directives & _NO_LINKS:
            content.further = Found(further[0], "page", depth=target.depth)
    content.found = content.found[:_MAX_FOUND]
    return content


def _read_pictures(
    response: TextResponse,
    document: Selector,
    site: SiteDescription,
    rules: PageRules,
    content: PageContent,
) -> None:
    scopes = list(_select(document, rules.each)) if rules.each is not None else [document]
    if rules.each is not None:
        content.matches["pages.each"] = len(scopes)
    fields = ("tags", "title", "author", "licence", "terms")
    named = {name: getattr(rules, name) for name in fields if getattr(rules, name) is not None}
    content.matches["pages.image"] = 0
    content.matches.update({f"pages.{name}": 0 for name in named})
    for scope in scopes:
        values: dict[str, list[str]] = {}
        for name, selector in named.items():
            # What is said once for the whole page holds for each picture on it.
            values[name] = _texts(scope, selector) or _texts(document, selector)
            content.matches[f"pages.{name}"] += len(values[name])
        if "licence" not in values:
            values["licence"] = _stated_licence(scope) or _stated_licence(document)
        context = _context(values.get("tags", []), values, site)
        urls = _urls(response, scope, rules.image)
        content.matches["pages.image"] += len(urls)
        if _wanted(context.tags, site):
            content.found += [Found(url, "image", context=context) for url in urls]


def _stated_licence(scope: Selector) -> list[str]:
    return next((found for css in _COMMON_LICENCES if (found := _texts(scope, css))), [])


def _read_api(
    response: TextResponse, target: Target, site: SiteDescription, rules: ApiRules
) -> PageContent:
    try:
        answer = json.loads(response.body)
    except (ValueError, RecursionError) as error:
        raise UnreadablePageError(f"not JSON ({error})") from None
    posts = jmespath.search(rules.posts, answer)
    content = PageContent()
    content.opted_out = forbids_pictures(
        opt_out(_headers(response, "X-Robots-Tag"), _headers(response, "TDM-Reservation"))
    )
    number = target.page_number if target.page_number is not None else rules.first_page
    is_list = isinstance(posts, list)
    posts = [post for post in posts if isinstance(post, dict)] if is_list else []
    if number == rules.first_page:
        content.matches["api.posts"] = int(is_list)
    if posts:
        content.matches["api.fields.image"] = 0
        content.matches.update({f"api.require.{key}": 0 for key in rules.require})
        content.further = Found(rules.page_url(number + 1), "page", page_number=number + 1)
    for post in posts[:_MAX_FOUND]:
        found = _read_post(response, post, site, rules, content)
        if found is not None and not content.opted_out:
            content.found.append(found)
    return content


def _read_post(
    response: TextResponse,
    post: dict[str, Any],
    site: SiteDescription,
    rules: ApiRules,
    content: PageContent,
) -> Found | None:
    accepted = True
    for expression, allowed in rules.require.items():
        value = jmespath.search(expression, post)
        content.matches[f"api.require.{expression}"] += value is not None
        accepted = accepted and str(value) in allowed
    image = jmespath.search(rules.fields.image, post)
    content.matches["api.fields.image"] += isinstance(image, str)
    url = absolute_url(response.url, image) if isinstance(image, str) else None
    if not accepted or url is None:
        return None
    page = rules.post_page
    if page is not None:
        page = re.sub(r"\{(\w+)\}", lambda key: quote(str(post.get(key[1], "")), safe=""), page)
    tags: list[str] = []
    for expression in rules.fields.tags:
        value = jmespath.search(expression, post)
        tags += value.split() if isinstance(value, str) else _strings(value)
    fields = ("title", "author", "licence", "terms")
    values = {
        name: _strings(jmespath.search(getattr(rules.fields, name), post))
        for name in fields
        if getattr(rules.fields, name) is not None
    }
    context = replace(_context(tags, values, site), page=page)
    return Found(url, "image", context=context) if _wanted(context.tags, site) else None


def _context(tags: list[str], values: dict[str, list[str]], site: SiteDescription) -> Context:
    normalised = tuple(dict.fromkeys(tag for tag in map(normalise_tag, tags) if tag))[:_MAX_TAGS]

    def first(name: str) -> str | None:
        return next(iter(values.get(name, [])), None)

    return Context(
        title=first("title"),
        author=first("author"),
        licence=first("licence") or site.terms.licence,
        terms=first("terms") or site.terms.terms,
        tags=normalised,
        attributes=attributes_of(normalised, site.attributes),
    )


def _wanted(tags: tuple[str, ...], site: SiteDescription) -> bool:
    required = {normalise_tag(tag) for tag in site.require_tags}
    excluded = {normalise_tag(tag) for tag in site.exclude_tags}
    return required <= set(tags) and not excluded & set(tags)


def _select(scope: Selector, selector: str) -> SelectorList[Selector]:
    if selector.startswith("xpath:"):
        return scope.xpath(selector[6:])
    return scope.css(selector)


def _texts(scope: Selector, selector: str) -> list[str]:
    """Return the text of what matches: of an element all text within, of an attribute its value."""
    texts = []
    for match in _select(scope, selector):
        is_element = not isinstance(match.root, str)
        text = "".join(match.xpath(".//text()").getall()) if is_element else match.root
        text = " ".join(text.split())[:_MAX_TEXT]
        if text:
            texts.append(text)
    return texts


def _urls(response: TextResponse, scope: Selector, selector: str) -> list[str]:
    """Return the URLs that match, each once: attribute values, or of an element its src or href."""
    base = _base_url(response)
    urls = []
    for match in _select(scope, selector):
        value: str | None
        if isinstance(match.root, str):
            value = match.root
        else:
            value = next(
                (match.attrib[name] for name in _URL_ATTRIBUTES if name in match.attrib), None
            )
        url = absolute_url(base, value) if value else None
        if url is not None:
            urls.append(url)
    return list(dict.fromkeys(urls))


def _base_url(response: TextResponse) -> str:
    try:
        return response.urljoin("")  # heeds <base href>
    except ValueError:
        return response.url


def _headers(response: TextResponse, name: str) -> list[str]:
    return [value.decode("latin-1") for value in response.headers.getlist(name)]


def _strings(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    kept = [str(each) for each in values if isinstance(each, str | int | float)]
    return [" ".join(text.split())[:_MAX_TEXT] for text in kept if text.strip()]
