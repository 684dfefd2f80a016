"""nbgrader's settings for this course: where the lessons lie, what a release may hold, how submissions are graded."""

from importlib.util import find_spec
from pathlib import Path

c = get_config()  # noqa: F821 (nbgrader provides it)

# How Validate runs a notebook, the same for learners, who have no other settings.
package = Path(find_spec("attention_lab").origin).parent  # found, not imported
load_subconfig("nbgrader_config.py", path=str(package / "course" / "profile" / "everyone"))  # noqa: F821

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

# What is as it was released, a new release may replace: `attention-lab update`.
c.GenerateAssignment.preprocessors.append("attention_lab.course.untouched.Digests")

c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE\nraise NotImplementedError()"}

c.Autograde.exporter_class = "attention_lab.classroom.autograde.Confined"
c.Autograde.sanitize_preprocessors = ["nbgrader.preprocessors.ClearOutput"]  # Confined does the rest
c.Exporter.optimistic_validation = True  # a notebook is validated once, not after every step
# Formgrader shows what a learner wrote; a script in it would act with all that the instructor may do.
c.HTMLExporter.sanitize_html = True
c.HTMLExporter.preprocessors = ["attention_lab.overview.rubrics.Rubrics"]  # beside a free text, what earns its points
c.HTMLExporter.filters = {
    "markdown2html": "attention_lab.feedback.texts.markdown",
    "clean_html": "attention_lab.feedback.clean.clean",
}
c.GenerateFeedback.exporter_class = "attention_lab.feedback.exporter.Feedback"
# c.Judged.follow_through = True  # points for what is right for one's own wrong earlier answer, such as BAM on wrong gates
c.Autograde.autograde_preprocessors = [  # nbgrader's own, but for the first and the scores; the record of Judged stays
    "attention_lab.classroom.autograde.Judged",
    "nbgrader.preprocessors.IgnorePattern",
    "nbgrader.preprocessors.LimitOutput",
    "attention_lab.classroom.autograde.SavedTogether",
    "nbgrader.preprocessors.AssignLatePenalties",
]

# Uncomment for a point off each day that a lesson is late, once `nbgrader db assignment add LESSON --duedate TIME` says when.
# c.AssignLatePenalties.plugin_class = "attention_lab.classroom.late.PerDay"
# Uncomment to let `nbgrader collect` take a later submission in an earlier one's place, as `attention-lab collect` does.
# c.ExchangeCollect.update = True
