"""A graded lesson -> what its teacher wants to know of the class: one page, and one table for a spreadsheet."""
