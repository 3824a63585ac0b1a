"""Evaluations of the same songs side by side: intervals, tables, a page, a listening test."""
