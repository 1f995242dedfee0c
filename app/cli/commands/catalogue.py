"""`leaderboard catalogue`: categories and actions, from and to a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.terminal.errors import CommandError
from app.cli.terminal.output import console, examples, help_without_command, print_result

if TYPE_CHECKING:
    from app.domain.catalogue.changes import Change
    from app.wiring import App

PARTS = ("categories", "actions")


def add_to(program: typer.Typer) -> None:
    """Register the commands with the program."""
    commands = typer.Typer(
        help="Print categories and actions as YAML, or apply a YAML file.",
        callback=help_without_command,
        invoke_without_command=True,
    )
    commands.command(epilog=examples("leaderboard catalogue show", "leaderboard catalogue show > catalogue.yaml"))(show)
    commands.command(epilog=examples('leaderboard catalogue apply catalogue.yaml --reason "Winter season"'))(apply)
    program.add_typer(commands, name="catalogue")


def show() -> None:
    """Print the whole catalogue as YAML, in the format that `apply` reads."""
    import yaml

    from app.cli.process.open_services import with_services

    async def work(app: App) -> dict[str, Any]:
        documents = await app.catalogue_changes.documents()
        return {part: [dict(document) for document in documents[part]] for part in PARTS}

    print_result(yaml.safe_dump(with_services(work), sort_keys=False, allow_unicode=True))


def apply(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="A YAML file in the format that `show` prints.")
    ],
    reason: Annotated[
        str, typer.Option(help="The reason for the change, for the audit log.")
    ] = "Applied from the command line",
) -> None:
    """Create or change the categories and actions in a file.

    Categories and actions that are not in the file stay as they are. If anything in it is invalid, nothing is
    changed. Running instances apply the changes within a second. Applying the same file again changes nothing.
    """
    from app.cli.process.open_services import with_services
    from app.domain.ledger.transactions import Actor

    documents = read_catalogue_file(file)

    async def work(app: App) -> list[Change]:
        actor = Actor(None, "operator")
        return await app.catalogue_changes.apply(documents["categories"], documents["actions"], actor, reason)

    changes = with_services(work)
    for change in changes:
        console().print(f"{'Changed' if change.before else 'Created'} the {change.subject.value} {change.id}")
    if not changes:
        console().print("Nothing to change")


def read_catalogue_file(file: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the categories and actions in a YAML file.

    Raises:
        CommandError: The file is not YAML, or has another structure.
    """
    import yaml

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise CommandError(f"{file}: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or not set(content) <= set(PARTS):
        raise CommandError(f"{file}: the file must have {' and '.join(PARTS)}, each a list")
    documents: dict[str, list[dict[str, Any]]] = {part: content.get(part) or [] for part in PARTS}
    for part, entries in documents.items():
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise CommandError(f"{file}: `{part}` must be a list of objects")
    return documents
