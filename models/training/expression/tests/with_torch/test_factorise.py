# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of factorising a network."""

import unittest

import torch
from torch import nn

from training.expression.factorise import factorised, factors
from training.expression.labels import HEADS
from training.expression.network import ExpressionNet


class Factorise(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(3)

    def test_a_convolution_that_is_a_product_is_found_again(self):
        along_rows = nn.Conv2d(4, 3, (1, 3), (1, 2), (0, 1), bias=False)
        along_columns = nn.Conv2d(3, 5, (3, 1), (2, 1), (1, 0))
        given = torch.randn(40, 4, 12, 12)
        with torch.no_grad():
            wanted = along_columns(along_rows(given))
            first, second, bias = factors(nn.Conv2d(4, 5, 3, 2, 1), given, wanted, 3)
            along_rows.weight.copy_(first)
            along_columns.weight.copy_(second)
            along_columns.bias.copy_(bias)
            self.assertLess((along_columns(along_rows(given)) - wanted).abs().max(), 0.01 * wanted.std())

    def test_a_factorised_network_has_similar_outputs(self):
        network, x = ExpressionNet("default", heads=HEADS), torch.randn(64, 1, 48, 48)
        for block in network.blocks:  # at first, blocks have no effect
            nn.init.ones_(block.second[1].weight)
        half = factorised(network.eval(), x)
        for expected, found in zip(network(x), half(x)):
            together = torch.stack([expected.flatten(), found.flatten()])
            self.assertGreater(torch.corrcoef(together)[0, 1], 0.9)


if __name__ == "__main__":
    unittest.main()
