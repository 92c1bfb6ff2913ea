"""Why a model answers a case as it does."""
