"""Why an upload is where it is: everything about it, and in words for people what that means and what to do."""

from mediafleet_core.explaining.asker import Asker
from mediafleet_core.explaining.explaining import Explaining, Explanation
from mediafleet_core.explaining.objects import ObjectFact, ObjectRole

__all__ = ["Asker", "Explaining", "Explanation", "ObjectFact", "ObjectRole"]
