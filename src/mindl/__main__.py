"""``python -m mindl`` is the command ``mindl``."""

from mindl.app.cli import main

if __name__ == "__main__":
    main()
