"""Mask generators decode points in small batches on a processor: same masks, in less time."""

from __future__ import annotations

import pytest
import torch

from finetune.repositories.point_batches import decode_in_batches


@pytest.mark.parametrize(("image_size", "sizes"), [(1024, [2, 2, 1]), (256, [5])])
def test_batches_are_small_and_in_order_and_settings_of_torch_stay(image_size: int, sizes: list[int]) -> None:
    def decode(part: slice) -> tuple[list[int], bool, torch.dtype, int]:
        product = torch.ones(2, 2, requires_grad=True) @ torch.ones(2, 2)
        return list(range(5))[part], product.requires_grad, product.dtype, torch.get_num_threads()

    before = torch.get_num_threads()
    torch.set_num_threads(2)  # tests have one, as each batch must have
    try:
        with torch.autocast("cpu", torch.bfloat16):
            results = decode_in_batches(decode, 5, image_size)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert [len(result[0]) for result in results] == sizes
    assert [index for result in results for index in result[0]] == list(range(5))
    assert all(result[1:] == (False, torch.bfloat16, 1) for result in results)
