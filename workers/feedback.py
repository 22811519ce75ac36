"""Putting together what makes data sets for training."""

from activities.feedback.activity import TrainingDataActivities
from activities.feedback.datasets import SqlDatasetRegister
from activities.feedback.pairs import PreferencePairs
from activities.notifications.contracts import Notifier
from workers.compose import Stores
from workers.settings import Settings


def training_data(settings: Settings, stores: Stores, notifier: Notifier) -> TrainingDataActivities:
    """Return the activities that make data sets of preference pairs."""
    source = PreferencePairs(stores.engine, stores.artifacts)
    register = SqlDatasetRegister(stores.engine)
    return TrainingDataActivities(source, register, stores.artifacts, notifier, settings.pairs_wanted)
