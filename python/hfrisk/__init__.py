"""hfrisk: from hospital ECG XML to a heart-failure risk model with honest numbers."""
