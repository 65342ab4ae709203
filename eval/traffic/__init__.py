"""Many users at once: those of locust, and a model server that costs nothing."""
