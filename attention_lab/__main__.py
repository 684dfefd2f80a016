"""`python -m attention_lab`, the same as `attention-lab`."""

from .cli import main

main(prog_name="attention-lab")
