"""``python -m cardiotwin``."""

from cardiotwin.cli import main

if __name__ == "__main__":
    main()
