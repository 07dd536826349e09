import hypothesis

# How long one example takes says more about the machine than about us.
hypothesis.settings.register_profile("readiness", deadline=None)
hypothesis.settings.load_profile("readiness")
