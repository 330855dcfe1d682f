"""The sub-commands of `python -m app`, one thin module each: options in, one call into app.services, lines out."""
