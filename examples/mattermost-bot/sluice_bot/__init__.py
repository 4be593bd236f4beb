"""A Mattermost bot that answers mentions and direct messages through sluice."""
