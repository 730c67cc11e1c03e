"""Lessons: words, views of the page to look at them in, and questions, in TOML files that a teacher can write."""

from .lesson import Lesson, Question, Step
from .page import lesson_pages
from .reading import complaints, lesson_files, own_files, read_lesson

__all__ = ["Lesson", "Question", "Step", "complaints", "lesson_files", "lesson_pages", "own_files", "read_lesson"]
