"""`finetune ls`."""

from __future__ import annotations

from finetune.cli.console import print_table


def ls() -> None:
    """List the included recipes."""
    from finetune.recipe.library import all_recipes

    print_table(
        ("recipe", "model", "data", "target", "takes"),
        (
            (
                recipe.name,
                f"{recipe.model.repository} {_short(recipe.model.name)}",
                recipe.data.name or "",
                recipe.model.target,
                recipe.takes,
            )
            for recipe in all_recipes()
        ),
    )


def _short(model: str) -> str:
    """A model's name, or of an address its last folder."""
    return model.rsplit("/", 2)[-2] if "://" in model else model
