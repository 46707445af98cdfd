"""Recipes: schema, reader, validation and the recipes that come with finetune."""
