"""The decisions of moderators: corrections, reviews, visibility and deletion of users."""
