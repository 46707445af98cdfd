"""Downloads: the Hugging Face Hub and archives."""
