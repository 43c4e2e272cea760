"""A table that is nearly all zeros, kept as what is not: of each row its columns and their values.

Knows nothing of what its rows and columns are. A word has one or two tags of seventeen, so that this takes a
tenth of the room on the disk; in memory the table stands whole, as `weight`, for formulas to read.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nlptui.errors import UserError
from nlptui.locale import _


class SparseTable(nn.Module):
    """rows × columns numbers, `entries` of which may be other than 0; at most 255 columns."""

    weight: Tensor
    lengths: Tensor
    columns: Tensor
    unread = ("lengths", "columns", "values")
    """What stands on the disk, and no run reads."""

    def __init__(self, rows: int, columns: int, entries: int, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.rows, self.width = rows, columns
        self.register_buffer("lengths", torch.zeros(rows, dtype=torch.uint8))
        self.register_buffer("columns", torch.zeros(entries, dtype=torch.uint8))
        self.values = nn.Parameter(torch.zeros(entries, dtype=dtype), requires_grad=False)
        self.register_buffer("weight", torch.zeros(rows, columns), persistent=False)

    @classmethod
    def of(cls, table: Tensor, dtype: torch.dtype = torch.float32) -> SparseTable:
        """The table `table` (row column)."""
        places = table.nonzero()
        made = cls(table.shape[0], table.shape[1], len(places), dtype)
        made.lengths = (table != 0).sum(1).to(torch.uint8)
        made.columns = places[:, 1].to(torch.uint8)
        kept = table[places[:, 0], places[:, 1]].to(dtype)
        made.values = nn.Parameter(kept, requires_grad=False)
        made.unpack()
        return made

    def unpack(self) -> None:
        """Make `weight` of what is kept. Raises UserError where the parts do not fit each other."""
        lengths, columns = self._parts()
        rows = torch.repeat_interleave(torch.arange(self.rows, device=lengths.device), lengths)
        whole = torch.zeros(self.rows, self.width, device=lengths.device)
        whole[rows, columns] = self.values.float()
        self.weight = whole

    def _parts(self) -> tuple[Tensor, Tensor]:
        lengths, columns = self.lengths.long(), self.columns.long()
        if int(lengths.sum()) != len(columns) or (len(columns) and int(columns.max()) >= self.width):
            raise UserError(_("a table's rows and its entries do not fit; train or copy the model again"))
        return lengths, columns
