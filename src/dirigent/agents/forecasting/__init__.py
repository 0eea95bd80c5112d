"""Forecasts of what is counted over time, with bands that were held against what came; for several agents.

`timeline_of` makes an even series of dated quantities, `outlook_of` looks ahead of one. Everything is plain
Python and the same for the same input. How good it is on published competitions: `python -m
benchmarks.forecasting`.
"""

from dirigent.agents.forecasting.outlook import Outlook as Outlook
from dirigent.agents.forecasting.outlook import outlook_of as outlook_of
from dirigent.agents.forecasting.timeline import Grain as Grain
from dirigent.agents.forecasting.timeline import Timeline as Timeline
from dirigent.agents.forecasting.timeline import timeline_of as timeline_of
