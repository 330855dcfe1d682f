"""Entry of `python app.py` and of the Hugging Face Space: opens the page."""

import sys

from app.cli import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
