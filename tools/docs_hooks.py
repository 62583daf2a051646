"""What mkdocs does while it builds: `--help` of every command goes where a page has the line `[commands]`."""

from typing import Any

import typer

from reloadgate.cli import app

PLACE = "[commands]"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The text of a page, with the commands in their place."""
    return markdown.replace(PLACE, commands()) if PLACE in markdown.splitlines() else markdown


def commands() -> str:
    """A section a command, as the terminal shows it."""
    root = typer.main.get_command(app)
    context = root.make_context("reloadgate", [], resilient_parsing=True, terminal_width=96, max_content_width=96)
    sections = []
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        below = command.make_context(name, [], parent=context, resilient_parsing=True)
        sections.append(f"## {name}\n\n```text\n{command.get_help(below)}\n```\n")
    return "\n".join(sections)
