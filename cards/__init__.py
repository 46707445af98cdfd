"""Run records and everything rendered from them. Imports neither torch nor finetune."""
