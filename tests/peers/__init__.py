"""Other packages asked the same questions: `make test-peers`. A test is skipped where its peer is not installed."""
