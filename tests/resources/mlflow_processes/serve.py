"""Starts and serves."""

import common

common.serve()
