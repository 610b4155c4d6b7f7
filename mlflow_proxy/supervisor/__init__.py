"""The supervisor: owns the listening socket, decides when MLflow runs, answers while it does not.

Standard library only, because one supervisor runs for every user of a hub.
"""
