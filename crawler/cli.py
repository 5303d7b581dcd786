"""The command line of the crawler: ``python -m crawler`` or ``avatargan crawl``."""

import asyncio
import json
import logging
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avatargan.errors import AvatarGanError, MissingExtraError, OptionError

if TYPE_CHECKING:
    from crawler.addresses import AddressPolicy
    from crawler.run import RunSummary
    from crawler.session import RunLimits
    from crawler.site import SiteDescription

app = typer.Typer(
    name="crawl",
    help="Collect pictures politely, with their tags and terms.",
    rich_markup_mode="markdown",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

_OUT = typer.Option("--out", help="Folder of the crawl.", file_okay=False)
_ALLOW_PRIVATE = typer.Option(
    "--allow-private",
    help="Also contact loopback and private addresses: for your own test site.",
)
_PRIVATE_PAUSE = typer.Option(
    "--private-pause",
    min=0.0,
    max=3600.0,
    metavar="SECONDS",
    help="Pause between requests to your own test site. Needs --allow-private, and then no other "
    "than private addresses are contacted.",
)
_JSON = typer.Option("--json", help="Print the result as JSON on stdout.")


@app.callback()
def _check_installation() -> None:
    """Collect pictures politely, with their tags and terms."""
    missing = [
        name
        for name in ("aiohttp", "jinja2", "jmespath", "parsel", "protego")
        if find_spec(name) is None
    ]
    if missing:
        raise MissingExtraError(
            f"crawling needs {', '.join(missing)}: pip install -r requirements-crawl.txt"
        )


@app.command("run")
def run_command(
    site_file: Annotated[Path, typer.Argument(metavar="SITE.toml", help="What to collect.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for ledger and pictures.")],
    max_images: Annotated[
        int | None, typer.Option(min=1, help="Stop after storing so many new pictures.")
    ] = None,
    max_bytes: Annotated[
        str | None, typer.Option(help="Stop after receiving so much, such as 500MB or 2GB.")
    ] = None,
    max_minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Stop after so many minutes.")
    ] = None,
    allow_private: Annotated[bool, _ALLOW_PRIVATE] = False,
    private_pause: Annotated[float | None, _PRIVATE_PAUSE] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what would be done; contact nobody, write nothing."),
    ] = False,
    log: Annotated[
        Path | None, typer.Option(help="Write each event to this file.", dir_okay=False)
    ] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Collect the pictures of a site into OUT, or carry on where the last run stopped.

    It can be stopped at any moment, by Ctrl-C or worse: the next run carries on. When everything
    was visited, a later run fetches only what is new.

    Example: `python -m crawler run my-site.toml pictures --max-images 500`
    """
    from crawler.progress import CrawlProgress
    from crawler.run import effective_limits, run_crawl
    from crawler.session import RunLimits
    from crawler.site import load_site

    site = load_site(site_file)
    policy = _policy(allow_private, private_pause)
    size = None if max_bytes is None else _parse_size(max_bytes)
    limits = RunLimits(max_images=max_images, max_bytes=size, max_minutes=max_minutes)
    if dry_run:
        _print_plan(site, out, effective_limits(site, limits), private_pause, as_json=as_json)
        return
    _set_up_logging(log)
    with CrawlProgress(effective_limits(site, limits)) as progress:
        summary = asyncio.run(
            run_crawl(
                site,
                out,
                limits,
                policy=policy,
                pause=private_pause,
                on_event=progress,
                stop_on_signals=True,
            )
        )
    if as_json:
        _print_json(summary.to_dict())
    else:
        _print_summary(summary, out)


@app.command("check")
def check_command(
    site_file: Annotated[Path, typer.Argument(metavar="SITE.toml", help="What to collect.")],
    fetch: Annotated[
        bool,
        typer.Option(
            "--fetch",
            help="Also fetch robots.txt, the first page and two that it leads to, and show what "
            "matches.",
        ),
    ] = False,
    allow_private: Annotated[bool, _ALLOW_PRIVATE] = False,
    private_pause: Annotated[float | None, _PRIVATE_PAUSE] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Check a site description, and with --fetch what its selectors match on its first pages.

    Nothing is kept. Example: `python -m crawler check my-site.toml --fetch`
    """
    from crawler.run import preview_site
    from crawler.site import load_site

    site = load_site(site_file)
    policy = _policy(allow_private, private_pause)
    if not fetch:
        placeholder = site.placeholder()
        if as_json:
            _print_json({"site": site.name, "valid": True, "placeholder": placeholder})
            return
        typer.echo(f"{site_file} describes {site.name!r} and is valid")
        if placeholder is not None:
            typer.echo(f"fill in before use: it still holds the placeholder {placeholder!r}")
        return
    _set_up_logging(None)
    preview = asyncio.run(preview_site(site, policy=policy, pause=private_pause))
    if as_json:
        pictures = [{"url": each.url, **vars(each.context)} for each in preview.pictures]
        _print_json(
            {
                "url": preview.url,
                "read": preview.read,
                "matches": preview.matches,
                "pages": preview.page_links,
                "pictures": pictures,
            }
        )
        return
    for url in preview.read:
        typer.echo(url)
    for name, count in preview.matches.items():
        typer.echo(f"  {name:22} matches {count}")
    typer.echo(f"  leads to {len(preview.page_links)} page(s), {len(preview.pictures)} picture(s)")
    for each in preview.pictures[:5]:
        context = each.context
        typer.echo(f"  {each.url}")
        typer.echo(f"    tags {', '.join(context.tags[:12]) or 'none'}")
        typer.echo(f"    attributes {context.attributes or 'none'}")
        typer.echo(f"    terms {context.licence or context.terms or 'not stated'}")


