"""Reading over HTTP in a process of its own: GDAL in a test's process would wait for itself, and caches failures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PROGRAM = """
import json, sys
import numpy as np, rasterio
from rasterio.windows import Window
told = json.loads(sys.argv[1])
with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR", CPL_VSIL_CURL_ALLOWED_EXTENSIONS=".tif,.tiff"):
    with rasterio.open(told["path"]) as file:
        shape = told["shape"] and (file.count, *told["shape"])
        window = Window(*told["window"]) if told["window"] else None
        pixels = file.read(window=window, out_shape=shape)
        facts = {"crs": file.crs.to_epsg(), "transform": list(file.transform)[:6], "shape": file.shape,
                 "nodata": repr(file.nodata), "overviews": file.overviews(1), "block": file.block_shapes[0]}
        np.savez(sys.argv[2], pixels=pixels, facts=json.dumps(facts))
"""


def read_outside(
    address: str, folder: Path, *, window: tuple[int, int, int, int] | None = None, shape: tuple[int, int] | None = None
) -> tuple[NDArray[Any], dict[str, Any]]:
    """Return the pixels (band, row, col) and facts of a remote GeoTIFF as rasterio sees them by range requests.

    Parameters
    ----------
    window
        First column, first row, columns, rows; None: everything.
    shape
        (rows, cols) to shrink to.
    """
    import json

    told = json.dumps({"path": f"/vsicurl/{address}", "window": window, "shape": shape})
    kept = folder / "outside.npz"
    command = [sys.executable, "-c", PROGRAM, told, str(kept)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    if done.returncode:
        raise OSError(done.stderr.strip().splitlines()[-1])
    with np.load(kept) as found:
        return found["pixels"], json.loads(str(found["facts"]))
