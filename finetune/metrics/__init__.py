"""How well images were segmented."""
