"""`python -m hfrisk.convert`."""

from hfrisk.convert.command import main

main()