@app.command("report")
def report_command(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the crawl.")],
    thumbnails: Annotated[
        int, typer.Option(min=0, max=5000, help="Pictures on the contact sheet.")
    ] = 240,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Write OUT/report.html (counts, sources, terms, contact sheet) and print a summary.

    Example: `python -m crawler report pictures`
    """
    from crawler.ledger import Ledger
    from crawler.report import make_report, write_report

    with Ledger.open(out) as ledger:
        report = make_report(ledger)
        path = write_report(ledger, thumbnails=thumbnails)
    if as_json:
        _print_json({**report.to_dict(), "report": str(path)})
        return
    typer.echo(
        f"{report.pictures} pictures, {report.megabytes:.1f} MB, from {report.sources} URLs "
        f"({report.duplicates} duplicates folded)"
    )
    typer.echo(f"{report.pages} pages read, {report.waiting} URLs waiting")
    if report.gone:
        typer.echo(
            f"{report.gone} kept pictures are gone or not to be collected any more; "
            f"python -m crawler forget --gone --out {out}"
        )
    for title, values in (
        ("sources", report.by_host),
        ("terms", report.by_terms),
        ("gone", report.by_gone),
        ("not taken", report.not_taken),
    ):
        if values:
            typer.echo(f"{title}:")
        for name, number in list(values.items())[:10]:
            typer.echo(f"  {number:6}  {name}")
    if report.not_reached:
        typer.echo("not reached:")
    for missed in report.not_reached[:10]:
        typer.echo(f"  {missed['what']}: {missed['reason']}{_how_often(missed)}")
    typer.echo(f"see {path}")


@app.command("forget")
def forget_command(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="URL_OR_HASH...",
            help="URL of a picture or of its page, SHA-256 (8 or more digits) or picture id.",
        ),
    ] = None,
    out: Annotated[list[Path] | None, _OUT] = None,
    gone: Annotated[
        bool,
        typer.Option(
            "--gone",
            help="All that is no longer there, or whose owner no longer wants it collected.",
        ),
    ] = False,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of crops or a data set: files named after the picture's id go too.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Remove a picture everywhere and never fetch it again.

    The file, its copies, all records of it and its line of the manifest are removed; what stays
    are hashes that keep it from coming back. Without --out the current folder is meant.

    Example: `python -m crawler forget https://site/art/7.png --out pictures --also crops`

    What its owners took down since: `python -m crawler forget --gone --out pictures --dry-run`
    """
    from crawler.forget import forget, plan_forgetting, plan_forgetting_gone
    from crawler.ledger import Ledger

    if not what and not gone:
        raise OptionError("name what is to be forgotten: a URL, a hash, a picture id, or --gone")
    results: list[dict[str, Any]] = []
    for folder in out or [Path()]:
        with Ledger.open(folder, writing=True) as ledger:
            # All is looked up before anything is removed: a mistyped hash removes nothing.
            plans = [plan_forgetting(ledger, each) for each in what or []]
            if gone:
                plans += plan_forgetting_gone(ledger)
            for plan in plans:
                removed = [] if dry_run else forget(ledger, plan, also or [])
                results.append(
                    {
                        "asked": plan.asked,
                        "out": str(folder),
                        "pictures": plan.picture_ids,
                        "files": [str(path) for path in removed],
                        "dry_run": dry_run,
                    }
                )
    if as_json:
        _print_json(results)
        return
    if not results:
        typer.echo("nothing is marked as gone")
    for result in results:
        verb = "would remove" if dry_run else "removed"
        ids = ", ".join(result["pictures"]) or "nothing was kept of it"
        typer.echo(f"{result['asked']}: {verb} {len(result['pictures'])} picture(s) ({ids})")
        for path in result["files"]:
            typer.echo(f"  {path}")
        if not dry_run:
            typer.echo("  it will not be fetched or stored again")


@app.command("trace")
def trace_command(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="ID_OR_HASH...", help="Picture id, name of a crop, SHA-256 or source URL."
        ),
    ],
    out: Annotated[Path, _OUT] = Path(),
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Say where a picture, or a crop of it, comes from.

    Example: `python -m crawler trace 3f2a9c1e-000123_0.png --out pictures`
    """
    from crawler.forget import plan_forgetting
    from crawler.ledger import Ledger
    from crawler.report import trace

    with Ledger.open(out) as ledger:
        traces = []
        for each in what:
            name = re.match(r"([0-9a-f]{8}-[0-9]{6,})(_.*|\..*)?\Z", Path(each).name)
            plan = plan_forgetting(ledger, name[1] if name else each)
            found = trace(ledger, [picture.id for picture in plan.pictures])
            if not found:
                raise OptionError(f"no picture in {out} has {each!r}")
            traces += found
    if as_json:
        _print_json(traces)
        return
    for origin in traces:
        typer.echo(f"{origin['id']}  {origin['file']}")
        for source in origin["sources"]:
            typer.echo(f"  {source['relation']:9}{source['url']}")
            typer.echo(f"           found on {source['page_url']}, {source['fetched_at']}")
            terms = source["licence"] or source["terms"] or "not stated"
            typer.echo(f"           author {source['author'] or 'not stated'}, terms {terms}")


@app.command("sites")
def sites_command() -> None:
    """List the ready site descriptions, to copy and fill in."""
    from crawler.site import load_site, ready_descriptions

    for path in ready_descriptions():
        kind = "JSON API" if load_site(path).api is not None else "HTML pages"
        typer.echo(f"{path}  ({kind})")


def main() -> None:
    """Run the command line; what the user has to mend becomes one line and exit code 2."""
    try:
        app(prog_name="python -m crawler")
    except AvatarGanError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


def _policy(allow_private: bool, private_pause: float | None) -> "AddressPolicy":
    from crawler.addresses import AddressPolicy

    if private_pause is not None and not allow_private:
        raise OptionError("--private-pause is for your own test site: it needs --allow-private")
    if private_pause is not None:
        return AddressPolicy.PRIVATE_ONLY
    return AddressPolicy.PUBLIC_AND_PRIVATE if allow_private else AddressPolicy.PUBLIC_ONLY


def _parse_size(text: str) -> int:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)B?", text.strip().upper())
    size = 0 if match is None else int(float(match[1]) * 1000 ** "_KMGT".index(match[2] or "_"))
    if size < 1:
        raise OptionError(f"--max-bytes {text!r} is not a size such as 500000, 500MB or 2GB")
    return size


def _set_up_logging(path: Path | None) -> None:
    # Only warnings reach the terminal, through Python's handler of last resort.
    if path is None:
        return
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise OptionError(f"cannot write {path}: {error.strerror or error}") from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("crawler")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)


def _print_plan(
    site: "SiteDescription",
    out: Path,
    limits: "RunLimits",
    private_pause: float | None,
    *,
    as_json: bool,
) -> None:
    pause = site.rate.seconds_between_requests if private_pause is None else private_pause
    plan: dict[str, Any] = {
        "site": site.name,
        "start": site.start_urls,
        "page_hosts": site.page_hosts,
        "picture_hosts": site.picture_hosts,
        "user_agent": site.user_agent,
        "seconds_between_requests": pause,
        **vars(limits),
        "max_pages": site.limits.max_pages,
        "out": str(out),
        "dry_run": True,
    }
    if as_json:
        _print_json(plan)
        return
    for key, value in plan.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        typer.echo(f"{key.replace('_', ' '):26}{'no limit' if shown is None else shown}")


def _print_summary(summary: "RunSummary", out: Path) -> None:
    told = {
        "finished": "everything was visited",
        "incomplete": "visited, but for what could not be reached",
        "max-images": "stopped at --max-images",
        "max-bytes": "stopped at --max-bytes",
        "max-minutes": "stopped at --max-minutes",
        "interrupted": "interrupted",
        "postponed": "some hosts have to wait",
    }[summary.outcome]
    typer.echo(
        f"{summary.site}: {told}; {summary.stored} new pictures, {summary.duplicates} duplicates, "
        f"{summary.unchanged} unchanged, {summary.refused} refused, {summary.failed} failed"
    )
    typer.echo(
        f"{summary.pages} pages, {summary.bytes_received / 1e6:.1f} MB in {summary.seconds:.0f} s; "
        f"{summary.pictures} pictures in {out}"
    )
    for reason, number in list(summary.reasons.items())[:8]:
        typer.echo(f"  {number:6}  {reason}")
    for warning in summary.warnings:
        typer.echo(f"warning: {warning}", err=True)
    if summary.not_reached:
        typer.echo(
            f"warning: {len(summary.not_reached)} URLs could not be reached; "
            "the next run tries them again",
            err=True,
        )
    for missed in summary.not_reached[:8]:
        typer.echo(f"  {missed['url']}: {missed['reason']}{_how_often(missed)}", err=True)
    if summary.gone:
        typer.echo(
            f"{summary.gone} kept pictures are gone or not to be collected any more; "
            f"python -m crawler forget --gone --out {out}"
        )
    if summary.outcome not in ("finished", "incomplete"):
        typer.echo(
            f"run it again to carry on ({summary.waiting} URLs wait, {summary.postponed} postponed)"
        )


def _how_often(missed: dict[str, Any]) -> str:
    if missed["failures"] < 2:
        return ""
    return f" ({missed['failures']} times since {missed['failing_since'][:10]})"


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
