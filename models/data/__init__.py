"""Where pictures come from: files people give us, free data packages, and a world made by rule."""
