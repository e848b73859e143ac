"""Somebody's own label map or mesh as the anatomy: taken as it is, completed, or refused."""
