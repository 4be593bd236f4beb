"""Tests of the bot: parts alone, and the whole between a simulated Mattermost and the real sluice."""

import logging

# Most tests are about failures; what the bot logs of them would only hide what a failed test says.
logging.disable()
