"""nbgrader's settings for running a notebook in a kernel, as Validate does wherever the notebook lies."""

c = get_config()  # noqa: F821 (nbgrader provides it)

c.Execute.timeout = 120  # seconds per cell: longer than a check's own limit, so that the check can say what happened
c.Execute.iopub_timeout = 30  # seconds that a cell's outputs may come late, on a busy machine
c.Execute.extra_arguments = [
    "--IPKernelApp.log_level=ERROR",  # no warning of plain TCP inside one machine
    "--IPKernelApp.exec_lines=get_ipython().ask_exit = lambda: None",  # quit() in a cell does not end the grading
]
# Demonstrations (training, figures) earn no points. This replaces nbclient's own tag, "skip-execution".
c.Execute.skip_cells_with_tag = "demo"
