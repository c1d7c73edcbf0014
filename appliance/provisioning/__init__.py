"""Files by which desk phones set themselves up: made by the box, one for each phone it knows."""
