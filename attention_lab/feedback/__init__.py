"""A student's feedback page: one file without scripts that calls nobody, whatever the learner wrote.

marks      a graded notebook -> exercises with answers, verdicts and points, and the mistakes
clean      HTML that anybody wrote -> HTML that does nothing
formulas   TeX -> MathML
texts      code, markdown and outputs -> HTML
page       all of it -> the page, by `page.html.j2` and `page.css`
exporter   the page in the place of nbgrader's own
"""
