"""Training of the embedded model `news`. Start at ../README.md; the one command is ../train.sh."""
