# SPDX-License-Identifier: Apache-2.0
import unittest

from tally import total


class Total(unittest.TestCase):
    def test_adds_up(self):
        self.assertEqual(total("bread 250\nmilk 120\n"), 370)

    def test_counts(self):
        self.assertEqual(total("apple 40 x3\n"), 120)
