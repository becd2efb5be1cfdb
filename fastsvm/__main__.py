"""``python -m fastsvm`` is the command ``fastsvm``."""

from fastsvm.cli import main

if __name__ == "__main__":
    main()
