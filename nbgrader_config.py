"""nbgrader's settings for this course: where the lessons lie, what a release may hold, how submissions are graded."""

c = get_config()  # noqa: F821 (nbgrader provides it)

c.CourseDirectory.course_id = "attention-lab"  # nbgrader's exchange and a gradebook in PostgreSQL ask for one
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "notebooks"
# nbgrader copies every file beside a lesson's notebook to the learner, except these.
c.CourseDirectory.ignore = [".*", "__pycache__", "*.py", "*.md", "*~", "feedback"]

# Learners get of a notebook's metadata these alone; an executed one also says which package its outputs come from.
c.GenerateAssignment.preprocessors.append("nbconvert.preprocessors.ClearMetadataPreprocessor")
c.ClearMetadataPreprocessor.enabled = True
c.ClearMetadataPreprocessor.preserve_nb_metadata_mask = {"kernelspec", "language_info"}
c.ClearMetadataPreprocessor.clear_cell_metadata = False

c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE\nraise NotImplementedError()"}

c.Execute.timeout = 120  # seconds per cell: longer than a check's own limit, so that the check can say what happened
# The next two for Validate, which runs a notebook in a kernel:
c.Execute.iopub_timeout = 30  # seconds that a cell's outputs may come late, on a busy machine
c.Execute.extra_arguments = [
    "--IPKernelApp.log_level=ERROR",  # no warning of plain TCP inside one machine
    "--IPKernelApp.exec_lines=get_ipython().ask_exit = lambda: None",  # quit() in a cell does not end the grading
]
# Demonstrations (training, figures) earn no points. This replaces nbclient's own tag, "skip-execution".
c.Execute.skip_cells_with_tag = "demo"

c.Autograde.exporter_class = "attention_lab.classroom.autograde.Confined"
c.Autograde.sanitize_preprocessors = ["nbgrader.preprocessors.ClearOutput"]  # Confined does the rest
c.Exporter.optimistic_validation = True  # a notebook is validated once, not after every step
c.GenerateFeedback.exporter_class = "attention_lab.feedback.exporter.Feedback"
c.Autograde.autograde_preprocessors = [  # nbgrader's own, but for the first and the scores; the record of Judged stays
    "attention_lab.classroom.autograde.Judged",
    "nbgrader.preprocessors.IgnorePattern",
    "nbgrader.preprocessors.LimitOutput",
    "attention_lab.classroom.autograde.SavedTogether",
    "nbgrader.preprocessors.AssignLatePenalties",
]
