"""Galleries as LanceDB tables."""
