# SPDX-License-Identifier: Apache-2.0
"""Adds up a shopping list: lines of `name price` or `name price xCOUNT`, in cents."""


def price_of(line):
    words = line.split()
    cents = int(words[1])
    return cents


def total(text):
    return sum(price_of(line) for line in text.splitlines() if line.strip())
