"""LAION's aesthetic predictors."""
