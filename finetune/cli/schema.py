"""`finetune schema`."""

from __future__ import annotations

import json


def schema() -> None:
    """Print the JSON Schema of recipes, for editors."""
    from finetune.recipe.json_schema import recipe_schema

    print(json.dumps(recipe_schema(), indent=2, ensure_ascii=False))
