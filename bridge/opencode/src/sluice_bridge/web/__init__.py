"""Requests, answers, routes."""
