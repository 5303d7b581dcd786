"""Reading pages and API answers: which pages and pictures they name, and what they say of them."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import jmespath  # type: ignore[import-untyped, unused-ignore]
from parsel import Selector, SelectorList

from crawler.ledger import Context, Found, Target
from crawler.page import Page, without_surrogates
from crawler.site import ApiRules, AttributeMap, PageRules, SiteDescription
from crawler.urls import absolute_url
from crawler.wishes import Wishes

_MAX_TEXT = 500
_MAX_TAGS = 500
_MAX_FOUND = 20_000
# Where pages state a licence when the description names no selector for it.
_COMMON_LICENCES = (
    "[rel~=license]::attr(href)",
    "meta[name='dcterms.license']::attr(content)",
    "meta[name=copyright]::attr(content)",
)
_URL_ATTRIBUTES = ("src", "href", "content")
# Where pages that load their pictures by script keep the URL, by how often that is met.
_LAZY_ATTRIBUTES = ("data-src", "data-original", "data-lazy-src", "data-lazy", "data-url")
_SET_ATTRIBUTES = ("srcset", "data-srcset")
_CSS_URL = re.compile(r"url\(\s*[\"']?([^)\"']{1,2000})", re.IGNORECASE)
# An expression that looks at the whole document wherever it is asked from.
_FROM_THE_ROOT = re.compile(r"xpath:\s*/[^|]*\Z")


@dataclass
class PageContent:
    """What one page names, and how often each selector of the description matched on it."""

    found: list[Found] = field(default_factory=list)
    further: Found | None = None
    matches: dict[str, int] = field(default_factory=dict)
    opted_out: str | None = None
    problems: Counter[str] = field(default_factory=Counter)
    """What could not be taken from the page, with how often: it costs nothing but itself."""
    hint: str | None = None
    """Where the pictures may be when the selector matched none."""


class UnreadablePageError(ValueError):
    """A page is not what the description says: not HTML, or not the JSON of an API."""


class BrokenAnswerError(UnreadablePageError):
    """An answer is broken, and may be whole when it is asked for again."""


def read_page(
    page: Page,
    target: Target,
    site: SiteDescription,
    go_on: Callable[[], None] = lambda: None,
) -> PageContent:
    """Return what the page or API answer names.

    ``go_on`` is called again and again, and may end the reading by an exception.

    Raises:
        UnreadablePageError: the body is not HTML or not JSON.
    """
    if site.pages is not None:
        content = _Reader(page, site, site.pages, go_on).read(target)
    else:
        assert site.api is not None
        content = _read_api(page, target, site, site.api, go_on)
    if len(content.found) > _MAX_FOUND:
        content.problems["a page names more than 20,000 URLs: the rest is left out"] += 1
        content.found = content.found[:_MAX_FOUND]
    return content


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


class _Reader:
    """Reads one HTML page, in time that grows with its size and not with its square."""

    def __init__(
        self, page: Page, site: SiteDescription, rules: PageRules, go_on: Callable[[], None]
    ) -> None:
        kind = page.headers.get("Content-Type", "html")
        if "html" not in kind.lower():
            raise UnreadablePageError("not an HTML page")
        self._page = page
        self._site = site
        self._rules = rules
        self._go_on = go_on
        self._document = page.document
        self._of_document: dict[str, list[str]] = {}

    def read(self, target: Target) -> PageContent:
        rules, content = self._rules, PageContent()
        self._go_on()
        wishes = Wishes(self._page.headers, self._meta())
        content.opted_out = wishes.against_collecting
        shunned = self._shunned_links()
        self._read_pictures(content, shunned)
        if content.opted_out:
            content.found.clear()
        stay = wishes.against_following
        if rules.follow is not None:
            links = self._urls(self._document, rules.follow)
            content.matches["pages.follow"] = len(links)
            if target.depth < rules.max_depth and not stay:
                content.found += [
                    Found(url, "page", depth=target.depth + 1)
                    for url in links
                    if url not in shunned
                ]
        if rules.next is not None:
            further = self._urls(self._document, rules.next)
            content.matches["pages.next"] = len(further)
            followable = [url for url in further if url not in shunned]
            if followable and not stay:
                number = (target.page_number or 1) + 1
                content.further = Found(
                    followable[0], "page", depth=target.depth, page_number=number
                )
        return content

    def _read_pictures(self, content: PageContent, shunned: set[str]) -> None:
        rules, document = self._rules, self._document
        scopes: list[Selector] = [document]
        if rules.each is not None:
            scopes = list(_select(document, rules.each))
            content.matches["pages.each"] = len(scopes)
        fields = ("tags", "title", "author", "licence", "terms")
        named = {name: getattr(rules, name) for name in fields if getattr(rules, name) is not None}
        content.matches["pages.image"] = 0
        content.matches.update({f"pages.{name}": 0 for name in named})
        for scope in scopes:
            self._go_on()
            values: dict[str, list[str]] = {}
            for name, selector in named.items():
                # What is said once for the whole page holds for each picture on it.
                values[name] = self._texts(scope, selector) or self._texts(document, selector)
                content.matches[f"pages.{name}"] += len(values[name])
            if "licence" not in values:
                values["licence"] = next(
                    (
                        found
                        for where in (scope, document)
                        for css in _COMMON_LICENCES
                        if (found := self._texts(where, css))
                    ),
                    [],
                )
            urls = self._urls(scope, rules.image)
            content.matches["pages.image"] += len(urls)
            if not urls:
                continue
            context = _context(values.get("tags", []), values, self._site)
            if _wanted(context.tags, self._site):
                content.found += [
                    Found(url, "image", context=context) for url in urls if url not in shunned
                ]
        if content.matches["pages.image"] == 0:
            content.hint = self._where_pictures_may_be()

    def _meta(self) -> Iterator[tuple[str, str]]:
        for element in self._document.xpath("//meta[@content]"):
            name = element.attrib.get("name") or element.attrib.get("http-equiv")
            if name:
                yield name, element.attrib["content"]

    def _shunned_links(self) -> set[str]:
        """Return the URLs that the page links to with ``rel=nofollow`` and in no other way."""
        shunned: set[str] = set()
        followable: set[str] = set()
        for element in self._document.xpath("//*[@rel and @href]"):
            rel = re.split(r"[\s,;]+", element.attrib["rel"].lower())
            if {"nofollow", "noai"} & set(rel):
                shunned.add(element.attrib["href"])
        if shunned:
            followable = {
                element.attrib["href"]
                for element in self._document.xpath("//*[@href]")
                if not re.search(r"no(follow|ai)", element.attrib.get("rel", ""), re.IGNORECASE)
            }
            followable |= set(self._document.xpath("//img/@src").getall())
        return self._absolute(shunned) - self._absolute(followable)

    def _absolute(self, references: Iterable[str]) -> set[str]:
        ignored = self._site.ignore_parameters
        urls = (absolute_url(self._page.base, each, ignored) for each in references)
        return {url for url in urls if url is not None}

    def _texts(self, scope: Selector, selector: str) -> list[str]:
        """Return the text of what matches: of an element all within, of an attribute its value.

        What holds for the whole document is looked for once, however many scopes ask for it.
        """
        if scope is not self._document and not _FROM_THE_ROOT.match(selector):
            return _texts(scope, selector)
        if selector not in self._of_document:
            self._of_document[selector] = _texts(self._document, selector)
        return self._of_document[selector]

    def _urls(self, scope: Selector, selector: str) -> list[str]:
        """Return the URLs that match, each once: attribute values, or what an element shows."""
        urls = []
        for match in _select(scope, selector):
            if isinstance(match.root, str):
                urls.append(self._url(match.root, is_set="srcset" in selector))
                continue
            shown = (
                self._url(match.attrib[name], is_set=name in _SET_ATTRIBUTES)
                for name in (*_URL_ATTRIBUTES, *_LAZY_ATTRIBUTES, *_SET_ATTRIBUTES)
                if name in match.attrib
            )
            urls.append(next((url for url in shown if url is not None), None))
        return list(dict.fromkeys(url for url in urls if url is not None))

    def _url(self, value: str, *, is_set: bool) -> str | None:
        """Return the URL in the value of an attribute: a URL, a ``srcset`` or a style."""
        styled = _CSS_URL.search(value)
        reference = styled[1].strip() if styled else value
        if is_set:
            reference = _largest_of_set(value) or value
        if not reference.strip():  # it would be the page itself
            return None
        return absolute_url(self._page.base, reference, self._site.ignore_parameters)

    def _where_pictures_may_be(self) -> str | None:
        for name in (*_LAZY_ATTRIBUTES, *_SET_ATTRIBUTES):
            elements = self._document.xpath(f"//*[@{name}]")
            if elements:
                tag = elements[0].root.tag
                return (
                    f"the page has {len(elements)} element(s) with {name}: "
                    f'try image = "{tag}::attr({name})"'
                )
        styled = self._document.xpath("//*[contains(@style, 'url(')]")
        if styled:
            tag = styled[0].root.tag
            return (
                f"the page has {len(styled)} CSS background(s): "
                f"try image = \"{tag}[style*='url(']::attr(style)\""
            )
        if self._document.xpath("//style[contains(., 'url(')]"):
            return "the page shows pictures by a style sheet, which is not read"
        return None


def _read_api(
    page: Page,
    target: Target,
    site: SiteDescription,
    rules: ApiRules,
    go_on: Callable[[], None],
) -> PageContent:
    try:
        answer = page.json()
        posts = jmespath.search(rules.posts, answer)
    except RecursionError:
        raise BrokenAnswerError("not JSON (nested too deeply)") from None
    except ValueError as error:
        raise BrokenAnswerError(f"not JSON ({error})") from None
    content = PageContent()
    content.opted_out = Wishes(page.headers).against_collecting
    number = target.page_number if target.page_number is not None else rules.first_page
    is_list = isinstance(posts, list)
    listed = posts if is_list else []
    posts = [post for post in listed if isinstance(post, dict)]
    if number == rules.first_page:
        content.matches["api.posts"] = int(is_list)
    if listed:
        content.matches["api.fields.image"] = 0
        content.matches.update({f"api.require.{key}": 0 for key in rules.require})
        content.further = Found(rules.page_url(number + 1), "page", page_number=number + 1)
    if len(posts) < len(listed):
        content.problems["an API post is not an object"] += len(listed) - len(posts)
    for post in posts:
        go_on()
        try:
            found = _read_post(page, post, site, rules, content)
        # Whatever one post holds, and JMESPath's functions make of it, is its own affair.
        except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0][:80]
            content.problems[f"an API post cannot be read ({reason})"] += 1
            continue
        if found is not None and not content.opted_out:
            content.found.append(found)
    return content


def _read_post(
    page: Page,
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
    if not accepted or not isinstance(image, str) or not image.strip():
        return None
    url = absolute_url(page.url, image, site.ignore_parameters)
    if url is None:
        raise ValueError("its picture has no http or https URL")
    human_page = rules.post_page
    if human_page is not None:
        human_page = re.sub(
            r"\{(\w+)\}",
            lambda key: quote(without_surrogates(str(post.get(key[1], ""))), safe=""),
            human_page,
        )
    tags: list[str] = []
    for expression in rules.fields.tags:
        value = jmespath.search(expression, post)
        words = _strings(value.split()) if isinstance(value, str) else _strings(value)
        tags += words
    fields = ("title", "author", "licence", "terms")
    values = {
        name: _strings(jmespath.search(getattr(rules.fields, name), post))
        for name in fields
        if getattr(rules.fields, name) is not None
    }
    context = replace(_context(tags, values, site), page=human_page)
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
    texts = []
    for match in _select(scope, selector):
        is_element = not isinstance(match.root, str)
        text = "".join(match.xpath(".//text()").getall()) if is_element else match.root
        text = " ".join(text.split())[:_MAX_TEXT]
        if text:
            texts.append(text)
    return texts


def _largest_of_set(value: str) -> str | None:
    """Return the largest candidate of a ``srcset``, None for anything else."""
    words = re.sub(r"(\s[0-9.]+[wx]),", r"\1 ", value).split()
    sized = [
        (float(size[1]), url.strip(","))
        for url, word in pairwise(words)
        if (size := re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)[wx]", word))
    ]
    return max(sized)[1] if sized else None


def _strings(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    kept = [str(each) for each in values if isinstance(each, str | int | float)]
    texts = (" ".join(without_surrogates(text).split())[:_MAX_TEXT] for text in kept)
    return [text for text in texts if text]
